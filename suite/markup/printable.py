"""Texts from outside as one printable line, for XML, HTML and a terminal."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Control characters, halves of surrogate pairs and other characters that XML 1.0 or a terminal cannot print.

Source: XML 1.0, fifth edition, production 2 (Char). Ours also rejects C1 controls, which terminals obey, and changes of
    the direction of writing, which show a text in another order than a program reads it.
"""
NUMBERS = (int, float)
T = TypeVar("T")


def printable(value: T) -> T:
    """The value with each text on one line that XML, HTML and a terminal can print.

    Args:
        value: a text, a dataclass, or a mapping or list of such values, to any depth.
    """
    made: T = cleaned(value)
    return made


def cleaned(value: Any) -> Any:
    """The value with each text on one printable line, at any depth."""
    if isinstance(value, str):
        return " ".join(UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value).split())
    if isinstance(value, list | tuple):
        if all(type(entry) in NUMBERS for entry in value):  # rounds, of which there are many
            return value
        return type(value)(cleaned(entry) for entry in value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(entry) for key, entry in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: cleaned(getattr(value, field.name)) for field in fields(value)})
    return value
