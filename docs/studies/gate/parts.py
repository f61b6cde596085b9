"""A part of the study: one kind of trial, how many are wanted, how many there are, and how to measure one more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One kind of trial.

    Attributes:
        stage: parts of a lower one are measured first.
        wanted: how many trials there should be; set before the first was measured.
        done: how many there are.
        longest_s: seconds that one more takes at most, about.
        measure: takes one more and keeps it; what it found, in a line.
    """

    stage: int
    wanted: int
    done: int
    longest_s: float
    measure: Callable[[], str]
