"""The one door to a case's figures: kept rounds, and estimates from them.

Page, exports, pytest-benchmark's table, comparison and doctor read through here, so that all of them agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from suite.analysis.drift import drift_factors, kept_of
from suite.analysis.estimates import Estimate, Kept, MedianError, kept_rounds, median_of_ordered, throughput
from suite.analysis.intervals import estimates_and_errors
from suite.analysis.issue import Issue
from suite.analysis.learning_curves import FINAL_METRICS, final_values
from suite.analysis.run_validity import issues_of_run
from suite.records import DEFAULT_TASK, Case, Measurement, Metric, RunRecord, Stop
from suite.records.selected import whole_of

PROCESS_COUNTERS = ("minor_faults", "major_faults", "involuntary_switches")
"""Counts of the kernel for the whole process; every step has some."""


@dataclass(frozen=True, slots=True)
class CaseFigures:
    """A case that has a round of step time, with its figures.

    Attributes:
        chosen: the rounds that count, for all metrics.
        step_time: median of the kept rounds, in seconds, with its interval (`suite.analysis.intervals`).
        error: of its log; None for a case with a round that is not above 0.
        rounds: step times of the kept rounds, in seconds, in ascending order.
        taken: kept and discarded rounds.
        disturbed: rounds whose threads queued behind other processes; None where that was not recorded.
        throughput: examples per second, all examples over all time of the kept rounds.
        cpu_time_s, minor_faults: medians of the kept rounds, per step; None where not recorded.
        visit_medians_s: medians of the kept rounds, one for each visit; None for a visit without any.
        peak_memory_bytes: the highest resident set in any phase; None where the instrument did not run.
        readings: what instruments measured, by metric.
        issues: reasons to trust the figures less; none if the case is steady.
    """

    record: RunRecord
    measurement: Measurement
    chosen: Kept
    step_time: Estimate
    error: MedianError | None
    rounds: list[float]
    taken: int
    disturbed: int | None
    throughput: float
    cpu_time_s: float | None
    minor_faults: float | None
    visit_medians_s: list[float | None]
    peak_memory_bytes: float | None
    readings: Mapping[str, tuple[float, ...]]
    issues: tuple[Issue, ...]

    @property
    def case(self) -> Case:
        """The case of the record."""
        return self.record.case

    @property
    def is_measured(self) -> bool:
        """Whether the case was measured to its end; a failed one has partial figures."""
        return self.record.outcome == "measured"

    @property
    def discarded(self) -> int:
        """Disturbed rounds that are not kept."""
        return self.taken - self.step_time.rounds

    @property
    def spread(self) -> float:
        """Largest over smallest median of a visit; 1 with a single visit."""
        known = [one for one in self.visit_medians_s if one is not None]
        smallest = min(known, default=0.0)
        return max(known) / smallest if smallest else 1.0

    @property
    def unsteady_visits(self) -> int:
        """Visits whose step time still moved when the warm-up's time ran out."""
        return sum(not visit.steady for visit in self.measurement.visits)

    def stopped_by(self, reason: Stop) -> int:
        """Visits that ended for `reason`: `precision`, `time` or `epochs`."""
        return [visit.stopped_by for visit in self.measurement.visits].count(reason)

    def kept(self, metric: str = "step_time") -> list[float]:
        """Kept rounds of a metric, in the order in which they were taken."""
        return self.chosen.values(metric)


def figures_of(records: Sequence[RunRecord]) -> dict[str, CaseFigures]:
    """Figures by case id of the cases with a round of step time, in their order.

    Those of selected records (`suite.records.selected`) are the same as among all of the run.
    """
    whole = whole_of(records)
    kept = kept_of(whole)
    step_times = estimates_and_errors(whole, kept)
    issues = issues_of_run(whole, kept)
    return {
        one.case.id: case_figures(one, kept[one.case.id], *step_times[one.case.id], issues[one.case.id])
        for one in records
        if one.measurement is not None and one.case.id in step_times
    }


