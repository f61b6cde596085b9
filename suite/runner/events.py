"""Events of a run, in the order in which the scheduler yields them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from suite.records import Case, RunRecord, VisitResult


@dataclass(frozen=True, slots=True)
class Event:
    """One step of the scheduler.

    Attributes:
        case: the case that it is about.
        index: the pass, counted from 0.
        share_done: share of the whole work that is done, from 0 to 1.
    """

    case: Case
    index: int
    share_done: float


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The next turn of a visit is about to start.

    Attributes:
        step_times: gives the step times of the visit's counted rounds so far, in seconds; valid until its next turn.
    """

    step_times: Callable[[], Sequence[float]] = tuple


@dataclass(frozen=True, slots=True)
class VisitDone(Event):
    """A visit is over, with its result."""

    result: VisitResult


@dataclass(frozen=True, slots=True)
class CaseDone(Event):
    """The last visit and the instruments of a case are over.

    The record is complete.
    """

    record: RunRecord
