"""Some of the cases: those that match an expression, or one part of several."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence

from suite.records import Case, StepmarkError

OPERATORS = ("(", ")", "and", "or", "not")
WORD = re.compile(r"[\w:+\-.\[\]\\/]+")
"""A word of pytest's `-k`."""
MOST_NESTED = 100
"""Operators within each other, at most. Python's own parser refuses twice as many brackets."""

Test = Callable[[str], bool]
"""Whether a case id is selected."""


def shard(cases: Sequence[Case], text: str) -> list[Case]:
    """Part I of N of the cases: every N-th, so that a part has all structures.

    Args:
        cases: all of them, the same for every part.
        text: `I/N` with 1 <= I <= N.

    Raises:
        StepmarkError: the text is not of that form.
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise StepmarkError(f"--shard is {text!r}; allowed: I/N with 1 <= I <= N, such as 2/3.")
    return list(cases[int(match[1]) - 1 :: int(match[2])])


def selector(expression: str) -> Test:
    """The test that an expression like pytest's `-k` makes of a case id.

    Words are joined by `and`, `or`, `not` and brackets. A word matches where it is a part of the id, in small letters
    or capitals. An empty expression selects every id.

    Raises:
        StepmarkError: the expression is not of that form.
    """
    tokens = re.findall(r"[()]|[^\s()]+", expression)
    if not tokens:
        return lambda _: True
    words = {f"word{index}": token.lower() for index, token in enumerate(tokens) if token not in OPERATORS}
    terms = [token if token in OPERATORS else f"word{index}" for index, token in enumerate(tokens)]
    try:
        if not all(token in OPERATORS or WORD.fullmatch(token) for token in tokens):
            raise ValueError(expression)
        return test_of(ast.parse(" ".join(terms), mode="eval").body, words, MOST_NESTED)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two: nested too deeply
        raise StepmarkError(f"-k is {expression!r}; allowed: words joined by and, or, not and brackets.") from error


def test_of(tree: ast.expr, words: dict[str, str], depth: int) -> Test:
    """The test that a tree of names, `and`, `or` and `not` makes.

    Args:
        tree: as Python parses it.
        words: name in the tree -> word that an id has to contain.
        depth: operators that may stand within each other.

    Raises:
        ValueError: anything else is in the tree, or it is deeper.
    """
    match tree:
        case _ if depth == 0:
            raise ValueError("nested too deeply")
        case ast.Name(id=name):
            word = words[name]
            return lambda case_id: word in case_id.lower()
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = test_of(operand, words, depth - 1)
            return lambda case_id: not inner(case_id)
        case ast.BoolOp(op=operator, values=operands):
            every = [test_of(one, words, depth - 1) for one in operands]
            combine = all if isinstance(operator, ast.And) else any
            return lambda case_id: combine(one(case_id) for one in every)
        case _:
            raise ValueError(f"{type(tree).__name__} is no word, and, or, not")
