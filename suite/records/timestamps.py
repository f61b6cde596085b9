"""Moments as records write them: ISO 8601 in UTC, to the second."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The present moment, such as `2026-01-02T03:04:05+00:00`."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def seconds_since(moment: str) -> float:
    """Seconds from a moment of `now` until the present; 0 if it is none, or to come."""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return 0.0
    return max(0.0, (datetime.now(UTC) - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds())


def for_file_name(moment: str) -> str:
    """A moment of `now` for the name of a file: `2026-01-02T03-04-05`.

    Some file systems refuse colons.
    """
    return moment.partition("+")[0].replace(":", "-")
