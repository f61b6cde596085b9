"""Moments as records write them: ISO 8601 in UTC, to the second."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The present moment, such as `2026-01-02T03:04:05+00:00`."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def for_file_name(moment: str) -> str:
    """A moment of `now` for the name of a file: `2026-01-02T03-04-05`.

    Some file systems refuse colons.
    """
    return moment.partition("+")[0].replace(":", "-")
