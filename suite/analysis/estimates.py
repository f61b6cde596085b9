"""Estimators: floats in, floats out, each formula with its source."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain, compress, islice, pairwise
from statistics import median
from typing import TypeVar

from suite.records import Measurement, Rounds

T = TypeVar("T")

CONFIDENCE = 0.95
"""Level of every interval that is shown."""
BATCHES = 8
"""Consecutive batches into which the rounds of a single turn are cut; more leave each too short to be independent."""
STRETCHES = 16
"""Stretches of neighbouring turns, at most, whose spread makes an interval. Turns a few seconds apart still resemble
each other (correlation 0.05 to 0.5 here); stretches of several turns hardly do."""
STEADY_WITHIN = 0.05
"""Relative difference between two successive medians below which a warm-up is steady."""
DISTURBED_SHARE = 0.05
"""Share of a round's time on cores that its threads spent queueing behind other processes, above which the round
counts as disturbed. An idle machine shows 0.1 to 1 %, one competing process 10 % and more (docs/results.md)."""
ENOUGH_UNDISTURBED = 0.2
"""Share of a case's rounds that must be quiet for the disturbed ones to be set aside; below it all rounds count."""
MOST_DEGREES = 200
"""Degrees of freedom from which Student's t hardly differs from the next: its quantile changes by less than 1e-4."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median with its interval, in base units.

    Attributes:
        low, high: ends of the interval at `CONFIDENCE`; all the values' range where there are too few for that.
        rounds: values that it was made from.
    """

    median: float
    low: float
    high: float
    rounds: int

    @property
    def precision(self) -> float:
        """Half-width of the interval relative to the median."""
        return (self.high - self.low) / 2 / self.median if self.median else math.inf


@dataclass(frozen=True, slots=True)
class MedianError:
    """Error of a median, or of its log.

    Attributes:
        variance: square of the standard error.
        degrees: degrees of freedom of that variance.
    """

    variance: float
    degrees: float


def estimate(groups: Sequence[Sequence[float]]) -> Estimate | None:
    """Median of all values; its interval allows for resemblance within groups.

    Args:
        groups: values by turn, in order. One turn alone is cut into consecutive batches; more than `STRETCHES` turns
            are gathered into as many stretches.

    Returns:
        None where there is no value. With a single value, or where groups disagree wholly, the interval reaches from
        the smallest to the largest value: no more is known.

    Source: Woodruff 1952, "Confidence intervals for medians and other position measures" (invert the interval of the
        share of values below the median), with the variance of that share between groups (Cochran 1977, "Sampling
        techniques", section 9.2) and Student's t with groups - 1 degrees of freedom.
    """
    groups = [group for group in groups if group]
    values = sorted(value for group in groups for value in group)
    if not values:
        return None
    middle = median(values)
    if len(groups) == 1:
        groups = batches(groups[0], BATCHES)
    elif len(groups) > STRETCHES:
        groups = [[value for group in stretch for value in group] for stretch in batches(groups, STRETCHES)]
    reach = 0.5
    if len(groups) > 1:
        shares = [sum((value < middle) + (value <= middle) for value in group) / 2 / len(group) for group in groups]
        weights = [len(group) / len(values) for group in groups]
        count = len(groups)
        variance = count / (count - 1) * sum((w * (share - 0.5)) ** 2 for w, share in zip(weights, shares, strict=True))
        floor = 0.25 / len(values)
        reach = student_quantile((1 + CONFIDENCE) / 2, count - 1) * math.sqrt(max(variance, floor))
    return Estimate(middle, quantile(values, 0.5 - reach), quantile(values, 0.5 + reach), len(values))


