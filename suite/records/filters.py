"""The filter of cases as text: `optimizer:adam* time<10ms -outcome:skipped`.

    filter = words, all of which must hold
    word   = [-] (factor:pattern[,pattern...] | metric (< <= > >= =) value | text)

`-` excludes what the rest of the word matches. In a pattern `*` is any text. A text matches where the id contains it.
Letters and capitals are the same but in units. A case without a metric matches no comparison of it.

The page's script has the same grammar; `tests/fakes/filter_examples.json` holds both to it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from suite import units
from suite.errors import StepmarkError
from suite.records.factors import NAMES

OUTCOME, VERDICT = "outcome", "verdict"
FACTORS = (*NAMES, OUTCOME, VERDICT)
ALIASES = {"batch": "batch_size", "image": "image_size"}
METRICS = {
    "time": ("step_time", "s"),
    "memory": ("peak_memory", "B"),
    "energy": ("energy", "J"),
    "accuracy": ("accuracy", "ratio"),
    "throughput": ("throughput", "count"),
}
"""Name in a filter -> key of the facts, and unit."""
METRICS_BY_KEY = {key: (key, unit) for key, unit in METRICS.values()}
CLOSE = 0.0005
"""Relative difference within which `=` holds: tables show four digits."""
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": lambda found, wanted: abs(found - wanted) <= CLOSE * wanted,
}
WORD = re.compile(r"([^:<>=]*)(:|<=|>=|<|>|=)(.*)")

Facts = Mapping[str, str | int | float | None]
"""Of one case: id, levels, outcome, verdict, and metrics in base units, by name."""
Test = Callable[[Facts], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that was read.

    Attributes:
        text: as typed.
        tests: one for each word.
    """

    text: str
    tests: tuple[Test, ...]

    def matches(self, facts: Facts) -> bool:
        """Whether every word holds."""
        return all(test(facts) for test in self.tests)


def filter_of(text: str) -> Filter:
    """Read a filter; an empty one matches every case.

    Raises:
        StepmarkError: `--filter: 'colour' in 'colour:red' is no factor; allowed: structure, ...`
    """
    return Filter(text, tuple(test_of(word) for word in text.split()))


def test_of(word: str) -> Test:
    """The test of one word.

    Raises:
        StepmarkError: it has no meaning.
    """
    if not word.strip("-"):
        raise StepmarkError(
            f"--filter: {word!r} excludes nothing; allowed: a word behind it, such as -outcome:skipped."
        )
    if word.startswith("-"):
        excluded = test_without_dash(word[1:])
        return lambda facts: not excluded(facts)
    return test_without_dash(word)


def test_without_dash(word: str) -> Test:
    """The test of a word that excludes nothing."""
    match = WORD.fullmatch(word)
    if match is None:
        pattern = f"*{word}*".lower()
        return lambda facts: is_like(str(facts["id"]).lower(), pattern)
    name = match[1].lower()
    return level_test(word, name, match[3]) if match[2] == ":" else metric_test(word, name, match[2], match[3])


def is_like(text: str, pattern: str) -> bool:
    """Whether a text is a pattern with some text for each `*`.

    Many of them take no longer than one.
    """
    first, *others = pattern.split("*")
    if not others:
        return text == first
    *middle, last = others
    place = len(first) if text.startswith(first) else -1
    for piece in middle:
        place = text.find(piece, place) + len(piece) if place >= 0 and piece in text[place:] else -1
    return 0 <= place <= len(text) - len(last) and text.endswith(last)


def level_test(word: str, name: str, text: str) -> Test:
    """The test of `factor:pattern[,pattern]`."""
    factor = ALIASES.get(name, name)
    if factor not in FACTORS:
        raise StepmarkError(f"--filter: {name!r} in {word!r} is no factor; allowed: {', '.join(FACTORS)}.")
    patterns = text.lower().split(",")
    if not all(patterns):
        raise StepmarkError(f"--filter: {word!r} lacks a level; allowed: {name}:LEVEL or {name}:LEVEL,LEVEL; * is any.")
    return lambda facts: any(is_like(level, one) for one in patterns for level in levels_of(facts, factor))


def levels_of(facts: Facts, factor: str) -> Iterator[str]:
    """The level of a case in small letters; of the verdict each kind."""
    level = facts.get(factor)
    if level is None:
        return
    for one in str(level).split(", ") if factor == VERDICT else [str(level)]:
        yield one.replace(" ", "_").lower()


def metric_test(word: str, name: str, sign: str, text: str) -> Test:
    """The test of `metric<value`."""
    known = METRICS.get(name) or METRICS_BY_KEY.get(name)
    if known is None:
        raise StepmarkError(f"--filter: {name!r} in {word!r} is no metric; allowed: {', '.join(METRICS)}.")
    key, unit = known
    try:
        wanted = units.read(text, unit)
    except ValueError:
        names = ", ".join(units.scale_names(unit))
        without = "" if unit in ("s", "B", "J") else " or none"
        raise StepmarkError(
            f"--filter: {text!r} in {word!r} is no value of {name}; allowed: a number with one of {names}{without}."
        ) from None
    compare = COMPARISONS[sign]

    def test(facts: Facts) -> bool:
        found = facts.get(key)
        return isinstance(found, int | float) and compare(found, wanted)

    return test
