"""The measuring loop: step + clock + probes -> rounds.

It knows no network and no pytest.

for each request:
    rewind weights, optimizer and random state now and then           (outside the rounds)
    until the request's seconds are spent:
        meet the other worker, where two are measured together    (outside the rounds)
        read the probes
        read the clock; run the steps of one round; read the clock
        read the probes, and the gauges
    check that the loss is a number                                   (outside the rounds)
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import perf_counter
from typing import Protocol

from suite.contracts.clock import Clock
from suite.contracts.probes import PROBES, STEP_TIME, Probe
from suite.records import Metric, Rounds, Series


class Step(Protocol):
    """The step, as the recorder uses it."""

    clock: Clock
    probes: tuple[Probe, ...]
    gauges: tuple[Probe, ...]

    def __call__(self) -> None:
        """Train one step."""

    def rewind(self) -> None:
        """Now and then return to the state of the first rounds."""

    def check(self) -> None:
        """Raise if the loss is not finite."""


def record_rounds(
    step: Step, *, seconds: float, steps_per_round: int, min_rounds: int, meet: Callable[[], None] | None = None
) -> Rounds:
    """Run rounds until `seconds` are spent and at least `min_rounds` are taken.

    Garbage collection is off during the rounds.

    Args:
        step: the step to measure.
        seconds: wall time for this request; the last round may end after it.
        steps_per_round: steps between two readings of the clock; every value returned is per step.
        min_rounds: rounds taken even if they last longer than `seconds`; at least 1.
        meet: called before each round.

    Returns:
        One series for step time, one for each probe, of the process and of the step, and one for each gauge, all of the
        same length. Probes are counters: a value is what a step added to one. Gauges are read as they stand.

    Raises:
        DivergedError: the loss is not finite after the last round.
    """
    step.rewind()
    probes = (*PROBES, *step.probes)
    gc.collect()
    gc.disable()
    try:
        rounds = _rounds(step, probes, seconds, steps_per_round, min_rounds, meet or do_nothing)
    finally:
        gc.enable()
    step.check()
    columns = zip(*rounds, strict=True)
    return Rounds(tuple(Series(metric, values) for metric, values in zip(metrics(step), columns, strict=True)))


def metrics(step: Step) -> tuple[Metric, ...]:
    """Metrics of the series of `record_rounds` for this step, in its order."""
    return (STEP_TIME, *(probe.metric for probe in (*PROBES, *step.probes, *step.gauges)))


def do_nothing() -> None:
    """Before a round: the worker is measured alone."""


def _rounds(
    step: Step,
    probes: tuple[Probe, ...],
    seconds: float,
    steps_per_round: int,
    min_rounds: int,
    meet: Callable[[], None],
) -> list[tuple[float, ...]]:
    read_s = step.clock.read_s
    reads: list[Callable[[], float]] = [probe.read for probe in probes]
    rounds: list[tuple[float, ...]] = []
    deadline = perf_counter() + seconds
    while len(rounds) < min_rounds or perf_counter() < deadline:
        meet()
        before = [read() for read in reads]
        start = read_s()
        for _ in range(steps_per_round):
            step()
        end = read_s()
        after = [read() for read in reads]
        spent = (end - start, *(b - a for a, b in zip(before, after, strict=True)))
        per_step = (value / steps_per_round for value in spent)
        rounds.append((*per_step, *(gauge.read() for gauge in step.gauges)))
    return rounds
