"""The values that a gate measures and keeps, with the ratio of each pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any, Literal, get_args

from suite.analysis.thresholds import Thresholds
from suite.gate.record.paired_rounds import PairedRounds, Ratio, ratio_of
from suite.gate.verdict import Mode
from suite.records import Case, Series, WorkerSettings
from suite.records.rounds import STEP_TIME

Kind = Literal["comparison", "control", "recheck", "trial", "size"]
"""Baseline against candidate; baseline against itself; that again, of a case whose sides seemed to differ; that, to
choose how to measure; baseline against candidate again, in turns, for the size of a large change."""
COMPARING: tuple[Kind, ...] = ("comparison", "size")
"""Kinds of blocks with a worker of each arm; the others have two of the baseline."""
KINDS: tuple[Kind, ...] = get_args(Kind)
Side = Literal["", "baseline", "candidate"]
SIDES: tuple[Side, Side] = ("baseline", "candidate")


def side_at(place: int, kind: Kind) -> Side:
    """The side at a place in a block; a control block has the baseline twice."""
    return SIDES[place if kind in COMPARING else 0]


@dataclass(frozen=True, slots=True)
class CasePair:
    """A case as either arm runs it.

    Attributes:
        concurrent: whether workers of both sides can be measured at the same time, each on separate cores.
        on_device: whether a side computes on a device, whose workers take longer to start.
    """

    id: str
    baseline: Case
    candidate: Case
    concurrent: bool
    on_device: bool = False


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
        failed: by row, the side that could not be read, and why.
    """

    index: int
    seconds: float
    found: dict[str, tuple[dict[str, int | float], dict[str, int | float]]]
    failed: dict[str, tuple[Side, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GatePlan:
    """The plan of a gate: arms, cases, limits and budget.

    Attributes:
        arms: what each side turned out to be, by `baseline` and `candidate`.
        levels: name of a level -> ids of the rows that have it.
        left_out: id of a case -> why it cannot be compared at all.
        memory_tolerance: growth of memory from which it counts as a regression.
        budget_s: seconds that it may take.
        selection: profile, profiles file, plug-ins, expression: what `resume` needs to find the same again.
        identical: whether both arms are the same code.
    """

    started_at: str
    arms: dict[str, dict[str, Any]]
    rows: tuple[CasePair, ...]
    levels: dict[str, tuple[str, ...]]
    left_out: dict[str, str]
    limits: Thresholds
    memory_tolerance: float
    metrics: tuple[str, ...]
    budget_s: float
    workers: WorkerSettings
    seed: int
    selection: dict[str, Any]
    environment: dict[str, Any]
    identical: bool = False


@dataclass(slots=True)
class GateRecord:
    """A record as read, or while it grows.

    Attributes:
        finished: whether it came to its end; else it was interrupted, or still runs.
        loaded: hashes of files from which the sides have loaded modules, by path.
    """

    planned: GatePlan
    blocks: list[BlockResult] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    finished: bool = False
    loaded: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Spent on blocks and readings."""
        return sum(one.seconds for one in self.blocks) + sum(one.seconds for one in self.readings)

    def add(self, one: BlockResult | Reading) -> None:
        """Add a block or a reading that has been measured and kept."""
        if isinstance(one, BlockResult):
            self.blocks.append(one)
        else:
            self.readings.append(one)

    def of(self, kind: str) -> Iterator[BlockResult]:
        """Blocks of a kind, in order."""
        return (block for block in self.blocks if block.kind == kind)


def step_time(series: tuple[Series, ...]) -> float:
    """Median step time in seconds of one side's rounds."""
    return median(next(one.values for one in series if one.metric.name == STEP_TIME))
