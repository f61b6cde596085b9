"""Whether two runs met the same machine and software: facts of their environments that have to agree."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

TO_RESUME = ("machine", "software", "container", "torchrun")
"""Parts of the environment that have to be the same for a run to be resumed."""
TO_COMPARE = ("machine", "software", "container", "threads", "allocator", "priority")
"""Parts that have to be the same for two runs to be compared."""
OF_NO_MATTER = ("machine.host", "software.stepmark", "software.lock_sha256")
"""Facts of those that may differ all the same when runs are compared: a container has a new host's name each time."""


def differences(
    before: dict[str, Any], after: dict[str, Any], parts: Collection[str], *, besides: Collection[str] = ()
) -> list[str]:
    """Facts in these parts that differ between two environments, as `machine.host: a, now b`.

    Args:
        before: one of them.
        after: the other.
        parts: their parts that are looked at.
        besides: facts that may differ.
    """
    found: list[str] = []
    for part in sorted(parts):
        found += differing(before.get(part), after.get(part), part, besides)
    return found


def differing(old: Any, new: Any, name: str, besides: Collection[str]) -> list[str]:
    """What differs within one fact, which may hold others."""
    if old == new or name in besides:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [text for key in keys for text in differing(old.get(key), new.get(key), f"{name}.{key}", besides)]
    return [f"{name}: {old}, now {new}"]
