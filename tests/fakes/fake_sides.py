"""Both sides of a gate whose workers answer at once, with the step times that a test gives them."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from suite.analysis.thresholds import Thresholds
from suite.contracts.probes import STEP_TIME
from suite.gate.deciding.attribution import levels_of
from suite.gate.record.values import COMPARING, CasePair, GatePlan, Kind
from suite.records import Case, Metric, Rounds, Series, WorkerSettings
from suite.registry import load_levels
from suite.runner.worker_handle import BarrierEnd, WorkerFailed, WorkerLost

if TYPE_CHECKING:
    from suite.gate.measuring.sides import BothSides

load_levels()

CPU = Metric("cpu_time", "s", "lower", "Time on cores.")
QUEUE = Metric("queue_time", "s", "lower", "Time spent queueing.")
CASES = [Case(structure, optimizer, "cpu") for structure in ("seed_cnn", "mlp_d2w128") for optimizer in ("sgd", "adam")]
ROWS = tuple(CasePair(case.id, case, case, concurrent=True) for case in CASES)
STEP_S = 0.01


class Request(NamedTuple):
    """Rounds that a side's worker was asked for; the cores of its rounds in turns, none if the sides alternate."""

    side: int
    case_id: str
    steps_per_round: int
    rounds: int
    cores: tuple[tuple[int, ...], ...]


@dataclass
class FakeSides:
    """Stands in for `suite.gate.measuring.block.GateSetup`.

    Attributes:
        slower: relative slowdown of a case's candidate.
        second_place: the same of the second of two workers, also of identical code.
        noise: standard deviation of a worker's log step time.
        off: (block of any kind from 0, side, case id) -> relative slowdown of that worker, as a neighbour may bring.
        raises: (block of any kind from 0, side, case id) -> what its worker raises when it is asked for rounds.
        fails: (side, case id) -> why its worker cannot make the step.
        killed: (reading of memory from 0, side, case id) of each worker that is killed while it reads memory.
        memory: (side, case id) -> bytes of the peak above 100 MB; a number's own noise is 0.1 %.
        reads: (side, case id) -> values that its step reads; None where its code does not count them.
        before_block: called with the block's number before it is measured.
        readings: (side, case id) -> last reading of its memory.
        requests: all rounds that workers were asked for, in order.
    """

    slower: dict[str, float] = field(default_factory=dict)
    second_place: float = 0.0
    noise: float = 0.003
    off: dict[tuple[int, int, str], float] = field(default_factory=dict)
    raises: dict[tuple[int, int, str], WorkerFailed] = field(default_factory=dict)
    fails: dict[tuple[int, str], str] = field(default_factory=dict)
    killed: set[tuple[int, int, str]] = field(default_factory=set)
    readings: dict[tuple[int, str], int] = field(default_factory=dict)
    memory: dict[tuple[int, str], float] = field(default_factory=dict)
    reads: dict[tuple[int, str], int | None] = field(default_factory=dict)
    before_block: Callable[[int], None] = lambda _: None
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    blocks: int = -1
    events: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def launchers(self, kind: Kind, chance: random.Random) -> tuple["FakeLauncher", "FakeLauncher"]:
        self.blocks += 1
        self.before_block(self.blocks)
        return FakeLauncher(self, 0, kind, chance), FakeLauncher(self, 1, kind, chance)

    def refuse_changed(self, launchers: object, kind: Kind = "comparison") -> None:
        pass


@dataclass
class FakeLauncher:
    """The source of one side's fake workers in one block."""

    sides: FakeSides
    place: int
    kind: Kind
    chance: random.Random

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def launch(self) -> None:
        pass

    def start(self) -> None:
        pass

    def refuse_strays(self) -> None:
        pass

    def loaded_files(self) -> list[tuple[Path, str]]:
        return []

    def start_worker(self, case: Case) -> "FakeSideWorker":
        self.sides.events.append(f"{self.kind} {self.place} {case.id}")
        factor = 1 + self.sides.second_place * self.place
        if self.kind in COMPARING and self.place == 1:
            factor *= 1 + self.sides.slower.get(case.id, 0.0)
        factor *= 1 + self.sides.off.get((self.sides.blocks, self.place, case.id), 0.0)
        return FakeSideWorker(self, case, STEP_S * factor * (1 + self.chance.gauss(0, self.sides.noise)))

    def start_instrument(self, case: Case, name: str) -> "FakeSideWorker":
        self.sides.events.append(f"survey of {name} {self.place} {case.id}")
        return FakeSideWorker(self, case, 0.0)


