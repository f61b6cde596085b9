"""Values of JSON as the dataclasses that they are to be, each checked against its annotation: files are a border."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

LONGEST_SHOWN = 60
"""Characters of a value that is quoted in a sentence."""
LARGEST_WHOLE = 2**63
"""Whole numbers of a record go into arithmetic with others; no count that is measured comes near."""
LONGEST_WHOLE = len(str(-LARGEST_WHOLE))
"""Characters: longer ones Python may refuse to read at all."""
T = TypeVar("T")


class WrongValue(ValueError):
    """A value that is not of its kind; says where, the value found and the kind allowed."""


def parsed(text: str | bytes) -> Any:
    """The value that a text of JSON has, without NaN and infinities, which Python reads and JSON does not have.

    Raises:
        TooLarge: it has a whole number of more than 64 bits.
        ValueError: it is not JSON.
    """
    return json.loads(text, parse_constant=refuse_constant, parse_int=whole_number)


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(name)


class TooLarge(ValueError):
    """A whole number that can be read, and not computed with."""


def whole_number(digits: str) -> int:
    """A whole number of at most 64 bits.

    Raises:
        TooLarge: it has more.
    """
    if len(digits) > LONGEST_WHOLE or abs(int(digits)) > LARGEST_WHOLE:
        raise TooLarge(f"the number {digits[:9]}…, which takes more than 64 bits")
    return int(digits)


def typed(kind: type[T], found: Any, where: str) -> T:
    """`found` as a value of `kind`: a dataclass, a number, a text, or a tuple, list or mapping of those.

    Keys that the dataclass does not have are refused, keys with a default may be missing. A `float` may be written as
    a whole number, and has to be finite.

    Args:
        kind: an annotation.
        found: as JSON gave it.
        where: what a sentence about it calls it.

    Raises:
        WrongValue: `turns[0] of a visit is 'x'; allowed: a whole number.`
    """
    made: T = reader(cast("Any", kind))(found, where)
    return made


Reader = Callable[[Any, str], Any]


@cache
def reader(kind: Any) -> Reader:
    """What reads values of an annotation."""
    if is_dataclass(kind):
        return dataclass_reader(kind)
    if kind is Any:
        return lambda found, _: found
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return lambda found, where: (
            found if found in arguments else refuse(found, where, " or ".join(map(str, arguments)))
        )
    if origin in (tuple, list):
        return sequence_reader(origin, reader(arguments[0]), number=arguments[0] is float)
    if origin is dict:
        return mapping_reader(reader(arguments[1]))
    if origin is UnionType:
        inner = reader(next(one for one in arguments if one is not NoneType))
        return lambda found, where: None if found is None else inner(found, where)
    return PLAIN[kind]


def dataclass_reader(kind: Any) -> Reader:
    """What reads a dataclass from a mapping by its fields."""
    hints, name = get_type_hints(kind), kind.__name__.lower()
    readers = {field.name: reader(hints[field.name]) for field in fields(kind)}
    needed = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}

    def read(found: Any, where: str) -> Any:
        if not isinstance(found, dict):
            refuse(found, where, f"a {name} with {', '.join(readers)}")
        if missing := needed - found.keys():
            raise WrongValue(f"{where} has no {', '.join(sorted(missing))}.")
        if unknown := found.keys() - readers.keys():
            raise WrongValue(f"{where} has a key {min(unknown)!r}; allowed: {', '.join(readers)}.")
        return kind(**{key: readers[key](value, f"{key} of {where}") for key, value in found.items()})

    return read


def sequence_reader(origin: type, inner: Reader, *, number: bool) -> Reader:
    """What reads a tuple or list of one kind; numbers, of which there are many, without a call for each."""

    def read(found: Any, where: str) -> Any:
        if not isinstance(found, list):
            refuse(found, where, "a list")
        if number and all(type(one) is float for one in found) and not (found and max(map(abs, found)) > LARGEST):
            return origin(found)
        return origin(inner(one, f"{where}[{place}]") for place, one in enumerate(found))

    return read


def mapping_reader(inner: Reader) -> Reader:
    """What reads a mapping from texts to one kind."""

    def read(found: Any, where: str) -> Any:
        if not isinstance(found, Mapping):
            refuse(found, where, "an object")
        return {key: inner(value, f"{key} of {where}") for key, value in found.items()}

    return read


def whole(found: Any, where: str) -> int:
    """A whole number."""
    return found if type(found) is int else refuse(found, where, "a whole number")


def finite(found: Any, where: str) -> float:
    """A number that is finite, whole ones too."""
    if type(found) not in (int, float) or not abs(found) <= LARGEST:
        refuse(found, where, "a number")
    return found  # type: ignore[no-any-return]


LARGEST = 1e100
"""Beyond it a square of a sum of numbers need not be finite; nothing that is measured comes near."""


def text(found: Any, where: str) -> str:
    """A text."""
    return found if isinstance(found, str) else refuse(found, where, "a text")


def yes_or_no(found: Any, where: str) -> bool:
    """True or false."""
    return found if isinstance(found, bool) else refuse(found, where, "true or false")


PLAIN: dict[Any, Reader] = {int: whole, float: finite, str: text, bool: yes_or_no}


def refuse(found: Any, where: str, allowed: str) -> Any:
    """Raise the sentence about a value that is not of its kind."""
    shown = repr(found)
    shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[: LONGEST_SHOWN - 1]}…"
    raise WrongValue(f"{where} is {shown}; allowed: {allowed}.")
