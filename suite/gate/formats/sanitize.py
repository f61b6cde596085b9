"""Texts of others made fit for a line of text, for XML and for HTML."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

from suite.gate.verdict import GateVerdict

UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, halves of surrogate pairs, and what else XML 1.0 or a terminal cannot take.

Source: XML 1.0, fifth edition, production 2 (Char); ours leaves out C1 controls as well, which terminals obey.
"""


def printable(verdict: GateVerdict) -> GateVerdict:
    """The verdict with texts that stay on one line and that XML, HTML and a terminal can take."""
    made: GateVerdict = cleaned(verdict)
    return made


def cleaned(value: Any) -> Any:
    """A value with every text in it, however deep, on one line and printable."""
    if isinstance(value, str):
        return " ".join(UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value).split())
    if isinstance(value, list | tuple):
        return type(value)(cleaned(one) for one in value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(one) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: cleaned(getattr(value, field.name)) for field in fields(value)})
    return value
