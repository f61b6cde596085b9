"""One visit: fork, warm-up, turns, end. The scheduler interleaves several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from statistics import median
from time import monotonic
from typing import Any, Protocol

from suite.analysis.estimates import estimate, is_steady, kept_of_turns
from suite.records import Case, Rounds, RunPlan, Series, Stop, Visit, VisitResult
from suite.runner.worker_handle import WorkerFailed, WorkerLost

FIRST_ROUNDS = 3
"""Rounds of one step at the start of a stay: lazily made primitives and optimizer state are in the first two."""
WARMUP_CHUNK_S = 0.1
"""Seconds of one stretch of warm-up; two successive ones are compared."""
WARMUP_CHUNK_ROUNDS = 3
WARM_S = 0.03
"""Seconds at the start of a turn whose rounds belong to the warm-up: the worker was blocked while others took their
turns, and their data fill the caches. One round at least: a long step warms the caches itself."""
TURN_S = 0.04
"""Seconds of rounds that count in one turn: short, since rounds of one turn meet the same machine and add little to one
of them (docs/decisions/0009)."""
TURN_ROUNDS = 2
"""Rounds of one turn, however long a step lasts: one that warms and one that counts."""
MIN_TURNS = 8
"""Turns before the precision reached is believed."""
DEVICE_ROUND_S = 0.05
"""Shortest round on a device. The clock waits for the device at both ends of a round, and while the host gives out the
first step the device is idle: up to 0.1 ms, which training pays once and not at every step."""
MAX_STEPS_PER_ROUND = 1000
CALLS_TO_TURN = 2
"""Calls of `advance` up to the first turn, that one included, where no worker is replaced."""
ATTEMPTS = 2
"""Workers for one visit: one that was killed is replaced once."""


class Worker(Protocol):
    """A process that measures one case; see `suite.runner.worker_handle.WorkerHandle`."""

    attributes: dict[str, Any]
    visit_series: tuple[Series, ...]

    def measure(self, *, seconds: float, steps_per_round: int, min_rounds: int) -> Rounds:
        """Rounds, measured now."""
        ...

    def end(self) -> object:
        """End the process."""
        ...


class Workers(Protocol):
    """Source of workers; see `suite.runner.launcher.Launcher`."""

    def renew(self) -> None:
        """Have the workers of the next pass come from a process that has not made any."""
        ...

    def fork(self, case: Case) -> Worker:
        """A fresh worker that has made the training step of `case`."""
        ...

    def run_instrument(self, case: Case, name: str) -> tuple[Series, ...]:
        """The series of an instrument for `case`."""
        ...


class VisitRunner:
    """The visit of one worker to one case in one pass; over with a `result`.

    Args:
        started_s: seconds from the start of the run.
    """

    def __init__(self, case: Case, index: int, plan: RunPlan, workers: Workers, started_s: float) -> None:
        self.case = case
        self.index = index
        self.result: VisitResult | None = None
        self._plan = plan
        self._workers = workers
        self._started_s = started_s
        self._allowed_s = plan.case_seconds / plan.passes
        self._warnings: tuple[str, ...] = ()
        self._attempts = 0
        self._calls = 0
        self._reset()

    def _reset(self) -> None:
        self._worker: Worker | None = None
        self._seconds = 0.0
        self._warmup = Rounds()
        self._warmup_s = 0.0
        self._steady = False
        self._steps = 1
        self._turns: list[Rounds] = []
        self._first_turn = 0

    @property
    def share_done(self) -> float:
        """Part of the allowed time that is behind; 1 when over."""
        return 1.0 if self.result else min(1.0, self._counted_s / self._allowed_s)

    @property
    def _counted_s(self) -> float:
        return sum(sum(turn.step_time) for turn in self._turns) * self._steps

    def step_times(self) -> list[float]:
        """Seconds of a step in each counted round so far."""
        return [value for rounds in self._turns for value in rounds.step_time]

    def advance(self) -> None:
        """Fork and warm up at the first call, then take one turn at each call."""
        self._calls += 1
        try:
            with self._timed():
                if self._worker is None:
                    self._attempts += 1
                    self._worker = self._workers.fork(self._case_of_worker())
                    self._warm_up(self._worker)
                else:
                    if not self._turns:
                        self._first_turn = self._calls - CALLS_TO_TURN
                    self._take_turn(self._worker)
            self._stop_if_enough()
        except WorkerLost as lost:
            self._close()
            if self._attempts == ATTEMPTS:
                self.result = VisitResult(None, failure=f"{lost}, {ATTEMPTS} times in a row")
            else:
                self._reset()
                self._warnings = (f"pass {self.index + 1} was repeated: {lost}",)
        except WorkerFailed as failed:
            self._close()
            self.result = VisitResult(None, warnings=self._warnings, failure=str(failed))

    def _case_of_worker(self) -> Case:
        """The case that the worker measures."""
        return self.case

    def _warm_up(self, worker: Worker) -> None:
        """Take rounds until the step time is steady, or the time is spent.

        Each of the first rounds counts as long as the last of them: what they took longer is the cold start, such as
        the loading of a device's kernels, which warms nothing up.
        """
        self._warmup = worker.measure(seconds=0.0, steps_per_round=1, min_rounds=FIRST_ROUNDS)
        before = self._warmup.step_time[-1:]
        self._warmup_s = sum(self._warmup.step_time)
        allowed_s = self._plan.warmup_seconds - FIRST_ROUNDS * before[0]
        self._steps = self._steps_of(before[0])
        while allowed_s > 0 and not self._steady:
            chunk = worker.measure(seconds=WARMUP_CHUNK_S, steps_per_round=self._steps, min_rounds=WARMUP_CHUNK_ROUNDS)
            spent_s = sum(chunk.step_time) * self._steps
            self._warmup_s, allowed_s = self._warmup_s + spent_s, allowed_s - spent_s
            self._steady = is_steady(before, chunk.step_time)
            before = chunk.step_time
            self._warmup = Rounds.concat((self._warmup, chunk))
            self._steps = self._steps_of(median(before))
        self._steady = self._steady or is_steady(self._warmup.step_time[-2:-1], self._warmup.step_time[-1:])

    def _steps_of(self, step_s: float) -> int:
        """Steps that fill a round.

        They are sized anew during the warm-up: the first steps may take many times as long.
        """
        wanted = round(self._round_s / step_s) if step_s > 0 else MAX_STEPS_PER_ROUND
        return min(MAX_STEPS_PER_ROUND, max(1, wanted))

    @property
    def _round_s(self) -> float:
        """Shortest round of the worker's device."""
        execution = self._worker.attributes.get("execution", {}) if self._worker else {}
        is_on_host = execution.get("device", "cpu") == "cpu"
        return self._plan.round_seconds if is_on_host else max(self._plan.round_seconds, DEVICE_ROUND_S)

    def _take_turn(self, worker: Worker) -> None:
        warming, counted = turn(worker, self._steps, min(TURN_S, self._allowed_s - self._counted_s))
        self._warmup = Rounds.concat((self._warmup, warming))
        self._warmup_s += sum(warming.step_time) * self._steps
        self._turns.append(counted)

    def _stop_if_enough(self) -> None:
        """End the visit at the target precision, or when its time is spent."""
        with self._timed():
            precision = self._precision()
        if precision is not None and precision <= self._plan.target_precision:
            self._finish("precision", precision)
        elif self._counted_s >= self._allowed_s:
            self._finish("time", precision)

    def _precision(self) -> float | None:
        """Relative half-width of the interval of the median of the turns so far."""
        if len(self._turns) < MIN_TURNS:
            return None
        reached = estimate(kept_of_turns(self._turns))
        return reached.precision if reached else None

    def _finish(self, stopped_by: Stop, precision: float | None) -> None:
        with self._timed():
            self._close()
        if not self._steady:
            text = f"pass {self.index + 1}: the step time was not steady when the warm-up's time was spent"
            self._warnings += (text,)
        attributes, visit_series = (self._worker.attributes, self._worker.visit_series) if self._worker else ({}, ())
        visit = self._visit(stopped_by, precision)
        self.result = VisitResult(
            visit, tuple(self._turns), self._warmup, attributes, self._warnings, per_visit=visit_series
        )

    def _visit(self, stopped_by: Stop, precision: float | None) -> Visit:
        return Visit(
            index=self.index,
            turns=tuple(map(len, self._turns)),
            warmup_rounds=len(self._warmup),
            steps_per_round=self._steps,
            started_s=self._started_s,
            seconds=self._seconds,
            overhead_s=self._seconds - self._warmup_s - self._counted_s,
            stopped_by=stopped_by,
            precision=precision,
            steady=self._steady,
            first_turn=self._first_turn,
        )

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = monotonic()
        try:
            yield
        finally:
            self._seconds += monotonic() - started

    def _close(self) -> None:
        if self._worker is not None:
            self._worker.end()


def turn(worker: Worker, steps: int, seconds: float) -> tuple[Rounds, Rounds]:
    """One turn of a worker that was blocked: warming and counted rounds.

    There is at least one round of each.

    Args:
        worker: whose turn it is.
        steps: of a round.
        seconds: wanted of rounds that count.
    """
    rounds = worker.measure(seconds=WARM_S + seconds, steps_per_round=steps, min_rounds=TURN_ROUNDS)
    ends_s = accumulate(value * steps for value in rounds.step_time)
    warming = 1 + sum(end_s < WARM_S for end_s in ends_s)
    warming = min(warming, len(rounds) - 1)
    return rounds.take(warming), rounds.drop(warming)
