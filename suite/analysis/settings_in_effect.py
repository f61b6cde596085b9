"""Settings that a run asked for and that did not hold in its workers."""

from __future__ import annotations

from typing import Any

from suite.machine.priority import HIGHEST


def unmet_settings(environment: dict[str, Any]) -> list[str]:
    """A sentence for each setting that did not hold, by a record's environment."""
    return [text for text in (of_allocator(environment), of_priority(environment)) if text]


def of_allocator(environment: dict[str, Any]) -> str:
    """Whether the workers had the allocator that was asked for."""
    allocator = environment.get("allocator") or {}
    wanted, effective = allocator.get("name"), allocator.get("effective")
    if wanted is None or effective in (None, wanted):
        return ""
    if effective in ("steady", "default"):
        does = "keeps freed memory" if effective == "steady" else "gives freed memory back to the kernel"
        return f"the allocator {wanted!r} did not hold: the allocator of the workers {does}"
    return f"the allocator {wanted!r} did not hold: the workers had {effective}; unset LD_PRELOAD for glibc's own"


def of_priority(environment: dict[str, Any]) -> str:
    """Whether the workers went before other processes, where that was asked for."""
    priority = environment.get("priority") or {}
    nice = priority.get("nice")
    if priority.get("wanted") != "high" or nice is None or nice == HIGHEST:
        return ""
    return f"the priority 'high' was not granted: the workers had nice {nice}, not {HIGHEST}"
