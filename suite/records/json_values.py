"""Any value as a value of JSON: attributes of a user's level may be anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from typing import Any

LONGEST_TEXT = 200
"""Characters of a value's own text; a tensor's may have thousands."""
MOST_VALUES = 100
"""Values of a list or a mapping that are kept one by one."""
DEEPEST = 5
"""Lists and mappings within each other; beyond, and in a circle, there is text."""


def plain(value: Any, depth: int = DEEPEST) -> Any:
    """A value of JSON: the value, a number in a tensor, a callable's name, or text."""
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping) and depth and len(value) <= MOST_VALUES:
        return {key if type(key) is str else text_of(key): plain(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth and len(value) <= MOST_VALUES:
        ordered = sorted(value, key=text_of) if isinstance(value, set | frozenset) else value
        return [plain(one, depth - 1) for one in ordered]
    if isinstance(value, partial | type) or (callable(value) and hasattr(value, "__qualname__")):
        return name_of(value)
    return number_in(value, depth)


def name_of(function: Callable[..., Any]) -> str:
    """The name of a function or class; of a `partial`, that of what it calls."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def number_in(value: Any, depth: int) -> Any:
    """The number in a tensor or array of one element; the text of anything else."""
    try:
        item = value.item()
    except Exception:  # noqa: BLE001 - it has none, has many elements, or is a user's own
        return text_of(value)
    return plain(item, depth - 1) if depth and item is not value else text_of(value)


def text_of(value: Any) -> str:
    """A value's own text, on one line and of bounded length."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - the text of a user's own class
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
