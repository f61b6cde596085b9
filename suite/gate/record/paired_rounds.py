"""Rounds of both sides, and their log ratio: robust, balanced over the orders."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.analysis.estimates import ENOUGH_UNDISTURBED, undisturbed
from suite.gate.verdict import Mode
from suite.records import Series

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedRounds:
    """The rounds of both sides of one case in one block.

    Attributes:
        orders: 0 or 1 for each piece.
        baseline, candidate: series with as many rounds for each piece, one piece after the other.
        steps_per_round: steps between two readings of the clock; values are per step.
    """

    mode: Mode
    orders: tuple[int, ...]
    baseline: tuple[Series, ...]
    candidate: tuple[Series, ...]
    steps_per_round: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """The change of one case in one block.

    Attributes:
        log_ratio: of candidate over baseline; NaN if too few pieces count.
        spread: standard error of that by the pieces alone, as if they were independent.
        pieces: that count, of `taken`.
    """

    log_ratio: float
    spread: float
    pieces: int
    taken: int


def ratio_of(paired: PairedRounds, metric: str = "step_time") -> Ratio:
    """The log ratio of a metric over the pieces in which no side queued for a core.

    They are chosen by kernel counters alone, for both sides at once. If fewer than `ENOUGH_UNDISTURBED` of the pieces
    of either order are undisturbed, none is: the block has no ratio of the case.
    """
    orders = np.array(paired.orders)
    kept = undisturbed_pieces(paired)
    logs = piece_logs(paired.candidate, metric, len(orders)) - piece_logs(paired.baseline, metric, len(orders))
    usable = kept & np.isfinite(logs)
    by_order = [logs[usable & (orders == order)] for order in (0, 1)]
    wanted = [max(1, ENOUGH_UNDISTURBED * np.sum(orders == order)) for order in (0, 1)]
    if any(len(one) < least for one, least in zip(by_order, wanted, strict=True)):
        return Ratio(math.nan, math.nan, int(usable.sum()), len(orders))
    spread = math.sqrt(sum(float(np.var(one, ddof=1)) / len(one) if len(one) > 1 else 0.0 for one in by_order)) / 2
    return Ratio(balanced(*by_order), spread, int(usable.sum()), len(orders))


def balanced(first: Values, second: Values) -> float:
    """The median of the means of all pairs of one log ratio from each order.

    What favours a side in one order favours the other in the other order, and is gone from each pair's mean.

    Source: Hodges and Lehmann 1963, "Estimates of location based on rank tests", for pairs from two samples.
    """
    return float(np.median((first[:, None] + second[None, :]) / 2))


def piece_logs(series: tuple[Series, ...], metric: str, pieces: int) -> Values:
    """Log of each piece's value.

    A piece of one round has its value; one of two bursts has the mean of the logs of their medians.
    """
    values = rounds(series, metric).reshape(pieces, -1)
    halves = np.array_split(values, 2, axis=1) if values.shape[1] > 1 else [values]
    with np.errstate(divide="ignore"):
        logs: Values = np.mean([np.log(np.median(half, axis=1)) for half in halves], axis=0)
    return logs


def undisturbed_pieces(paired: PairedRounds) -> NDArray[np.bool_]:
    """Whether the threads of both sides had the cores that they wanted, by piece."""
    pieces = len(paired.orders)
    kept = np.ones(pieces, dtype=bool)
    for series in (paired.baseline, paired.candidate):
        names = {one.metric.name for one in series}
        if not {"cpu_time", "queue_time"} <= names:
            continue
        queue = rounds(series, "queue_time").reshape(pieces, -1).sum(axis=1)
        cpu = rounds(series, "cpu_time").reshape(pieces, -1).sum(axis=1)
        kept &= np.array(undisturbed(cpu, queue), dtype=bool)
    return kept


def rounds(series: tuple[Series, ...], metric: str) -> Values:
    """A metric's rounds."""
    return np.array(next(one.values for one in series if one.metric.name == metric))
