"""What an examination comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["fine", "disturbs", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what was looked at.
        state: `disturbs` where it makes step times differ from run to run, or from those of another machine, by more
            than a little.
        found: what it is here.
        advice: what to do about it; empty where nothing is to be done.
    """

    name: str
    state: State
    found: str
    advice: str = ""


def fine(name: str, found: str) -> Finding:
    """Nothing is to be done."""
    return Finding(name, "fine", found)


def disturbs(name: str, found: str, advice: str) -> Finding:
    """Something may be done."""
    return Finding(name, "disturbs", found, advice)


def unknown(name: str, found: str) -> Finding:
    """The machine does not tell."""
    return Finding(name, "unknown", found)
