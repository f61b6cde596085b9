"""One block: every open case, measured between forks of two fresh processes.

random per block:
    which side starts first, how much of the environment is padding (it moves the stack), the order of the cases,
    the hash seed (the same on both sides)
start both processes, which import torch
for each case:
    fork a worker of each side, warm both up, measure them against each other, end both

A fresh process places its code and its stack by chance. Each block draws these places anew, so they average out.

Source: Kalibera and Jones 2013, "Rigorous benchmarking in reasonable time" (levels of replication); Mytkowicz et al.
    2009, "Producing wrong data without doing anything obviously wrong" (environment size, layout).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic

from suite.gate.arms.arm import Arm
from suite.gate.arms.code_ownership import own_plugins
from suite.gate.measuring.loaded_code import LoadedCode
from suite.gate.measuring.pair import Halves, OneFailed, answer, measure
from suite.gate.measuring.sides import BothSides, SideLauncher, SideWorker
from suite.gate.record.values import COMPARING, BlockResult, CasePair, Kind, PairResult, side_at
from suite.gate.verdict import Mode
from suite.machine.affinity import allowed_cores
from suite.machine.interference import difference, read_counters
from suite.records import Case, StepmarkError, WorkerSettings
from suite.registry import INPUTS, TUNINGS
from suite.runner.launcher import Launcher

PADDING = 4096
"""Bytes of a page: the padding of a process's environment is shorter than this."""
PADDING_VARIABLE = "STEPMARK_PADDING"
LARGEST_HASH_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """The work of one block.

    Attributes:
        rows: the case pairs, each with the modes in which the block measures it.
        case_seconds: counted rounds of each side, for one case in one mode.
        seed: of the whole gate; with the block's index it seeds the block's random choices.
    """

    index: int
    kind: Kind
    rows: Sequence[tuple[CasePair, tuple[Mode, ...]]]
    case_seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class GateSetup:
    """Arms, worker settings and plug-ins that all blocks of a gate share.

    Attributes:
        lacking: plug-ins that the baseline does not have.
        loaded: the code that the sides have loaded so far, in all blocks.
    """

    sides: tuple[Arm, Arm]
    workers: WorkerSettings
    plugins: tuple[str, ...]
    lacking: tuple[str, ...] = ()
    loaded: LoadedCode = field(default_factory=LoadedCode)

    def launchers(self, kind: Kind, chance: random.Random) -> tuple[Launcher, Launcher]:
        """Make the launchers of both sides for one block; they are not started."""
        hash_seed = str(chance.randint(0, LARGEST_HASH_SEED))
        places = (0, 1) if kind in COMPARING else (0, 0)
        first, second = (self._launcher(place, hash_seed, chance) for place in places)
        return first, second

    def trial_launchers(self) -> tuple[Launcher, Launcher]:
        """Launchers that measure nothing; that of the baseline reports what it lacks."""
        chance = random.Random(0)  # noqa: S311 - nothing is measured
        first, second = (self._launcher(place, "0", chance) for place in (0, 1))
        first.reports_levels = True
        return first, second

    def plugins_of(self, place: int) -> tuple[str, ...]:
        """The plug-ins of one side, callables with the files of its checkout."""
        there = tuple(one for one in self.plugins if place or one not in self.lacking)
        return own_plugins(there, self.sides[place].origin.watched)

    def refuse_changed(self, launchers: Sequence[SideLauncher], kind: Kind = "comparison") -> None:
        """Check that the sides load the code of earlier blocks; raises as `LoadedCode`."""
        for place, launcher in enumerate(launchers):
            self.loaded.refuse_changed(launcher.loaded_files(), place, kind)

    def _launcher(self, place: int, hash_seed: str, chance: random.Random) -> Launcher:
        side = self.sides[place]
        padding = "x" * chance.randrange(PADDING)
        own = {"PYTHONHASHSEED": hash_seed, PADDING_VARIABLE: padding, **side.origin.variables}
        return Launcher(self.workers, self.plugins_of(place), replace(side.origin, variables=own))


