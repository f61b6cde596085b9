"""Machines that do not exist: noise of known size and kind, common to all cases, and runs measured on them.

The models stand for machines unlike each other: a quiet one, one with spells of seconds or of a minute, one that
wanders on every scale of time, one that is always restless. Times are in seconds, speeds are logs of a step time over
its usual one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from suite.contracts.probes import STEP_TIME
from suite.records import Case, Measurement, RunRecord, Series, Visit

Values = NDArray[np.float64]
Speed = Callable[[np.random.Generator, int], Values]

TICK_S = 0.02
"""Between two values of a machine's speed."""
TURN_S = 0.08
START_S, WARMUP_S = 3.5, 1.2
"""A fresh zygote before each pass; fork and warm-up before each group of cases."""
SAMPLES = 20_000
"""Values of the run's own distribution whose median is taken for the truth."""


def wander(scale_s: float, deviation: float) -> Speed:
    """A speed that forgets where it was after `scale_s` (an Ornstein-Uhlenbeck process)."""

    def speeds(source: np.random.Generator, count: int) -> Values:
        keep = math.exp(-TICK_S / scale_s)
        steps = source.normal(0.0, deviation * math.sqrt(1 - keep**2), count)
        steps[0] = source.normal(0.0, deviation)
        return np.fromiter(accumulate(steps, lambda before, step: keep * before + step), float, count)

    return speeds


def spells(length_s: float, share: float, slowdown: float) -> Speed:
    """Slow for `length_s` in the mean, and for that share of all time."""

    def speeds(source: np.random.Generator, count: int) -> Values:
        found, now_s, slow = np.zeros(count), 0.0, bool(source.random() < share)
        while now_s < count * TICK_S:
            lasts_s = source.exponential(length_s if slow else length_s * (1 - share) / share)
            if slow:
                found[int(now_s / TICK_S) : int((now_s + lasts_s) / TICK_S)] = math.log1p(slowdown)
            now_s, slow = now_s + lasts_s, not slow
        return found

    return speeds


def together(*speeds: Speed) -> Speed:
    """The sum of several."""
    return lambda source, count: sum((one(source, count) for one in speeds), np.zeros(count))


def still(source: np.random.Generator, count: int) -> Values:
    """A machine that nothing slows."""
    return np.zeros(count)


MACHINES: dict[str, Speed] = {
    "still": still,
    "jitter of 0.1 and 1 s, 4 % each": together(wander(0.1, 0.04), wander(1.0, 0.04)),
    "1/f: 0.1 to 1000 s, 3 % each": together(*(wander(10.0**power, 0.03) for power in range(-1, 4))),
    "slow: 100 s, 6 %": wander(100.0, 0.06),
    "spells of 3 s, 30 %, +15 %": spells(3.0, 0.3, 0.15),
    "spells of a minute, 30 %, +15 %": spells(60.0, 0.3, 0.15),
    "quiet with spells of 3 s, 10 %, +25 %": spells(3.0, 0.1, 0.25),
    "quiet with spells of 3 s, 30 %, +25 %": spells(3.0, 0.3, 0.25),
    "restless: 0.5 s, 10 %, and 5 s, 6 %": together(wander(0.5, 0.1), wander(5.0, 0.06)),
}


@dataclass(frozen=True)
class Setting:
    """Simulated cases and the machine that measures them.

    Attributes:
        own: standard deviation of the log of single rounds.
        between: the same of the processes of one case.
        climbing: cases, the first ones, whose step time climbs by `climb` within each visit.
        stretch: of the step time of all rounds.
    """

    machine: str = "still"
    cases: int = 24
    between: float = 0.0
    own: float = 0.04
    abreast: int = 8
    passes: int = 3
    turns: int = 40
    climbing: int = 0
    climb: float = 0.2
    stretch: float = 1.0


def measured(setting: Setting, source: np.random.Generator) -> tuple[list[RunRecord], float]:
    """A run of cases whose step takes 1 s on that machine, and its truth: log of the median over the run's span, of all
    that the machine did in it and of rounds as they scatter.
    """
    at_s, windows = schedule(setting, source)
    speeds = MACHINES[setting.machine](source, int(at_s.max() / TICK_S) + 2)
    processes = source.normal(0.0, setting.between, at_s.shape[:2])[:, :, None]
    logs = speeds[(at_s / TICK_S).astype(int)] + processes + source.normal(0.0, setting.own, at_s.shape)
    logs[: setting.climbing] += np.linspace(0.0, math.log1p(setting.climb), setting.turns)
    inside = source.integers(int(at_s.min() / TICK_S), int(at_s.max() / TICK_S) + 1, SAMPLES)
    truth = 0.0
    if setting.machine != "still":
        truth = float(np.median(speeds[inside] + source.normal(0.0, setting.own, SAMPLES)))
    records = [record(f"c{case}", np.exp(logs[case]) * setting.stretch, windows[case]) for case in range(setting.cases)]
    return records, truth + math.log(setting.stretch)


def schedule(setting: Setting, source: np.random.Generator) -> tuple[Values, Values]:
    """When each turn is (cases, passes, turns), and when each visit's group began (cases, passes)."""
    at_s = np.zeros((setting.cases, setting.passes, setting.turns))
    windows, now_s = np.zeros((setting.cases, setting.passes)), 0.0
    for index in range(setting.passes):
        now_s += START_S
        for group in np.array_split(source.permutation(setting.cases), -(-setting.cases // setting.abreast)):
            windows[group, index] = now_s
            now_s += WARMUP_S
            cycles = np.arange(setting.turns) * len(group)
            for place, case in enumerate(group):
                at_s[case, index] = now_s + (cycles + place) * TURN_S
            now_s += setting.turns * len(group) * TURN_S
    return at_s, windows


def record(name: str, rounds: Values, windows: Sequence[float] | Values) -> RunRecord:
    """A case with one round a turn; rounds (visits, turns)."""
    visits = tuple(
        Visit(index, (1,) * len(turns), 3, 1, float(windows[index]), 4.0, 0.1, "time", None, True)
        for index, turns in enumerate(rounds)
    )
    measurement = Measurement((Series(STEP_TIME, tuple(map(float, rounds.ravel()))),), (), visits)
    return RunRecord(Case(name, "sgd", "cpu"), "measured", measurement=measurement)


def share(truth: float, bounds: Sequence[tuple[float, float]]) -> float:
    """How many of the intervals hold the truth, a log."""
    return sum(low <= math.exp(truth) <= high for low, high in bounds) / len(bounds)