@dataclass
class FakeSideWorker:
    """One side's worker of a case."""

    launcher: FakeLauncher
    case: Case
    step_s: float
    asked: int = 0

    def wait_ready(self) -> None:
        side = self.launcher.place if self.launcher.kind in COMPARING else 0
        reason = self.launcher.sides.fails.get((side, self.case.id))
        if reason:
            raise WorkerFailed(reason)

    def ask(self, *, seconds: float, steps_per_round: int, min_rounds: int, barrier: BarrierEnd | None = None) -> None:
        assert seconds == 0.0, "a gate asks for rounds by their number"
        cores = barrier.cores if barrier else ()
        self.launcher.sides.requests.append(
            Request(self.launcher.place, self.case.id, steps_per_round, min_rounds, cores)
        )
        self.asked = min_rounds

    def rounds(self) -> Rounds:
        sides = self.launcher.sides
        raised = sides.raises.get((sides.blocks, self.launcher.place, self.case.id))
        if raised:
            raise raised
        times = tuple(self.step_s * (1 + self.launcher.chance.gauss(0, 0.002)) for _ in range(self.asked))
        return Rounds((Series(STEP_TIME, times), Series(CPU, times), Series(QUEUE, (0.0,) * self.asked)))

    def measure(self, *, seconds: float, steps_per_round: int, min_rounds: int) -> Rounds:
        self.ask(seconds=seconds, steps_per_round=steps_per_round, min_rounds=min_rounds)
        return self.rounds()

    def instrument_series(self) -> tuple[Series, ...]:
        self.wait_ready()
        place = (self.launcher.place, self.case.id)
        sides = self.launcher.sides
        reading = sides.readings[place] = sides.readings.get(place, -1) + 1
        if (reading, *place) in sides.killed:
            raise lost()
        peak = 100e6 + sides.memory.get(place, 0.0) + self.launcher.chance.gauss(0, 0.1e6)
        told = {"memory_before_made": 50e6, "memory_peak_steady": 50e6 + peak, "allocations": 40.0}
        reads = sides.reads.get(place, 0)
        told |= {} if reads is None else {"host_reads": reads}
        return tuple(Series(Metric(name, "B", "lower", "Made."), (value,)) for name, value in told.items())

    def end(self) -> None:
        self.launcher.sides.events.append(f"end {self.launcher.place} {self.case.id}")


@dataclass
class FakeClock:
    """A clock that goes forward by `block_s` seconds before each block; hand it to `FakeSides` and to the runner."""

    block_s: float
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s

    def before_block(self, _: int) -> None:
        self.now_s += self.block_s


if TYPE_CHECKING:
    LIKE_THE_REAL_ONES: BothSides = FakeSides()


def lost() -> WorkerLost:
    """The error of a worker that was killed."""
    return WorkerLost("the worker was killed by signal 9 (SIGKILL), from outside or for want of memory")


def planned(**changes: Any) -> GatePlan:
    """A plan for `ROWS`."""
    plan = GatePlan(
        started_at="2026-01-01T00:00:00+00:00",
        arms={"baseline": {"text": "rev:a"}, "candidate": {"text": "dir:."}},
        rows=ROWS,
        levels=levels_of(ROWS),
        left_out={},
        limits=Thresholds(),
        memory_tolerance=0.02,
        metrics=("step_time", "peak_memory", "allocations", "host_reads"),
        budget_s=3600.0,
        workers=WorkerSettings(),
        seed=7,
        selection={"profile": "made", "profiles_file": "profiles.toml"},
        environment={"machine": {"processor": "made", "cores_usable": 2}},
    )
    return replace(plan, **changes)