def measure_block(setting: BothSides, order: BlockPlan, clock_s: Callable[[], float] = monotonic) -> BlockResult:
    """Measure one block.

    Args:
        setting: the arms and how workers run.
        order: the work of the block.
        clock_s: seconds since any moment.

    Raises:
        StepmarkError: a side does not start.
        NotComparableError: a side has loaded code of another checkout, or its code has changed.
    """
    chance = random.Random(f"{order.seed} {order.index}")  # noqa: S311 - an order
    started_s = clock_s()
    before = read_counters()
    with ExitStack() as stack:
        launchers = setting.launchers(order.kind, chance)
        for launcher in launchers:
            stack.enter_context(launcher)
        start(launchers, chance.randrange(2), order.kind)
        rows = list(order.rows)
        chance.shuffle(rows)
        results = {
            row.id: {mode: measure_pair(launchers, row, order, mode, setting.workers.threads, chance) for mode in modes}
            for row, modes in rows
        }
        after = read_counters()
        refuse_strays(launchers, order.kind)
        setting.refuse_changed(launchers, order.kind)
    interference = difference(before, after) if before and after else None
    surroundings = interference.series() if interference else ()
    return BlockResult(order.index, order.kind, clock_s() - started_s, results, surroundings)


def start(launchers: tuple[SideLauncher, SideLauncher], first: int, kind: Kind = "comparison") -> None:
    """Start both sides, `first` first, and wait for both.

    Raises:
        StepmarkError: a side does not start; the text names it.
    """
    for wait in (False, True):
        for place in (first, 1 - first):
            try:
                (launchers[place].start if wait else launchers[place].launch)()
            except StepmarkError as error:
                raise of_side(error, place, kind) from error


def refuse_strays(launchers: tuple[SideLauncher, SideLauncher], kind: Kind = "comparison") -> None:
    """Check the modules that both sides have loaded so far.

    Raises:
        NotComparableError: a side has loaded code of another checkout.
    """
    for place, launcher in enumerate(launchers):
        try:
            launcher.refuse_strays()
        except StepmarkError as error:
            raise of_side(error, place, kind) from error


def of_side(error: StepmarkError, place: int, kind: Kind) -> StepmarkError:
    """The error, with the name of its side."""
    return type(error)(f"the {side_at(place, kind)} cannot be measured: {error}")


def measure_pair(
    launchers: tuple[SideLauncher, SideLauncher],
    row: CasePair,
    order: BlockPlan,
    mode: Mode,
    threads: int,
    chance: random.Random,
) -> PairResult:
    """Measure one case in one mode; a failure is a result with its reason."""
    cases = (row.baseline, row.candidate if order.kind in COMPARING else row.baseline)
    workers: dict[int, SideWorker] = {}
    first = chance.randrange(2)
    try:
        for place in (first, 1 - first):
            workers[place] = answer(place, partial(launchers[place].start_worker, cases[place]))
        for place in (0, 1):
            answer(place, workers[place].wait_ready)
        halves = halves_of(threads_of(row.baseline, threads), chance)
        return PairResult(measure((workers[0], workers[1]), mode, order.case_seconds, halves, chance))
    except OneFailed as failed:
        return PairResult(reason=str(failed), side=side_at(failed.place, order.kind), lost=failed.lost)
    finally:
        for worker in workers.values():
            worker.end()


def halves_of(threads: int, chance: random.Random) -> Halves:
    """Two disjoint random sets of `threads` cores; smaller if cores are missing."""
    cores = allowed_cores()
    chance.shuffle(cores)
    return Halves(tuple(cores[:threads]), tuple(cores[threads : 2 * threads]))


def threads_of(case: Case, threads: int) -> int:
    """Threads of a case: the number of its tuning, or else that of all workers."""
    own: int = TUNINGS[case.tuning].attributes.get("threads", threads)
    return own


def can_be_concurrent(cases: tuple[Case, Case], threads: int) -> bool:
    """Whether both sides can be measured at the same time, each on separate cores.

    Args:
        cases: of the baseline and of the candidate.
        threads: of a worker.
    """
    alone = all(case.execution == "cpu" and not INPUTS[case.input].attributes.get("workers") for case in cases)
    return alone and 2 * max(threads_of(case, threads) for case in cases) <= len(allowed_cores())
