"""The values that a gate measures and its ledger keeps. No input or output, no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from suite.records import Case, Series

Mode = Literal["together", "bursts"]
"""Both sides at the same time, on cores of their own; or in turns."""
Kind = Literal["comparison", "control", "recheck", "trial", "size"]
"""Baseline against candidate; baseline against itself; that again, of a case whose sides seemed to differ; that, to
choose how to measure; baseline against candidate again, in turns, for the size of a large change."""
COMPARING: tuple[Kind, ...] = ("comparison", "size")
"""Kinds of blocks with a worker of each arm; the others have two of the baseline."""
KINDS: tuple[Kind, ...] = get_args(Kind)
Who = Literal["", "baseline", "candidate"]
WHO: tuple[Who, Who] = ("baseline", "candidate")


@dataclass(frozen=True, slots=True)
class Paired:
    """What one case brought in one block.

    Attributes:
        orders: 0 or 1 for each piece.
        baseline, candidate: series with as many rounds for each piece, one piece after the other.
        steps_per_round: steps between two readings of the clock; values are per step.
    """

    mode: Mode
    orders: tuple[int, ...]
    baseline: tuple[Series, ...]
    candidate: tuple[Series, ...]
    steps_per_round: int


@dataclass(frozen=True, slots=True)
class Row:
    """A case as either arm runs it.

    Attributes:
        together: whether a worker of each side can be measured at the same time, with cores of their own for both.
    """

    id: str
    baseline: Case
    candidate: Case
    together: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What one case brought in one block.

    Attributes:
        paired: rounds of both sides; None where there are none.
        reason: why there are none.
        side: which side failed.
        lost: whether a worker was ended from outside, which tells nothing of the case.
    """

    paired: Paired | None = None
    reason: str = ""
    side: Who = ""
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Ratio:
    """What a case's rounds in one block say of the change.

    Attributes:
        log_ratio: of candidate over baseline; NaN where too few pieces count.
        spread: standard error of that by the pieces alone, as if they were independent.
        pieces: that count, of `taken`.
    """

    log_ratio: float
    spread: float
    pieces: int
    taken: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block as measured.

    Attributes:
        index: from 0, over blocks of all kinds.
        seconds: that it took.
        told: by the id of the row, and the mode.
        surroundings: what others did to the machine meanwhile, one value a series; empty where not known.
        ratios: of row and mode, kept as soon as one was computed; no part of the ledger.
    """

    index: int
    kind: Kind
    seconds: float
    told: dict[str, dict[Mode, Told]]
    surroundings: tuple[Series, ...] = ()
    ratios: dict[tuple[str, Mode], Ratio] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of the memory of both sides.

    Attributes:
        index: from 0.
        seconds: that it took.
        found: by row, what was read of the baseline and of the candidate, by metric, in base units.
    """

    index: int
    seconds: float
    found: dict[str, tuple[dict[str, float], dict[str, float]]]
