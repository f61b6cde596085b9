"""Details of cases for their pages: texts and small sketches, packed once."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from itertools import accumulate
from statistics import fmean, median
from typing import Any

from suite import units
from suite.analysis.case_figures import CaseFigures, metric_values
from suite.analysis.estimates import batches, quantile
from suite.records import Metric, Series, Visit
from suite.report.instruments import imported_memory, median_of
from suite.report.provenance import plain, readable

MOST_CASES = 1_000
"""Cases up to which the page has rounds, visits and every metric of each, some 500 bytes a case; beyond, the record has
them. A page of 1,000 cases has 2 MB for all."""
MOST_VISITS = 24
"""Visits of a case that its page shows."""
WARMUP_POINTS, ROUND_POINTS = 18, 42
"""Points of a case's rounds over time; its visits share them."""
ROUND_STEP = 0.002
"""Share of the step time by which rounds are counted: 0.2 %, half a pixel."""
MOST_STEPS = 10_000
TIMELINE_POINTS = 24
SHARES = {"Fastest": 0.0, "5 %": 0.05, "25 %": 0.25, "Median": 0.5, "75 %": 0.75, "95 %": 0.95, "Slowest": 1.0}
"""Quantiles of the rounds that stand in a table."""
PHASES = {
    "part_data_wait": "data wait",
    "part_copy": "copy",
    "part_zero_grad": "zero gradients",
    "part_forward": "forward",
    "part_loss": "loss",
    "part_backward": "backward",
    "part_update": "optimizer",
}
PEAKS = {
    "memory_peak_made": "made",
    "memory_peak_first_forward": "first forward",
    "memory_peak_first_backward": "first backward",
    "memory_peak_first_update": "first update",
    "memory_peak_steady": "steady",
}
"""Metric of an instrument -> its phase, in the order in which they run."""
TIMELINES = ("cores_used", "resident_memory")
DEVICE_TIMELINES = ("_utilization", "_power", "_memory", "_clock", "_temperature")
"""Ends of the names of a device's readings over time; a name begins with `gpu` and the device's number."""


