"""The values that flow through Stepmark: frozen, without input or output.

`Case -> (training) -> TrainingStep -> (recorder) -> Rounds -> (scheduler) -> RunRecord -> (store) -> Run -> pages`
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, Literal

from suite.records.factors import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_EPOCHS,
    DEFAULT_IMAGE_SIZE,
    DEFAULT_INPUT,
    DEFAULT_MODE,
    DEFAULT_SCHEDULE,
    DEFAULT_TASK,
    DEFAULT_TUNING,
    FACTORS,
    INFER,
    LEARN,
)
from suite.records.rounds import Rounds, Series, values_of

Outcome = Literal["measured", "skipped", "failed"]
Stop = Literal["precision", "time", "epochs"]

TESTS = {
    DEFAULT_MODE: "cases/test_training_step.py::test_training_step",
    INFER: "cases/test_training_step.py::test_training_step",
    LEARN: "cases/test_learning.py::test_learning",
}
"""The test that replays the cases of a mode; with `[id]` behind it, pytest's name for one of them."""
SURVEYS = ("all", "none")
"""Instruments that measure a case after it is timed."""
NUM_CLASSES = 10
"""Classes (K) of every network of the matrix, as in MNIST and CIFAR-10."""


@dataclass(frozen=True)
class Case:
    """One combination of levels and sizes: the unit that is measured.

    `levels` of the factors are names in the registries; sizes are examples per batch (N) and pixels per side (H = W).
    Tasks without images have the default image size.
    Schedule of the learning rate and number of epochs are those of learning cases; others have the default.
    """

    structure: str
    optimizer: str
    execution: str
    tuning: str = DEFAULT_TUNING
    input: str = DEFAULT_INPUT
    batch_size: int = DEFAULT_BATCH_SIZE
    image_size: int = DEFAULT_IMAGE_SIZE
    mode: str = DEFAULT_MODE
    seed: int = 0
    schedule: str = DEFAULT_SCHEDULE
    epochs: int = DEFAULT_EPOCHS
    task: str = DEFAULT_TASK

    @cached_property
    def id(self) -> str:
        """`<structure>-<optimizer>-<execution>`, and a `-<word>` for each non-default."""
        words = [factor.word_of(self) for factor in FACTORS]
        if self.seed:
            words.append(f"s{self.seed}")
        return "-".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Settings of each worker process of a run or a gate.

    Attributes:
        threads: threads of torch within an operation (`torch.set_num_threads`).
        allocator: `steady` or `default`; see `suite.machine.allocators.ALLOCATORS`.
        priority: `high` or `normal`; see `suite.machine.priority`.
        case_timeout: seconds after which a worker that has not answered is ended and its case failed.
    """

    threads: int = 1
    allocator: str = "steady"
    priority: str = "high"
    case_timeout: float = 120.0


WORKER_FIELDS = frozenset(one.name for one in fields(WorkerSettings))
"""Names by which a file or an option sets a worker, not the plan."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """How a run measures each of its cases.

    Attributes:
        passes: visits to every case, each in a fresh worker; at least 1.
        target_precision: half-width of the interval of the median, relative to it, at which a visit ends;
            0.02 is 2 %. Small values measure longer.
        case_seconds: time allowed for the counted rounds of one case, all passes together.
        warmup_seconds: time after which a visit stops to wait for steadiness and counts its rounds.
        round_seconds: shortest round; steps that take less are repeated within a round until it is filled.
        abreast: cases whose workers live at the same time and take turns, so that a slow minute of the machine slows
            all of them; 1 measures each to its end before the next. Every worker holds its network in memory.
        order_seed: seeds the order of the cases in each pass.
        surveys: `all` or `none`; see `suite.measuring.instruments`.
    """

    passes: int = 3
    target_precision: float = 0.02
    case_seconds: float = 4.0
    warmup_seconds: float = 1.0
    round_seconds: float = 0.01
    abreast: int = 8
    order_seed: int = 0
    surveys: str = "all"


@dataclass(frozen=True, slots=True)
class Visit:
    """One pass's stay with a case: one fresh worker, from its fork to its end.

    Attributes:
        index: the pass, counted from 0.
        turns: counted rounds in each turn, in order; workers that live at the same time take turns. The series of the
            case hold the turns of all visits one after the other.
        warmup_rounds: rounds before the first counted one.
        steps_per_round: steps between two readings of the clock; values are per step.
        started_s: seconds from the start of the run to the fork of the worker.
        seconds: spent on this visit: fork, warm-up, turns and end, without the turns of others in between.
        overhead_s: the part of `seconds` in which neither warm-up nor counted rounds ran.
        stopped_by: `precision` where the target was reached, `time` where the allowance was spent first, `epochs`
            where a learning case had all its epochs.
        precision: relative half-width of the interval of this visit's median at its end; None with too few rounds.
        steady: whether the warm-up ended because the step time was steady.
        neighbour: process outside this run that used most of the cores during the visit; empty where none did much.
        first_turn: the group's turn in which the first of `turns` was taken; above 0 where the worker was replaced.
    """

    index: int
    turns: tuple[int, ...]
    warmup_rounds: int
    steps_per_round: int
    started_s: float
    seconds: float
    overhead_s: float
    stopped_by: Stop
    precision: float | None
    steady: bool
    neighbour: str = ""
    first_turn: int = 0

    @property
    def rounds(self) -> int:
        """Counted rounds in this visit."""
        return sum(self.turns)


@dataclass(frozen=True, slots=True)
class VisitResult:
    """The result of one visit: rounds, or the reason why there are none.

    Attributes:
        turns: the rounds of each turn, as many as `visit.turns` says.
        warmup: rounds before the first counted one, and at the start of each turn.
        per_visit: series with one value.
    """

    visit: Visit | None
    turns: tuple[Rounds, ...] = ()
    warmup: Rounds = field(default_factory=Rounds)
    attributes: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    failure: str = ""
    per_visit: tuple[Series, ...] = ()

    @property
    def rounds(self) -> Rounds:
        """The rounds of all turns."""
        return Rounds.concat(self.turns)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The raw rounds of one case over all its visits. No statistics inside.

    Attributes:
        series, warmup: one value for each round that counts, or that came before.
        per_visit: one value for each visit, such as the time that compilation took before its first round.
        surveyed: series of the instruments, which measured after the step time; each has another length.
    """

    series: tuple[Series, ...]
    warmup: tuple[Series, ...]
    visits: tuple[Visit, ...]
    warnings: tuple[str, ...] = ()
    per_visit: tuple[Series, ...] = ()
    surveyed: tuple[Series, ...] = ()

    def instrument_values(self, metric: str) -> tuple[float, ...]:
        """The values of `metric` that an instrument measured; empty without."""
        return values_of(self.surveyed, metric)

    def visit_values(self, metric: str) -> tuple[float, ...]:
        """The values of `metric`, one for each visit; empty where it was not taken."""
        return values_of(self.per_visit, metric)

    def values(self, metric: str) -> tuple[float, ...]:
        """The kept rounds of `metric`, visit after visit; empty if not taken."""
        return values_of(self.series, metric)

    def warmup_values(self, metric: str) -> tuple[float, ...]:
        """The warm-up's rounds of `metric`, visit after visit; empty if not taken."""
        return values_of(self.warmup, metric)

    def by_visit(self, metric: str) -> list[tuple[float, ...]]:
        """The counted rounds of `metric`, split by visit; empty if not taken."""
        return self._split(metric, (visit.rounds for visit in self.visits))

    def by_turn(self, metric: str) -> list[tuple[float, ...]]:
        """The counted rounds of `metric`, split by turn; empty if not taken."""
        return self._split(metric, (rounds for visit in self.visits for rounds in visit.turns))

    def _split(self, metric: str, lengths: Iterable[int]) -> list[tuple[float, ...]]:
        values = self.values(metric)
        if not values:
            return []
        return [values[start:end] for start, end in pairwise(accumulate(lengths, initial=0))]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The outcome of one case; a skipped or failed one has a reason."""

    case: Case
    outcome: Outcome
    reason: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    measurement: Measurement | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a record: what was planned, how, and where.

    Attributes:
        workers: settings of its worker processes.
        planned: ids of the cases that the run set out to measure, in the order of the matrix.
        selection: what a second run needs to find the same cases: profile, profiles file, plug-ins.
        environment: facts about host, software, container and commit, as nested plain values.
    """

    run_id: str
    started_at: str
    plan: RunPlan
    workers: WorkerSettings
    planned: tuple[str, ...]
    selection: dict[str, Any]
    environment: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Footer:
    """The last line of a complete record."""

    finished_at: str
    counts: dict[str, int]
    environment: dict[str, Any] = field(default_factory=dict)
    resumed: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A record as read: complete where it has a footer, interrupted otherwise."""

    header: Header
    cases: tuple[RunRecord, ...]
    footer: Footer | None
    warnings: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Ids of planned cases that have no outcome yet."""
        done = {record.case.id for record in self.cases}
        return tuple(case_id for case_id in self.header.planned if case_id not in done)