@dataclass(frozen=True, slots=True)
class Kept:
    """The rounds of a case that count, chosen once for all readers of its metrics.

    Attributes:
        mask: whether each round counts; empty where all do.
        disturbed: rounds whose threads queued behind other processes; None where that was not recorded.
        turns: step times of the rounds that count, by turn, in seconds.
        middles: median of each turn; None for a turn without such a round.
        visits: step times of each visit, in ascending order.
        ordered: step times of all visits, in ascending order.
    """

    measurement: Measurement
    mask: list[bool]
    disturbed: int | None
    turns: list[list[float]]
    middles: list[float | None]
    visits: list[list[float]]
    ordered: list[float]

    @classmethod
    def of(cls, measurement: Measurement) -> Kept:
        """Choose the rounds of a case."""
        mask, disturbed = chosen(measurement.values("cpu_time"), measurement.values("queue_time"))
        return cls._with_turns(measurement, mask, disturbed, by_turn(measurement, "step_time", mask))

    def scaled(self, factors: Sequence[float]) -> Kept:
        """The same rounds, with step times multiplied by the factor of their turn."""
        turns = [[value * factor for value in turn] for turn, factor in zip(self.turns, factors, strict=True)]
        return self._with_turns(self.measurement, self.mask, self.disturbed, turns)

    @classmethod
    def _with_turns(
        cls, measurement: Measurement, mask: list[bool], disturbed: int | None, turns: list[list[float]]
    ) -> Kept:
        ordered = list(map(sorted, turns))
        middles = [median_of_ordered(turn) if turn else None for turn in ordered]
        left = iter(ordered)
        visits = [sorted(chain.from_iterable(islice(left, len(visit.turns)))) for visit in measurement.visits]
        return cls(measurement, mask, disturbed, turns, middles, visits, sorted(chain.from_iterable(visits)))

    def values(self, metric: str) -> list[float]:
        """Values of a metric in the rounds that count, in order; none if not taken."""
        values = self.measurement.values(metric) if self.turns else ()
        return list(compress(values, self.mask)) if self.mask else list(values)


def kept_rounds(measurement: Measurement, metric: str = "step_time") -> list[list[float]]:
    """Kept rounds of a metric by turn: undisturbed ones, or all if those are few.

    Chosen by telemetry alone, never by the step time itself. Every reader (table, page, pytest-benchmark) takes its
    rounds from here or from `Kept`, so that all of them agree. Empty where the metric was not taken.
    """
    mask, _ = chosen(measurement.values("cpu_time"), measurement.values("queue_time"))
    return by_turn(measurement, metric, mask)


def kept_of_turns(turns: Sequence[Rounds]) -> list[list[float]]:
    """Kept step times of these turns, chosen as by `kept_rounds`."""
    columns = ([turn.values(name) for turn in turns] for name in ("step_time", "cpu_time", "queue_time"))
    return kept(*(column if any(column) else [] for column in columns))


def kept(
    parts: Sequence[Sequence[float]], cpu: Sequence[Sequence[float]], queue: Sequence[Sequence[float]]
) -> list[list[float]]:
    """Values by turn of the undisturbed rounds, or of all if those are few."""
    mask, _ = chosen(*(list(chain.from_iterable(column)) for column in (cpu, queue)))
    return selected(parts, mask)


def chosen(cpu_s: Sequence[float], queue_s: Sequence[float]) -> tuple[list[bool], int | None]:
    """Whether each round is kept, and how many were disturbed.

    The first is empty where all rounds are kept. The second is None where queueing was not recorded.
    """
    if not cpu_s or not queue_s:
        return [], None
    mask = undisturbed(cpu_s, queue_s)
    quiet = mask.count(True)
    is_partial = ENOUGH_UNDISTURBED * len(mask) <= quiet < len(mask)
    return mask if is_partial else [], len(mask) - quiet


def by_turn(measurement: Measurement, metric: str, mask: Sequence[bool]) -> list[list[float]]:
    """Values of a metric in the rounds of a mask, by turn; empty if not taken."""
    return selected(measurement.by_turn(metric), mask)


def selected(parts: Sequence[Sequence[float]], mask: Sequence[bool]) -> list[list[float]]:
    """The values of a mask, by turn; all of them where it is empty."""
    if not mask:
        return [list(part) for part in parts]
    ends = accumulate(map(len, parts))
    return [list(compress(part, mask[end - len(part) : end])) for part, end in zip(parts, ends, strict=True)]


