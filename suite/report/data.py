"""Figures of the measured cases for the page's scripts: embedded once, in columns.

A case's place in each column is its place in `Facts.ranked`.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from suite import units
from suite.analysis.validity import label
from suite.records import filters
from suite.records.factors import NAMES
from suite.report.charts import level_of
from suite.report.facts import Facts

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = 6
"""Significant digits of a number, more than the page shows of any."""
QUANTILES = 101
SKETCH_STEP = 2e-4
"""Difference of logs by which quantiles are counted: 0.02 %, far less than an interval of any case."""
AT_ONCE = 1_000
"""Cases whose quantiles are computed at once: some 5 MB."""


def columns(facts: Facts) -> dict[str, Any]:
    """Levels and metrics of the cases by key.

    A level is an index into `levels`. A column whose entries are all equal is that entry alone.
    """
    of_factors = {name: list(map(level_of(name), facts.ranked)) for name in NAMES}
    named: dict[str, list[Any]] = {**of_factors, "verdict": [label(one.issues) for one in facts.ranked]}
    levels = {name: list(dict.fromkeys(found)) for name, found in named.items()}
    places = {name: {level: place for place, level in enumerate(found)} for name, found in levels.items()}
    indices = {name: [places[name][level] for level in found] for name, found in named.items()}
    metrics = {name: list(map(rounded, found)) for name, found in facts.columns.items()}
    numbers: dict[str, Sequence[float | None]] = {**indices, **metrics}
    return {"levels": levels, **{name: compact(found) for name, found in numbers.items()}}


def rounded(value: float | None) -> float | None:
    """A number of `DIGITS` significant digits; None if it is unknown or not finite."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{DIGITS - 1}e}")


def compact(column: Sequence[float | None]) -> Sequence[float | None] | float | None:
    """The column, or its only entry."""
    return column[0] if len(set(column)) == 1 else column


def grammar() -> dict[str, Any]:
    """Names and units that the page's filter reads, as `suite.records.filters` does."""
    used = dict.fromkeys(unit for _, unit in filters.METRICS.values())
    return {
        "factors": filters.FACTORS,
        "aliases": filters.ALIASES,
        "metrics": filters.METRICS,
        "keys": filters.METRICS_BY_KEY,
        "sizes": {unit: units.sizes(unit) for unit in used},
        "names": {unit: units.scale_names(unit) for unit in used},
        "close": filters.CLOSE,
    }


def sketches(facts: Facts) -> str:
    """101 quantiles of the kept rounds of each case, deflated and in base64.

    Three blocks: the least quantile of each case as float64 in seconds, little-endian; then, for each case, the 100
    differences between the logs of its quantiles in units of `SKETCH_STEP`, low bytes first, all high bytes after them.
    A case with a round that is not above 0 has the least quantile 0, and no sketch.
    """
    least = np.zeros(len(facts.ranked), "<f8")
    steps = np.zeros((len(facts.ranked), QUANTILES - 1), "<u2")
    known = [place for place, one in enumerate(facts.ranked) if has_sketch(one.rounds)]
    for start in range(0, len(known), AT_ONCE):
        places = known[start : start + AT_ONCE]
        least[places], steps[places] = sketches_of([facts.ranked[place].rounds for place in places])
    blocks = least.tobytes() + (steps & 255).astype("u1").tobytes() + (steps >> 8).astype("u1").tobytes()
    packer = zlib.compressobj(strategy=zlib.Z_RLE)  # six times as fast as looking for repeats, and as small
    return base64.b64encode(packer.compress(blocks) + packer.flush()).decode("ascii")


def has_sketch(rounds: Sequence[float]) -> bool:
    """Whether ordered rounds have logs."""
    return bool(rounds) and rounds[0] > 0 and math.isfinite(rounds[-1])


def sketches_of(cases: Sequence[Sequence[float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least quantiles (cases), and differences of logs (cases, `QUANTILES` - 1).

    Args:
        cases: ordered rounds of each, all finite and above 0.
    """
    counts = np.array([len(rounds) for rounds in cases])
    values, starts = np.fromiter(chain.from_iterable(cases), float), np.cumsum(counts) - counts
    at = np.arange(QUANTILES) * ((counts - 1) / (QUANTILES - 1))[:, None]
    at[:, -1] = counts - 1
    below = np.floor(at).astype(int)
    low = values[starts[:, None] + below]
    high = values[starts[:, None] + np.minimum(below + 1, counts[:, None] - 1)]
    logs = np.log((high - low) * (at - below) + low)
    counted = np.rint((logs - logs[:, :1]) / SKETCH_STEP)
    return values[starts], np.minimum(np.diff(counted, axis=1), np.iinfo("<u2").max)