def packed(details: Mapping[str, Any]) -> str:
    """JSON, deflated, in base64: inert in a page, whatever texts it has."""
    text = json.dumps(details, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"))).decode("ascii")


def case_details(ranked: Sequence[CaseFigures]) -> dict[str, Any]:
    """Details of cases in columns; a case's place in each is its place in `ranked`.

    Attributes and issues of every case; all else up to `MOST_CASES`.
    """
    found = {"attributes": attributes(ranked), "issues": issues(ranked)}
    if len(ranked) <= MOST_CASES:
        found["metrics"] = metrics(ranked)
        found["anatomy"] = [anatomy(one) for one in ranked]
        found["quantiles"] = [quantile_texts(one) for one in ranked]
        found["readings"] = [[distribution_reading(one), visits_reading(one)] for one in ranked]
        found["visits"] = [visit_rows(one) for one in ranked]
        found["rounds"] = [rounds(one) for one in ranked]
        found["timelines"] = [timelines(one) for one in ranked]
    return found


def left_out(count: int) -> str:
    """A sentence about what a page of `count` cases does not have; empty if nothing."""
    if count <= MOST_CASES:
        return ""
    return f"With {count:,} cases, this page leaves out rounds over time, visits and most metrics. The record has them."


def attributes(ranked: Sequence[CaseFigures]) -> dict[str, Any]:
    """Attributes of each level as texts, and the place of each case's; -1 without any."""
    keys = dict.fromkeys(key for one in ranked for key in one.record.attributes)
    columns: dict[str, Any] = {}
    for key in keys:
        found = [one.record.attributes.get(key) for one in ranked]
        written = list(map(repr, found))
        text_of = {name: attribute_text(value) for name, value in dict(zip(written, found, strict=True)).items()}
        texts = [text_of[name] for name in written]
        levels = {text: place for place, text in enumerate(dict.fromkeys(filter(None, texts)))}
        columns[readable(str(key)).capitalize()] = {
            "texts": list(levels),
            "places": [levels.get(text, -1) for text in texts],
        }
    return columns


def attribute_text(value: Any) -> str:
    """`depth 8, width 32`; empty without a value."""
    if not isinstance(value, Mapping):
        return "" if value is None else plain(value)
    return ", ".join(f"{readable(str(name))} {plain(one)}" for name, one in value.items())


def issues(ranked: Sequence[CaseFigures]) -> dict[int, list[list[str]]]:
    """Kind, observation and remedy of each issue, by the place of its case."""
    return {
        place: [[issue.kind, issue.text, issue.remedy] for issue in one.issues]
        for place, one in enumerate(ranked)
        if one.issues
    }


def metrics(ranked: Sequence[CaseFigures]) -> list[list[Any]]:
    """Every metric of any case: title, meaning, and each case's figure as text."""
    places: dict[str, int] = {}
    rows: list[list[Any]] = []
    for place, figures in enumerate(ranked):
        for metric, values in metric_values(figures):
            if metric.name not in places:
                places[metric.name] = len(rows)
                rows.append([metric_title(metric), metric.description, [""] * len(ranked)])
            rows[places[metric.name]][2][place] = units.text(median(values), metric.unit) if values else ""
    return rows


def metric_title(metric: Metric) -> str:
    """`data_wait` -> Data wait, lower is better."""
    title = metric.name.replace("_", " ").capitalize()
    return title if metric.better == "neither" else f"{title} ({metric.better} is better)"


def quantile_texts(figures: CaseFigures) -> list[str]:
    """Quantiles of the kept rounds at `SHARES`."""
    return [units.text(quantile(figures.rounds, share), "s") for share in SHARES.values()]


def distribution_reading(figures: CaseFigures) -> str:
    """The middle half and the slow end of the kept rounds, in words."""
    low, high, slow, slowest = (units.text(quantile(figures.rounds, share), "s") for share in (0.25, 0.75, 0.95, 1.0))
    return (
        f"Half of the {len(figures.rounds):,} kept rounds take {low} to {high} a step; the slowest twentieth take "
        f"{slow} or more, up to {slowest}."
    )


def visits_reading(figures: CaseFigures) -> str:
    """How far the medians of the visits are apart, in words."""
    known = [one for one in figures.visit_medians_s if one is not None]
    if len(known) < 2:
        return "One visit, which is one process: differences between processes are not visible."
    ends = f"from {units.text(min(known), 's')} to {units.text(max(known), 's')}"
    cut = f" The first {MOST_VISITS} are shown." if len(figures.measurement.visits) > MOST_VISITS else ""
    apart = units.percent(figures.spread - 1)
    return f"The {len(known)} visits, each a fresh process, have medians {ends}: {apart} apart.{cut}"


def visit_rows(figures: CaseFigures) -> list[list[str]]:
    """Pass, start, warm-up, counted rounds, median, end and neighbour of each visit."""
    pairs = zip(figures.measurement.visits, figures.visit_medians_s, strict=True)
    return [visit_row(visit, middle) for visit, middle in list(pairs)[:MOST_VISITS]]


def visit_row(visit: Visit, median_s: float | None) -> list[str]:
    """The cells of a visit."""
    return [
        str(visit.index + 1),
        units.duration(visit.started_s),
        f"{visit.warmup_rounds}{'' if visit.steady else ', not steady'}",
        str(visit.rounds),
        units.text(median_s, "s"),
        visit.stopped_by,
        visit.neighbour,
    ]


def rounds(figures: CaseFigures) -> list[list[list[int]]]:
    """Rounds over time: for each visit its warm-up, then its counted rounds.

    Each number is the median of a stretch of neighbouring rounds: its difference from the case's step time, in units of
    `ROUND_STEP` of that. Warm-up rounds at the start of each turn stand with those before the first turn, as in the
    record.
    """
    measurement, middle = figures.measurement, figures.step_time.median
    visits = measurement.visits[:MOST_VISITS]
    warmup = measurement.warmup_values("step_time")
    ends = list(accumulate(visit.warmup_rounds for visit in visits))
    share = max(1, len(visits))
    found = []
    for visit, end, counted in zip(visits, ends, measurement.by_visit("step_time"), strict=False):
        before = warmup[end - visit.warmup_rounds : end]
        found.append(
            [
                steps(before, max(2, WARMUP_POINTS // share), middle),
                steps(counted, max(3, ROUND_POINTS // share), middle),
            ]
        )
    return found


def steps(values: Sequence[float], count: int, middle: float) -> list[int]:
    """Medians of up to `count` stretches, as differences from `middle`."""
    return [
        min(round((median(one) / middle - 1) / ROUND_STEP), MOST_STEPS)
        for one in (batches(values, count) if values else [])
    ]


def timelines(figures: CaseFigures) -> list[Any]:
    """Utilization over time: seconds, then title and values of each reading."""
    surveyed = {one.metric.name: one for one in figures.measurement.surveyed}
    at_s = surveyed["sample_time"].values if "sample_time" in surveyed else ()
    found = [
        timeline(one)
        for name, one in surveyed.items()
        if at_s and is_timeline(name) and len(one.values) == len(at_s) and all(map(math.isfinite, one.values))
    ]
    return [points(at_s), found] if found else []


def timeline(series: Series) -> list[Any]:
    """Title and values in the scale of the highest: `Resident memory (MiB)`.

    A device is named by its number: `GPU 0 power (W)`.
    """
    size, unit = units.scale(series.metric.unit, max(series.values))
    words = series.metric.name.replace("_", " ")
    words = f"GPU {words.removeprefix('gpu')}" if words.startswith("gpu") else words[:1].upper() + words[1:]
    return [f"{words} ({unit})" if unit else words, points([value / size for value in series.values])]


def is_timeline(name: str) -> bool:
    """Whether a metric has a reading for each sample."""
    return name in TIMELINES or (name.startswith("gpu") and name.endswith(DEVICE_TIMELINES))


def anatomy(figures: CaseFigures) -> list[list[Any]]:
    """Times of the phases in ms, and peaks of memory by phase in MiB, as far as known."""
    times = [
        [name, digits(1e3 * value)]
        for metric, name in PHASES.items()
        if (value := median_of(figures, metric)) is not None
    ]
    peaks = [
        [name, digits((value - imported_memory(figures)) / 2**20)]
        for metric, name in PEAKS.items()
        if (value := median_of(figures, metric)) is not None
    ]
    titled = (("Time of the phases (ms)", times), ("Peak of memory beyond imports (MiB)", peaks))
    return [[title, rows] for title, rows in titled if rows]


def digits(value: float) -> float:
    """A number to four digits."""
    return float(f"{value:.3e}")


def points(values: Sequence[float]) -> list[float]:
    """Up to `TIMELINE_POINTS` means of neighbouring values, to four digits."""
    return [digits(fmean(one)) for one in batches(values, TIMELINE_POINTS)]
