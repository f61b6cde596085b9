"""The values that an option may have, as text and in a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PERCENT_NEIGHBOURS = 4
"""Floats on either side of a percentage that are tried for one that gives the share exactly."""


def shortest_text(value: float) -> str:
    """The shortest text that reads as this number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


@dataclass(frozen=True, slots=True)
class Kind:
    """The values that an option may have.

    Attributes:
        read: text -> value; raises ValueError where the text is not allowed.
        write: value -> the shortest text that reads as the value.
        allowed: the allowed values, in words.
        in_file: the type of a value in a file of TOML.
    """

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    allowed: str
    in_file: Any = str


def whole_number(least: int) -> Kind:
    """Whole numbers from the least on."""

    def read(text: str) -> int:
        value = int(text)
        if value < least:
            raise ValueError(text)
        return value

    return Kind(read, str, f"a whole number from {least}", int)


def above_zero(text: str) -> float:
    """A finite number above 0.

    Raises:
        ValueError: the text is none.
    """
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(text)
    return value


def percent(share: float) -> str:
    """A share as a percentage that `PERCENT` reads as the same share."""
    low = high = share * 100
    for _ in range(PERCENT_NEIGHBOURS):
        for candidate in (low, high):
            if candidate / 100 == share:
                return shortest_text(candidate)
        low, high = math.nextafter(low, 0), math.nextafter(high, math.inf)
    return shortest_text(share * 100)


def one_of(words: Sequence[str]) -> Kind:
    """Any of these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Kind(read, str, ", ".join(words))


NUMBER_OR_TEXT = int | float | str
"""Type in a file of a value with or without its unit, such as `2` and `"2%"`."""
COUNT = whole_number(1)
SEED = whole_number(0)
SECONDS = Kind(above_zero, shortest_text, "a number of seconds above 0", int | float)
PERCENT = Kind(
    lambda text: above_zero(text.removesuffix("%")) / 100,
    percent,
    "a percentage above 0, such as 2",
    NUMBER_OR_TEXT,
)
