"""Breakdown of a step's time by phase, and the cost of the stopwatch itself.

for some steps, in turn:
    one step with a stopwatch around each phase    times of the phases, and of the whole
    one step without                               time of the whole: the difference is the cost of the stopwatch
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from time import perf_counter
from typing import Any

import torch

from suite.contracts.clock import WaitingClock
from suite.contracts.execution import Execution
from suite.contracts.phase_hook import Phase
from suite.machine.affinity import Cores
from suite.measuring.modes import make_step
from suite.measuring.step import RESTORE_AFTER, Step
from suite.records import Case, Metric, Series
from suite.registry import TUNINGS

FIRST_STEPS = 4
SECONDS = 0.4
"""For the measured steps, with and without the stopwatch together."""
FEWEST, MOST = 3, 40
"""Pairs of steps."""

PHASES = {
    "take": ("part_data_wait", "waiting for the input pipeline to yield its batch"),
    "copy": ("part_copy", "copying the batch to the device and into the order of dimensions that the network wants"),
    "zero_grad": ("part_zero_grad", "freeing the gradients"),
    "forward": ("part_forward", "the forward pass"),
    "compare": ("part_loss", "the loss"),
    "backward": ("part_backward", "the backward pass; of several ranks, with the exchange of gradients"),
    "update": ("part_update", "the optimizer's step, without what a closure does within it"),
}
"""Phase of a step -> name of its metric, and its meaning. `copy` is within `take`, which does not count it."""
WITH_STOPWATCH = Metric("watched_step_time", "s", "lower", "Time of one step with a stopwatch around each phase.")
WITHOUT_STOPWATCH = Metric("bare_step_time", "s", "lower", "Time of the step after it, with no stopwatch.")


class Stopwatch:
    """Times the phases of a step; time of an inner phase counts for that phase only.

    Args:
        read_s: seconds, after all work given out is done.
    """

    def __init__(self, read_s: Callable[[], float]) -> None:
        self.read_s = read_s
        self.is_on = False
        self.spent_s: dict[str, float] = {}
        self._open_phases: list[str] = []
        self._since_s = 0.0

    def wrap_phase(self, name: str, phase: Phase) -> Phase:
        """Wrap a phase so that it is timed while the stopwatch is on."""

        def timed(*arguments: Any) -> Any:
            if not self.is_on:
                return phase(*arguments)
            self._enter(name)
            try:
                return phase(*arguments)
            finally:
                self._leave()

        return timed

    def _enter(self, name: str) -> None:
        self._add_time()
        self._open_phases.append(name)

    def _leave(self) -> None:
        self._add_time()
        self._open_phases.pop()

    def _add_time(self) -> None:
        now_s = self.read_s()
        if self._open_phases:
            name = self._open_phases[-1]
            self.spent_s[name] = self.spent_s.get(name, 0.0) + now_s - self._since_s
        self._since_s = now_s

    def time_step(self, step: Step) -> float:
        """Seconds of one step, with its phases timed."""
        self.spent_s = dict.fromkeys(phases_of(step), 0.0)
        self.is_on = True
        try:
            return time_step(step, self.read_s)
        finally:
            self.is_on = False


def time_step(step: Step, read_s: Callable[[], float]) -> float:
    """Seconds of one step."""
    start = read_s()
    step()
    return read_s() - start


def clock_of(execution: Execution) -> Callable[[], float]:
    """A clock that waits for this process's work on all devices of an execution.

    It does not wait for other ranks: within a step they wait for this one.
    """
    return perf_counter if execution.device_type() == "cpu" else WaitingClock(execution.wait).read_s


def measure(case: Case) -> tuple[Series, ...]:
    """Time the phases of a case's step; no series if a graph replays the step."""
    if TUNINGS[case.tuning].attributes.get("graph"):
        return ()
    stopwatch = Stopwatch(perf_counter)
    cores = Cores()
    with make_step(case, hook=stopwatch.wrap_phase) as step:
        stopwatch.read_s = clock_of(step.execution)
        own_cores = partial(cores.one_each, torch.get_num_threads()) if step.is_single_process else nullcontext
        with own_cores():  # finds the threads that compute
            for _ in range(FIRST_STEPS):
                step()
        step.rewind()
        with own_cores():
            rows = time_pairs(step, stopwatch)
        step.check()
    columns = [PHASES[name] for name in phases_of(step)]
    metrics = [Metric(name, "s", "lower", f"Time of one step in {meaning}.") for name, meaning in columns]
    series = [
        Series(metric, tuple(row[place] for row in rows))
        for place, metric in enumerate((*metrics, WITH_STOPWATCH, WITHOUT_STOPWATCH))
    ]
    return tuple(one for one in series if any(one.values) or not step.has_own_order)  # it need not call every phase


def phases_of(step: Step) -> list[str]:
    """The phases of a step that are timed, in the order in which they run."""
    return [name for name in PHASES if name in (*step.phases, "copy")]


def time_pairs(step: Step, stopwatch: Stopwatch) -> list[tuple[float, ...]]:
    """Time pairs of steps.

    Returns:
        A row of seconds for each pair: each phase, the step with the stopwatch, the next step without.
    """
    rows: list[tuple[float, ...]] = []
    gc.collect()
    gc.disable()
    try:
        deadline = perf_counter() + SECONDS
        while len(rows) < FEWEST or (len(rows) < MOST and perf_counter() < deadline):
            if len(rows) % (RESTORE_AFTER // 2) == 0:
                step.rewind()
            with_stopwatch = stopwatch.time_step(step)
            phases = tuple(stopwatch.spent_s.values())
            rows.append((*phases, with_stopwatch, time_step(step, stopwatch.read_s)))
    finally:
        gc.enable()
    return rows