def throughput(
    measurement: Measurement, batch_size: int, turns: Sequence[Sequence[float]] | None = None
) -> float | None:
    """Examples per second: all examples over all time of the kept rounds; or None.

    Args:
        measurement: of a case.
        batch_size: examples of a step.
        turns: the kept rounds, where the caller has them.
    """
    steps = [visit.steps_per_round for visit in measurement.visits for _ in visit.turns]
    turns = kept_rounds(measurement) if turns is None else turns
    if not any(turns):
        return None
    examples = batch_size * sum([count * len(turn) for count, turn in zip(steps, turns, strict=True)])
    seconds = sum([count * sum(turn) for count, turn in zip(steps, turns, strict=True)])
    return examples / seconds if seconds else None


def undisturbed(cpu_s: Iterable[float], queue_s: Iterable[float]) -> list[bool]:
    """For each round, whether its threads queued at most `DISTURBED_SHARE`."""
    return [queue <= DISTURBED_SHARE * (cpu + queue) for cpu, queue in zip(cpu_s, queue_s, strict=True)]


def batches(values: Sequence[T], count: int) -> list[Sequence[T]]:
    """Up to `count` consecutive stretches of nearly equal length, none empty."""
    count = min(count, len(values))
    return [values[start:end] for start, end in stretches(len(values), count)]


@lru_cache(maxsize=1024)
def stretches(length: int, count: int) -> tuple[tuple[int, int], ...]:
    """Starts and ends of `count` consecutive stretches of nearly equal length."""
    return tuple(pairwise(round(index * length / count) for index in range(count + 1)))


def median_of_ordered(ordered: Sequence[float]) -> float:
    """Median of values in ascending order, at least one."""
    half, is_odd = divmod(len(ordered), 2)
    return ordered[half] if is_odd else (ordered[half - 1] + ordered[half]) / 2


def quantile(ordered: Sequence[float], share: float) -> float:
    """Interpolated quantile of ordered values; the ends for shares beyond [0, 1].

    Source: Hyndman and Fan 1996, "Sample quantiles in statistical packages", definition 7.
    """
    position = min(max(share, 0.0), 1.0) * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@lru_cache(maxsize=256)
def student_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t for a `probability` in (0.5, 1), by bisection.

    Source: Abramowitz and Stegun 1964, "Handbook of mathematical functions", 26.7.3 and 26.7.4 (finite series for
        whole degrees of freedom). Cross-checked against scipy in the tests.
    """
    low, high = 0.0, 1e6
    while high - low > 1e-12 * max(1.0, low):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_cdf(middle, degrees) < probability else (low, middle)
    return (low + high) / 2


def student_between(probability: float, degrees: float) -> float:
    """`student_quantile` for fractional degrees, linear in their reciprocal."""
    below = math.floor(min(max(degrees, 1.0), MOST_DEGREES))
    least, most = student_quantile(probability, below), student_quantile(probability, below + 1)
    share = (1 / below - 1 / max(degrees, 1.0)) / (1 / below - 1 / (below + 1))
    return least + min(max(share, 0.0), 1.0) * (most - least)


def _student_cdf(t: float, degrees: int) -> float:
    angle = math.atan(t / math.sqrt(degrees))
    cosine_squared = math.cos(angle) ** 2
    term, total = 1.0, 0.0
    for step in range((degrees - 1) // 2 if degrees % 2 else degrees // 2):
        total += term
        term *= cosine_squared * ((2 * step + 2) / (2 * step + 3) if degrees % 2 else (2 * step + 1) / (2 * step + 2))
    if degrees % 2:
        within = 2 / math.pi * (angle + math.sin(angle) * math.cos(angle) * total)
    else:
        within = math.sin(angle) * total
    return 0.5 + within / 2


def is_steady(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether two successive stretches of warm-up agree in their step time.

    Their medians are close, or each lies within the other's range: what they differ by is then no more than how much
    the machine varies, and waiting would wait for the machine, not for the step.
    """
    if not before or not after:
        return False
    was, now = median(before), median(after)
    noise_alone = min(after) <= was <= max(after) and min(before) <= now <= max(before)
    return abs(now - was) <= STEADY_WITHIN * was or noise_alone
