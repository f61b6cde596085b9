"""The values that a gate measures and keeps, with the ratio of each pair."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Literal, get_args

from suite.gate.record.paired_rounds import Mode, PairedRounds, Ratio, ratio_of
from suite.records import Case, Series
from suite.records.rounds import STEP_TIME

Kind = Literal["comparison", "control", "recheck", "trial", "size"]
"""Baseline against candidate; baseline against itself; that again, of a case whose sides seemed to differ; that, to
choose how to measure; baseline against candidate again, in turns, for the size of a large change."""
COMPARING: tuple[Kind, ...] = ("comparison", "size")
"""Kinds of blocks with a worker of each arm; the others have two of the baseline."""
KINDS: tuple[Kind, ...] = get_args(Kind)
Side = Literal["", "baseline", "candidate"]
SIDES: tuple[Side, Side] = ("baseline", "candidate")


@dataclass(frozen=True, slots=True)
class CasePair:
    """A case as either arm runs it.

    Attributes:
        together: whether workers of both sides can be measured at the same time, each on separate cores.
    """

    id: str
    baseline: Case
    candidate: Case
    together: bool


@dataclass(frozen=True)
class PairResult:
    """The result of one case in one block.

    Attributes:
        paired: rounds of both sides; None where there are none.
        reason: why there are none.
        side: which side failed.
        lost: whether a worker was killed, which says nothing about the case.
    """

    paired: PairedRounds | None = None
    reason: str = ""
    side: Side = ""
    lost: bool = False

    @cached_property
    def ratio(self) -> Ratio | None:
        """The ratio of the step times, computed once.

        None without rounds; its `log_ratio` is NaN if others disturbed too many of them.
        """
        return ratio_of(self.paired) if self.paired else None

    @cached_property
    def medians(self) -> tuple[float, float] | None:
        """Median step times of the baseline and of the candidate; None without rounds."""
        if self.paired is None:
            return None
        return step_time(self.paired.baseline), step_time(self.paired.candidate)


@dataclass(frozen=True)
class BlockResult:
    """A block as measured.

    Attributes:
        index: from 0, over blocks of all kinds.
        seconds: that it took.
        results: by the id of the case and the mode.
        surroundings: interference by others during the block, one value a series; empty if not known.
    """

    index: int
    kind: Kind
    seconds: float
    results: dict[str, dict[Mode, PairResult]]
    surroundings: tuple[Series, ...] = ()

    @cached_property
    def pairs(self) -> dict[str, PairResult]:
        """The result of each row. A trial has one for each mode: the first of them."""
        return {row: next(iter(by_mode.values())) for row, by_mode in self.results.items() if by_mode}

    @cached_property
    def log_ratios(self) -> dict[str, float]:
        """Log ratio of each row that has rounds; NaN if others disturbed too many of them."""
        return {row: pair.ratio.log_ratio for row, pair in self.pairs.items() if pair.ratio}

    @property
    def has_lost(self) -> bool:
        """Whether a worker was killed before it had measured its case."""
        return any(pair.lost for by_mode in self.results.values() for pair in by_mode.values())


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
    found: dict[str, tuple[dict[str, int | float], dict[str, int | float]]]


def step_time(series: tuple[Series, ...]) -> float:
    """Median step time in seconds of one side's rounds."""
    return median(next(one.values for one in series if one.metric.name == STEP_TIME))
