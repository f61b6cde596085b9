"""A run -> one value of a metric for each measured case, with its error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from statistics import median
from typing import Protocol

from suite.analysis.case_figures import CaseFigures, steady_step_times
from suite.analysis.estimates import MedianError
from suite.analysis.learning_curves import final_errors, final_values
from suite.records import Better, Case, Measurement, Run, RunRecord, StepmarkError
from suite.records.factors import NAMES, Level
from suite.records.selected import whole_of

Selects = Callable[[str], bool]
"""Whether a case id is selected."""


@dataclass(frozen=True, slots=True)
class Source:
    """The origin of the values of a metric.

    Attributes:
        beginning: of the names of the readings; the largest of them counts.
        words: what is read.
    """

    beginning: str
    words: str


READINGS: dict[str, tuple[Source, ...]] = {
    "peak_memory": (
        Source("device_memory_allocated_peak_", "peak memory allocated on the devices"),
        Source("memory_peak_", "peak resident memory of the process"),
    ),
    "energy": (
        Source("energy_of_step", "energy of the devices for one step"),
        Source("host_energy_of_step", "energy of the processors for one step"),
    ),
}
"""Sources of metrics that an instrument reads once. The first one that every case with a reading has is taken."""


@dataclass(frozen=True, slots=True)
class MetricKind:
    """How a metric is compared.

    Attributes:
        is_ratio: whether levels differ by a factor, so that logs are compared; otherwise by a difference.
    """

    name: str
    unit: str
    better: Better
    is_ratio: bool = True


METRICS: dict[str, MetricKind] = {
    one.name: one
    for one in (
        MetricKind("step_time", "s", "lower"),
        MetricKind("peak_memory", "B", "lower"),
        MetricKind("energy", "J", "lower"),
        MetricKind("accuracy", "ratio", "higher", is_ratio=False),
    )
}


@dataclass(frozen=True, slots=True)
class Value:
    """A case with its value of the metric.

    Attributes:
        value: in base units.
        response: what effects add up to: the log of the value, or the value.
        error: of the response; None where the metric was read once.
        ranks: the place of each level of each factor among the cases of the run, measured or not.
    """

    record: RunRecord
    value: float
    response: float
    error: MedianError | None
    ranks: Mapping[str, Mapping[Level, int]] = field(default_factory=dict, repr=False)

    @property
    def case(self) -> Case:
        """The case of the record."""
        return self.record.case


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a metric in one run.

    Attributes:
        source: what was read, in words.
        found: in the order of the matrix.
        left_out: measured cases without a value that can be compared, and why.
    """

    metric: MetricKind
    source: str
    found: tuple[Value, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def values_of(
    run: Run, name: str, selects: Selects = lambda _: True, figures: Mapping[str, CaseFigures] | None = None
) -> Values:
    """The values of a metric of the selected cases that were measured.

    Errors come from all cases of the run, since the variance between visits is pooled.

    Args:
        run: complete or interrupted.
        name: a key of `METRICS`.
        selects: cases by id.
        figures: those of cases of the run by id, if they are known already.

    Raises:
        StepmarkError: no selected case was measured, or none has the metric.
    """
    metric = METRICS[name]
    measured = [record for record in whole_of(run.cases) if record.outcome == "measured" and record.measurement]
    ids = {record.case.id for record in run.cases if selects(record.case.id)}
    chosen = {record.case.id: record for record in in_order(run, measured) if record.case.id in ids}
    if not chosen:
        raise none_selected(len(measured))
    source, values = FINDERS[metric.name](measured, figures)
    if not values:
        raise no_value(name)
    ranks = ranks_of(run)
    found: list[Value] = []
    left_out: list[tuple[str, str]] = []
    for case_id, record in chosen.items():
        value, error = values.get(case_id, (math.nan, None))
        reason = why_left_out(metric, case_id in values, value)
        if reason:
            left_out.append((case_id, reason))
        else:
            found.append(Value(record, value, math.log(value) if metric.is_ratio else value, error, ranks))
    if not found:
        raise no_value(name)
    return Values(metric, source, tuple(found), tuple(left_out))


def none_selected(measured: int) -> StepmarkError:
    """The refusal of a record of which no measured case is selected."""
    return StepmarkError(
        f"{measured} cases of the record were measured, and none of them is selected; allowed: one or more; "
        "`stepmark export RECORD --format csv` lists the outcomes."
    )


def no_value(name: str) -> StepmarkError:
    """The refusal of a record without a value of a metric that can be compared."""
    return StepmarkError(
        f"no measured case of the record has a value of {name}; allowed: a metric that the record has; "
        "`stepmark export RECORD --format csv` shows which."
    )


def why_left_out(metric: MetricKind, is_known: bool, value: float) -> str:
    """The reason why a value cannot be compared; empty if it can."""
    if not is_known:
        return f"it has no {metric.name}"
    if not math.isfinite(value):
        return f"its {metric.name} is {value!r}"
    if metric.is_ratio and value <= 0:
        return f"its {metric.name} is {value!r}, which has no logarithm"
    return ""


def in_order(run: Run, records: Iterable[RunRecord]) -> list[RunRecord]:
    """Records in the order of the matrix; cases that were not planned come last."""
    places = {case_id: place for place, case_id in enumerate(run.header.planned)}
    return sorted(records, key=lambda record: (places.get(record.case.id, len(places)), record.case.id))


def ranks_of(run: Run) -> dict[str, dict[Level, int]]:
    """The place of each level of each factor in the matrix, measured or not."""
    ordered = map(attrgetter(*NAMES), (record.case for record in in_order(run, run.cases)))
    levels = zip(*ordered, strict=True)
    return {
        name: {level: place for place, level in enumerate(dict.fromkeys(column))}
        for name, column in zip(NAMES, levels, strict=False)
    }


Found = tuple[str, Mapping[str, tuple[float, MedianError | None]]]
"""The source in words, and value and error by case id."""


class Finder(Protocol):
    """Finds the values of a metric; known figures, by case id, save work."""

    def __call__(self, records: Sequence[RunRecord], figures: Mapping[str, CaseFigures] | None = None) -> Found:
        """The source in words, and the values."""


def step_times(records: Sequence[RunRecord], figures: Mapping[str, CaseFigures] | None = None) -> Found:
    """Medians without the machine's drift; visits are the replicates."""
    found = steady_step_times(records, figures)
    return "step time without the machine's drift", {
        case_id: (estimate.median, error) for case_id, (estimate, error) in found.items()
    }


def accuracies(records: Sequence[RunRecord], figures: Mapping[str, CaseFigures] | None = None) -> Found:
    """Medians of the final accuracies; seeds are the replicates."""
    del figures  # they have no final values
    finals = {record.case.id: final_values(record.measurement, "accuracy") for record in records if record.measurement}
    finals = {case_id: found for case_id, found in finals.items() if found}
    errors = final_errors(finals) if all(math.isfinite(one) for found in finals.values() for one in found) else {}
    return "final accuracy", {case_id: (median(found), errors.get(case_id)) for case_id, found in finals.items()}


def readings(name: str) -> Finder:
    """Finds the values of a metric that an instrument reads once."""

    def find(records: Sequence[RunRecord], figures: Mapping[str, CaseFigures] | None = None) -> Found:
        del figures  # an instrument's readings need no estimate
        by_source = [
            {
                record.case.id: found
                for record in records
                if record.measurement and (found := reading(record.measurement, source)) is not None
            }
            for source in READINGS[name]
        ]
        wanted = set().union(*by_source)
        whole = [place for place, found in enumerate(by_source) if set(found) == wanted]
        place = whole[0] if whole else max(range(len(by_source)), key=lambda one: len(by_source[one]))
        return READINGS[name][place].words, {case_id: (value, None) for case_id, value in by_source[place].items()}

    return find


def reading(measurement: Measurement, source: Source) -> float | None:
    """The largest reading of a source; None without one."""
    return max(
        (one.values[0] for one in measurement.surveyed if one.values and one.metric.name.startswith(source.beginning)),
        default=None,
    )


FINDERS: dict[str, Finder] = {
    "step_time": step_times,
    "peak_memory": readings("peak_memory"),
    "energy": readings("energy"),
    "accuracy": accuracies,
}
"""Metric -> function that finds its values."""
