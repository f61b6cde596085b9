"""Rounds of a worker: raw values with their metrics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

Better = Literal["lower", "higher", "neither"]
STEP_TIME = "step_time"
"""Name of the metric that every round has."""


@dataclass(frozen=True, slots=True)
class Metric:
    """The meaning of a number; it travels with the values."""

    name: str
    unit: str
    better: Better
    description: str


@dataclass(frozen=True, slots=True)
class Series:
    """A metric and its raw values in base units, in the order of the rounds."""

    metric: Metric
    values: tuple[int | float, ...]

    @classmethod
    def single(cls, name: str, unit: str, value: float, description: str) -> Series:
        """One number as a series; less of it is better."""
        return cls(Metric(name, unit, "lower", description), (float(value),))


@dataclass(frozen=True, slots=True)
class Rounds:
    """Rounds of one worker in order: a series for each metric, of one length.

    Attributes:
        series: the step time and the metrics that were read with it; empty where no round was asked for.
    """

    series: tuple[Series, ...] = ()

    @classmethod
    def concat(cls, parts: Iterable[Rounds]) -> Rounds:
        """Rounds of the same metrics, one after the other; empty ones are left out."""
        filled = [part.series for part in parts if part.series]
        return cls(
            tuple(
                Series(columns[0].metric, tuple(value for column in columns for value in column.values))
                for columns in zip(*filled, strict=True)
            )
        )

    def __len__(self) -> int:
        return len(self.step_time)

    @property
    def step_time(self) -> tuple[float, ...]:
        """Seconds of a step in each round."""
        return self.values(STEP_TIME)

    def values(self, metric: str) -> tuple[float, ...]:
        """The values of `metric`, one for each round; empty where it was not taken."""
        return values_of(self.series, metric)

    def take(self, count: int) -> Rounds:
        """The first `count` rounds."""
        return self._slice(0, count)

    def drop(self, count: int) -> Rounds:
        """All but the first `count` rounds."""
        return self._slice(count, None)

    def by(self, lengths: Iterable[int]) -> list[Rounds]:
        """The rounds split into consecutive ones of these lengths."""
        ends = list(accumulate(lengths, initial=0))
        return [self._slice(start, end) for start, end in pairwise(ends)]

    def _slice(self, start: int, end: int | None) -> Rounds:
        return Rounds(tuple(Series(one.metric, one.values[start:end]) for one in self.series))


def values_of(series: Iterable[Series], metric: str) -> tuple[float, ...]:
    """The values of `metric`; empty where no series has it."""
    for one in series:
        if one.metric.name == metric:
            return one.values
    return ()
