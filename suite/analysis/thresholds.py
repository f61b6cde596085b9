"""Thresholds and verdicts of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from suite.records import StepmarkError

ChangeVerdict = Literal["regression", "improvement", "no change", "inconclusive"]
VERDICTS: tuple[ChangeVerdict, ...] = ("regression", "improvement", "no change", "inconclusive")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Size of a change that matters, and the error that is allowed.

    Attributes:
        tolerance: slowdown from which a case counts as slower once it is shown to exceed it.
        margin: slowdown that a case is shown to stay under to count as no slower; above the tolerance.
        alpha: chance of any false regression among all that is judged, and of any false improvement as much again.
    """

    tolerance: float = 0.01
    margin: float = 0.05
    alpha: float = 0.01


def thresholds_of(tolerance: str, margin: str, alpha: str) -> Thresholds:
    """Limits as a user writes them, in percent.

    Raises:
        StepmarkError: one of them is no share, or the margin does not exceed the tolerance.
    """
    limits = Thresholds(share("tolerance", tolerance), share("margin", margin), share("alpha", alpha))
    if limits.margin <= limits.tolerance:
        raise StepmarkError(f"--margin is {margin}; allowed: more than the tolerance, which is {tolerance}.")
    return limits


def share(name: str, text: str) -> float:
    """A percentage as a share: `5%` or `5` is 0.05."""
    try:
        value = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise StepmarkError(f"--{name} is {text!r}; allowed: a percentage above 0 and below 100, such as 5%.")
    return value
