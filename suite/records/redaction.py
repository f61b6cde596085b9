"""Texts for publication, without names of machine, user and folders.

Records keep these names.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable
from typing import Any, TypeVar

VARIABLE = "STEPMARK_PRIVATE"
"""Environment variable that asks for it in pages that a run writes, and wherever `--private` could stand."""
HIDDEN = "hidden"
FOLDERS = re.compile(r"(?<![\w.~…-])(?:~|/(?!dev/|proc/|sys/))(?:[^\s/'\",;:]*/)+")
"""The folders of an absolute path, or of one below the home; those of the system say nothing of anybody."""
T = TypeVar("T")


def wants_redaction(option: bool) -> bool:
    """Whether names are to be left out, by the option or the variable."""
    return option or os.environ.get(VARIABLE, "") not in ("", "0")


def without_names(value: T, names: Iterable[str]) -> T:
    """A value with folders of paths removed from its texts, and names replaced.

    Args:
        value: a dataclass, mapping or list of plain values, to any depth.
        names: of the machine, and others that are nobody's business; empty ones are passed over.
    """
    words = [re.escape(name) for name in names if name]
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)") if words else None
    scrubbed: T = scrub(value, pattern)
    return scrubbed


def scrub(value: Any, names: re.Pattern[str] | None) -> Any:
    """A value without the folders of paths and without these names."""
    if isinstance(value, str):
        text = FOLDERS.sub("…/", value)
        return names.sub(HIDDEN, text) if names else text
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (field.name for field in dataclasses.fields(value) if field.init)
        return dataclasses.replace(value, **{name: scrub(getattr(value, name), names) for name in fields})
    if isinstance(value, dict):
        return {scrub(key, names): scrub(inner, names) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        if value and isinstance(value[0], float):  # rounds, of which there are many
            return value
        return type(value)(scrub(inner, names) for inner in value)
    return value


def names_of(environment: dict[str, Any]) -> list[str]:
    """The machine's name and its devices' UUIDs, as far as an environment has them."""
    machine = environment.get("machine") or {}
    return [str(machine.get("host") or ""), *map(str, machine.get("device_uuids") or ())]