def step_times_without_drift(
    records: Sequence[RunRecord], figures: Mapping[str, CaseFigures] | None = None
) -> dict[str, Estimate]:
    """Step times without the machine's drift, for comparisons of cases.

    The arguments are those of `steady_step_times`.
    """
    return {case_id: known for case_id, (known, _) in steady_step_times(records, figures).items()}


def steady_step_times(
    records: Sequence[RunRecord], figures: Mapping[str, CaseFigures] | None = None
) -> dict[str, tuple[Estimate, MedianError | None]]:
    """Step times without the machine's drift, each with the error of its log.

    A case with a round that is not above 0 has no error.

    Args:
        records: of a run.
        figures: those of cases of the run by id, if they are known already.
    """
    whole, known = whole_of(records), figures or {}
    kept = {case_id: one.chosen for case_id, one in known.items()}
    kept |= kept_of(one for one in whole if one.case.id not in kept)
    factors = drift_factors(whole, kept)
    if not factors and kept.keys() == known.keys():  # the machine's drift changes none
        found = [known[one.case.id] for one in whole if one.case.id in known]
        return {one.case.id: (one.step_time, one.error) for one in found}
    return estimates_and_errors(whole, kept | {case_id: kept[case_id].scaled(by) for case_id, by in factors.items()})


def kept_values(measurement: Measurement, metric: str = "step_time") -> list[float]:
    """Kept rounds of a metric, in order; none if it was not measured."""
    return [value for turn in kept_rounds(measurement, metric) for value in turn]


def metric_values(figures: CaseFigures) -> Iterator[tuple[Metric, list[float]]]:
    """Each metric of a case with the values that its figure is the median of.

    Values of the kept rounds, one for each visit, or an instrument's readings. `FINAL_METRICS` have the last value of
    each visit, and counts that most rounds lack have their mean.
    """
    measurement = figures.measurement
    for one in measurement.series:
        name = one.metric.name
        if name in FINAL_METRICS:
            yield one.metric, final_values(measurement, name)
        else:
            kept = figures.kept(name)
            yield one.metric, [fmean(kept)] if kept and is_rare(one.metric) else kept
    for one in (*measurement.per_visit, *measurement.surveyed):
        yield one.metric, list(one.values)


def is_rare(metric: Metric) -> bool:
    """Whether a metric counts what most rounds lack, so that their median says 0.

    Those of the process are not rare: their median is that of an undisturbed round.
    """
    return metric.unit == "count" and metric.name not in PROCESS_COUNTERS


def case_figures(
    record: RunRecord, chosen: Kept, step_time: Estimate, error: MedianError | None, issues: Sequence[Issue]
) -> CaseFigures:
    """Figures of a case whose kept rounds, interval and issues are known from its run."""
    measurement = chosen.measurement
    return CaseFigures(
        record=record,
        measurement=measurement,
        chosen=chosen,
        step_time=step_time,
        error=error,
        rounds=chosen.ordered,
        taken=len(measurement.values("step_time")),
        disturbed=chosen.disturbed,
        throughput=throughput(measurement, record.case.batch_size, chosen.turns) or 0.0,
        cpu_time_s=median_of(chosen, "cpu_time"),
        minor_faults=median_of(chosen, "minor_faults"),
        visit_medians_s=[median_of_ordered(visit) if visit else None for visit in chosen.visits],
        peak_memory_bytes=peak_memory(measurement),
        readings={one.metric.name: one.values for one in reversed(measurement.surveyed)},  # the first of a name counts
        issues=tuple(issues),
    )


def peak_memory(measurement: Measurement) -> float | None:
    """Highest resident set in any phase; None without the instrument of memory."""
    peaks = [one.values[:1] for one in measurement.surveyed if one.metric.name.startswith("memory_peak_")]
    return max((found for one in peaks for found in one), default=None)


def median_of(chosen: Kept, metric: str) -> float | None:
    """Median of a metric in the kept rounds; None if it was not measured."""
    values = chosen.values(metric)
    return median(values) if values else None


def examples_noun(cases: Iterable[Case]) -> str:
    """The noun of what batches have: `images`; `examples` if a case has another task."""
    return "images" if all(case.task == DEFAULT_TASK for case in cases) else "examples"
