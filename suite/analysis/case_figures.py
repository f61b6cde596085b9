"""What the page says of each measured case, computed once from the rounds as they were taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from suite.analysis.estimates import Estimate, kept_rounds, throughput, undisturbed
from suite.analysis.intervals import estimates
from suite.analysis.run_validity import issues_of_run
from suite.analysis.validity import Issue
from suite.records import Case, Measurement, RunRecord


@dataclass(frozen=True, slots=True)
class Facts:
    """One measured case with its figures.

    Attributes:
        step_time: median of the rounds that count, in seconds, with its interval (`suite.analysis.intervals`).
        rounds: step times of the rounds that count, in seconds, in ascending order.
        taken: rounds before the disturbed ones were set aside.
        disturbed: rounds whose threads queued behind other processes; None where that was not recorded.
        throughput: images per second, all images over all time of the rounds that count.
        cpu_time_s, minor_faults: medians of the rounds that count, per step; None where not recorded.
        visit_medians_s: medians of the rounds that count, one for each visit that has some.
        peak_memory_bytes: the highest resident set in any phase; None where no survey was made.
        issues: reasons to trust the figures less; none where the case is steady.
    """

    record: RunRecord
    measurement: Measurement
    step_time: Estimate
    rounds: list[float]
    taken: int
    disturbed: int | None
    throughput: float
    cpu_time_s: float | None
    minor_faults: float | None
    visit_medians_s: list[float]
    peak_memory_bytes: float | None
    issues: tuple[Issue, ...]

    @property
    def case(self) -> Case:
        """The case that the figures are of."""
        return self.record.case

    @property
    def set_aside(self) -> int:
        """Rounds that do not count since they were disturbed."""
        return self.taken - self.step_time.rounds

    @property
    def spread(self) -> float:
        """The largest median of a visit over the smallest: 1 where passes agree wholly, or there is only one."""
        smallest = min(self.visit_medians_s, default=0.0)
        return max(self.visit_medians_s) / smallest if smallest else 1.0

    def stopped_by(self, reason: str) -> int:
        """Visits that ended for `reason`, which is `precision`, `time` or `epochs`."""
        return sum(visit.stopped_by == reason for visit in self.measurement.visits)

    @property
    def unsettled(self) -> int:
        """Visits whose step time had not settled when their rounds began to count."""
        return sum(not visit.steady for visit in self.measurement.visits)


def facts_of_run(records: Sequence[RunRecord]) -> list[Facts]:
    """The figures of each case of a run that has a round of step time."""
    known, by_case = estimates(records), issues_of_run(records)
    return [
        facts_of(record, record.measurement, known[record.case.id], by_case[record.case.id])
        for record in records
        if record.measurement is not None and record.case.id in known
    ]


def facts_of(record: RunRecord, measurement: Measurement, step_time: Estimate, issues: Sequence[Issue]) -> Facts:
    """The figures of a case whose interval and issues are known from its run."""
    turns = kept_rounds(measurement)
    return Facts(
        record=record,
        measurement=measurement,
        step_time=step_time,
        rounds=sorted(value for turn in turns for value in turn),
        taken=len(measurement.values("step_time")),
        disturbed=disturbed(measurement),
        throughput=throughput(measurement, record.case.batch_size) or 0.0,
        cpu_time_s=middle(measurement, "cpu_time"),
        minor_faults=middle(measurement, "minor_faults"),
        visit_medians_s=visit_medians(measurement, turns),
        peak_memory_bytes=peak_memory(measurement),
        issues=tuple(issues),
    )


def peak_memory(measurement: Measurement) -> float | None:
    """The highest resident set in any phase that a survey told apart."""
    peaks = [one.values[:1] for one in measurement.surveyed if one.metric.name.startswith("memory_peak_")]
    return max((found for one in peaks for found in one), default=None)


def disturbed(measurement: Measurement) -> int | None:
    """Rounds whose threads had to queue; None where no queueing was recorded."""
    cpu_s, queue_s = measurement.values("cpu_time"), measurement.values("queue_time")
    return undisturbed(cpu_s, queue_s).count(False) if cpu_s and queue_s else None


def middle(measurement: Measurement, metric: str) -> float | None:
    """The median of a metric in the rounds that count."""
    values = [value for turn in kept_rounds(measurement, metric) for value in turn]
    return median(values) if values else None


def visit_medians(measurement: Measurement, turns: list[list[float]]) -> list[float]:
    """The median of each visit's turns; visits without a counted round are left out."""
    medians: list[float] = []
    start = 0
    for visit in measurement.visits:
        end = start + len(visit.turns)
        values = [value for turn in turns[start:end] for value in turn]
        medians += [median(values)] if values else []
        start = end
    return medians
