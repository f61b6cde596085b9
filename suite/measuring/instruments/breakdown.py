"""Where the time of a step goes, part by part, and what it costs to look.

for some steps, in turn:
    one step with a stopwatch around each part     times of the parts, and of the whole
    one step without                               time of the whole: the difference is what the stopwatch costs
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from time import perf_counter
from typing import Any

import torch

from suite.contracts.phase_hook import Phase
from suite.machine.affinity import Cores
from suite.measuring.modes import make_step
from suite.measuring.step import RESTORE_AFTER, Step
from suite.records import Case, Metric, Series
from suite.registry import TUNINGS

FIRST_STEPS = 4
SECONDS = 0.4
"""For the steps that are looked at, with and without the stopwatch together."""
FEWEST, MOST = 3, 40
"""Pairs of steps."""

PARTS = {
    "take": ("part_data_wait", "waiting for the input pipeline to yield its batch"),
    "copy": ("part_copy", "copying the batch to the device and into the order of dimensions that the network wants"),
    "zero_grad": ("part_zero_grad", "freeing the gradients"),
    "forward": ("part_forward", "the forward pass"),
    "compare": ("part_loss", "the loss"),
    "backward": ("part_backward", "the backward pass; of several ranks, with the exchange of gradients"),
    "update": ("part_update", "the optimizer's step, without what a closure does within it"),
}
"""Part of a step -> name of its metric, and what it is. Copying is within taking, and counts by itself."""
WATCHED = Metric("watched_step_time", "s", "lower", "Time of one step with a stopwatch around each of its parts.")
BARE = Metric("bare_step_time", "s", "lower", "Time of the step after it, with no stopwatch around its parts.")


class Stopwatch:
    """Times the parts of a step; a part within another counts as itself alone.

    Args:
        read_s: seconds, once all work that was asked for is done.
    """

    def __init__(self, read_s: Callable[[], float]) -> None:
        self.read_s = read_s
        self.is_on = False
        self.spent_s: dict[str, float] = {}
        self._within: list[str] = []
        self._since_s = 0.0

    def watch(self, part: str, call: Phase) -> Phase:
        """The part, timed while the stopwatch is on."""

        def watched(*arguments: Any) -> Any:
            if not self.is_on:
                return call(*arguments)
            self._turn_to(part)
            try:
                return call(*arguments)
            finally:
                self._turn_back()

        return watched

    def _turn_to(self, part: str) -> None:
        self._note()
        self._within.append(part)

    def _turn_back(self) -> None:
        self._note()
        self._within.pop()

    def _note(self) -> None:
        now_s = self.read_s()
        if self._within:
            part = self._within[-1]
            self.spent_s[part] = self.spent_s.get(part, 0.0) + now_s - self._since_s
        self._since_s = now_s

    def time(self, step: Step) -> float:
        """Seconds of one step, its parts timed."""
        self.spent_s = dict.fromkeys(parts_of(step), 0.0)
        self.is_on = True
        try:
            return time(step, self.read_s)
        finally:
            self.is_on = False


def time(step: Step, read_s: Callable[[], float]) -> float:
    """Seconds of one step."""
    start = read_s()
    step()
    return read_s() - start


def reader(device: str) -> Callable[[], float]:
    """What reads seconds once the work of this process on a kind of device is done. Other ranks are not waited for:
    in the middle of a step they wait for this one.
    """
    if device != "cuda":
        return perf_counter

    def read_s() -> float:
        torch.cuda.synchronize()
        return perf_counter()

    return read_s


def survey(case: Case) -> tuple[Series, ...]:
    """The parts of a case's step; nothing where it is replayed as a whole."""
    if TUNINGS[case.tuning].attributes.get("graph"):
        return ()
    watch = Stopwatch(perf_counter)
    cores = Cores()
    with make_step(case, hook=watch.watch) as step:
        watch.read_s = reader(step.execution.device_type())
        own = partial(cores.one_each, torch.get_num_threads()) if step.is_alone else nullcontext
        with own():  # which finds the threads that compute
            for _ in range(FIRST_STEPS):
                step()
        step.rewind()
        with own():
            rows = look(step, watch)
        step.check()
    columns = [PARTS[part] for part in parts_of(step)]
    metrics = [Metric(name, "s", "lower", f"Time of one step in {what}.") for name, what in columns]
    return tuple(
        Series(metric, tuple(row[place] for row in rows)) for place, metric in enumerate((*metrics, WATCHED, BARE))
    )


def parts_of(step: Step) -> list[str]:
    """The parts of a step that are timed, in the order in which they run."""
    return [part for part in PARTS if part in (*step.phases, "copy")]


def look(step: Step, watch: Stopwatch) -> list[tuple[float, ...]]:
    """Rows of seconds: each part, the whole with the stopwatch, the next step's whole without."""
    rows: list[tuple[float, ...]] = []
    gc.collect()
    gc.disable()
    try:
        deadline = perf_counter() + SECONDS
        while len(rows) < FEWEST or (len(rows) < MOST and perf_counter() < deadline):
            if len(rows) % (RESTORE_AFTER // 2) == 0:
                step.rewind()
            watched = watch.time(step)
            parts = tuple(watch.spent_s.values())
            rows.append((*parts, watched, time(step, watch.read_s)))
    finally:
        gc.enable()
    return rows
