"""A run -> the cases to choose from, in groups that do the same work."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from suite.analysis.case_figures import CaseFigures, figures_of
from suite.analysis.estimates import CONFIDENCE, MedianError, student_between
from suite.effects.values import FINDERS, METRICS, MetricKind, Selects, in_order, none_selected, why_left_out
from suite.records import Case, Run, RunRecord
from suite.records.factors import Level

SAME_WORK = ("task", "mode", "batch_size", "image_size")
"""Factors that say what a step does. A step of 16 images is no rival of one of 64; all other levels are choices."""
SLACK = {"peak_memory": 0.005, "energy": 0.05}
"""Relative difference of two readings below which they are equal. Peaks of the same code differ by some tenths of a
percent (`suite.analysis.exact_metrics`). Energy is power times time; times of the same code differ by some percent."""


@dataclass(frozen=True, slots=True)
class Known:
    """A value with the ends of its interval; all three equal where it was read once."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A measured case with what is known of it, by metric."""

    case: Case
    known: dict[str, Known]


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that do the same work.

    Attributes:
        work: the levels that they share, by factor.
        metrics: those that any of them has.
        sources: what was read for a metric, in words.
    """

    work: dict[str, Level]
    candidates: tuple[Candidate, ...]
    metrics: tuple[MetricKind, ...]
    sources: dict[str, str] = field(default_factory=dict)


def groups_of(
    run: Run, selects: Selects = lambda _: True, figures: Mapping[str, CaseFigures] | None = None
) -> list[Group]:
    """The selected cases that were measured, in the order of the matrix.

    Step times are those of the page, as measured. The drift of the machine is in them, as in any step time that a limit
    is set for.

    Args:
        run: complete or interrupted.
        selects: cases by id.
        figures: those of all cases of the run by id, if they are known already.

    Raises:
        StepmarkError: no selected case was measured.
    """
    measured = in_order(run, [record for record in run.cases if record.outcome == "measured" and record.measurement])
    sources, known = known_values(measured, figures_of(run.cases) if figures is None else figures)
    by_work: dict[tuple[Level, ...], list[Candidate]] = {}
    for record in measured:
        case = record.case
        own = {name: values[case.id] for name, values in known.items() if case.id in values}
        if selects(case.id) and "step_time" in own:
            by_work.setdefault(tuple(getattr(case, name) for name in SAME_WORK), []).append(Candidate(case, own))
    if not by_work:
        raise none_selected(len(measured))
    return [group_of(dict(zip(SAME_WORK, work, strict=True)), found, sources) for work, found in by_work.items()]


def known_values(
    measured: Sequence[RunRecord], figures: Mapping[str, CaseFigures]
) -> tuple[dict[str, str], dict[str, dict[str, Known]]]:
    """Sources of all metrics in words, and their values by case id."""
    known: dict[str, dict[str, Known]] = {
        "step_time": {
            case_id: Known(one.step_time.median, one.step_time.low, one.step_time.high)
            for case_id, one in figures.items()
            if one.is_measured and not why_left_out(METRICS["step_time"], is_known=True, value=one.step_time.median)
        }
    }
    sources = {"step_time": "step time as measured"}
    for name in ("peak_memory", "energy", "accuracy"):
        sources[name], found = FINDERS[name](measured)
        known[name] = {
            case_id: with_interval(value, error)
            for case_id, (value, error) in found.items()
            if not why_left_out(METRICS[name], is_known=True, value=value)
        }
    return sources, known


def with_interval(value: float, error: MedianError | None) -> Known:
    """A value from 0 to 1 with the interval of Student's t, if it has an error."""
    if error is None:
        return Known(value, value, value)
    reach = student_between((1 + CONFIDENCE) / 2, error.degrees) * math.sqrt(error.variance)
    return Known(value, max(value - reach, 0.0), min(value + reach, 1.0))


def group_of(work: dict[str, Level], candidates: Sequence[Candidate], sources: dict[str, str]) -> Group:
    """A group with the metrics that any of its cases has."""
    metrics = tuple(kind for name, kind in METRICS.items() if any(name in one.known for one in candidates))
    return Group(work, tuple(candidates), metrics, {kind.name: sources[kind.name] for kind in metrics})
