"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["fine", "disturbs", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        name: the subject of the check.
        state: `disturbs` if it makes step times differ from run to run, or from those of another machine.
        found: the value on this machine, as text.
        advice: a command or change that helps; empty if nothing is to be done.
    """

    name: str
    state: State
    found: str
    advice: str = ""


def fine(name: str, found: str) -> Finding:
    """A finding that needs no action."""
    return Finding(name, "fine", found)


def disturbs(name: str, found: str, advice: str) -> Finding:
    """A finding with advice."""
    return Finding(name, "disturbs", found, advice)


def unknown(name: str, found: str) -> Finding:
    """A finding about a value that this machine does not give."""
    return Finding(name, "unknown", found)
