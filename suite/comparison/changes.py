"""Two stored runs -> the change and verdict of each case."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from suite.analysis.case_figures import CaseFigures, figures_of, kept_values, step_times_without_drift
from suite.analysis.change import Change
from suite.analysis.estimates import Estimate, student_quantile
from suite.analysis.issue import EXTERNAL_KINDS
from suite.analysis.thresholds import ChangeVerdict, Thresholds
from suite.comparison.memory import compare_memory
from suite.records import Run, RunRecord
from suite.records.rounds import STEP_TIME

FEWEST = 5
"""Fewest cases in both runs that give an estimate of the common change and of the spread around it."""
BETWEEN_RUNS = 0.05
"""Standard deviation of the log of the machine's change between two runs, used for fewer than `FEWEST` cases.

Runs within one quarter of an hour differed by 2 to 11 % (docs/results.md)."""
NORMAL_SCALE = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
MEDIAN_ERROR = 1.2533
"""Standard error of the median of a normal sample over that of its mean."""
INTERVAL = 1.96
"""Standard errors from the middle of an interval of 95 % to either end."""
PASS_LEVEL = 0.05
"""Chance to call a case unchanged that is slower by the margin."""
LARGEST_LOG = 700.0
"""Logs above it have no ratio that a float can hold."""
LEAST_LOG = 34.0
"""Logs below its negative have a change that is -1 to a float; a step time without such a change is divided by 0."""
FEW_DEGREES = 10
"""Degrees of freedom of `BETWEEN_RUNS`: about the number of pairs of runs that it comes from."""

MEMORY_TOLERANCE = 0.05
"""Default growth of memory that is no regression; above the gate's, because each run has read memory only once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseChange(Change):
    """The change of one case's step time, without the common change.

    Its bounds are joint over all cases at the alpha of the limits; `ruled_out` is for this case alone.

    Attributes:
        baseline, candidate: step times as measured.
    """

    baseline: Estimate
    candidate: Estimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """All changes between two runs.

    Attributes:
        cases: the largest slowdown first.
        shift: relative common change of all cases; 0.0 if fewer than `FEWEST` cases are compared.
        shift_low, shift_high: its interval at 95 %.
        noise: relative standard deviation of the changes of cases around the common change.
        left_out: cases that cannot be compared, and why.
        memory: changes by case and metric, if both runs have read the metric; the largest growth first.
        memory_tolerance: growth of memory that is no regression.
    """

    cases: tuple[CaseChange, ...]
    shift: float
    shift_low: float
    shift_high: float
    noise: float
    left_out: tuple[tuple[str, str], ...]
    memory: tuple[Change, ...] = ()
    memory_tolerance: float = MEMORY_TOLERANCE

    def count(self, verdict: ChangeVerdict) -> int:
        """Number of cases whose step time has that verdict."""
        return sum(case.verdict == verdict for case in self.cases)


@dataclass(frozen=True, slots=True)
class Pair:
    """One case as both runs measured it.

    Attributes:
        baseline, candidate: step times as measured.
        log_ratio: log of candidate over baseline, both without drift.
        error: standard error of `log_ratio`.
        disturbed: interference in either run; empty if there was none.
    """

    id: str
    baseline: Estimate
    candidate: Estimate
    log_ratio: float
    error: float
    disturbed: str


@dataclass(frozen=True, slots=True)
class Side:
    """A run with its figures, read once however often it is compared.

    Attributes:
        records, figures: by case id.
        steady: step times without the machine's drift, by case id.
    """

    run: Run
    records: dict[str, RunRecord]
    figures: dict[str, CaseFigures]
    steady: dict[str, Estimate]


def side_of(run: Run) -> Side:
    """The figures of a run."""
    records = {record.case.id: record for record in run.cases}
    figures = figures_of(run.cases)
    return Side(run, records, figures, step_times_without_drift(run.cases, figures))


def compare(
    baseline: Run, candidate: Run, limits: Thresholds, memory_tolerance: float = MEMORY_TOLERANCE
) -> Comparison:
    """Judge the cases that both runs have measured; there may be none."""
    return compare_sides(side_of(baseline), side_of(candidate), limits, memory_tolerance)


def compare_sides(before: Side, after: Side, limits: Thresholds, memory_tolerance: float) -> Comparison:
    """The same of runs whose figures are known.

    Changes have neither the common change nor the machine's drift within each run. The step times of each run are
    shown as measured.
    """
    pairs, records, left_out = [], [], []
    for case_id in dict.fromkeys((*before.records, *after.records)):
        reason = why_not_compared(before.records.get(case_id), after.records.get(case_id))
        if reason:
            left_out.append((case_id, reason))
        else:
            records.append((before.records[case_id], after.records[case_id]))
            pairs.append(pair_of(case_id, before, after))
    comparison = judge(pairs, tuple(left_out), limits)
    return replace(comparison, memory=compare_memory(records, memory_tolerance), memory_tolerance=memory_tolerance)


def pair_of(case_id: str, before: Side, after: Side) -> Pair:
    """One case as both sides measured it."""
    return Pair(
        id=case_id,
        baseline=before.figures[case_id].step_time,
        candidate=after.figures[case_id].step_time,
        log_ratio=math.log(after.steady[case_id].median / before.steady[case_id].median),
        error=math.hypot(*(log_error(side.steady[case_id]) for side in (before, after))),
        disturbed=interference_in(before.figures[case_id], after.figures[case_id]),
    )


def why_not_compared(before: RunRecord | None, after: RunRecord | None) -> str:
    """Reason why a case cannot be compared; empty if it can."""
    for record, run in ((before, "baseline"), (after, "candidate")):
        if record is None:
            return f"it is not in the {run}"
        if record.outcome != "measured" or record.measurement is None:
            verb = "failed" if record.outcome == "failed" else f"was {record.outcome}"
            return f"it {verb} in the {run}: {record.reason}"
        if not kept_values(record.measurement):
            return f"it has no rounds in the {run}"
    return ""


def interference_in(before: CaseFigures, after: CaseFigures) -> str:
    """Interference that kernel counters show in either run; empty if they show none."""
    texts = []
    for figures, run in ((before, "baseline"), (after, "candidate")):
        kinds = [issue.kind for issue in figures.issues if issue.kind in EXTERNAL_KINDS]
        texts += [f"{', '.join(kinds)} in the {run}"] if kinds else []
    return "; ".join(texts)


def log_error(estimate: Estimate) -> float:
    """Standard error of the log of a median, from its interval."""
    return math.log(estimate.high / estimate.low) / 2 / INTERVAL if estimate.low > 0 else math.inf


def judge(pairs: Sequence[Pair], left_out: tuple[tuple[str, str], ...], limits: Thresholds) -> Comparison:
    """Subtract the common change, and judge the rest of each case."""
    ratios = [pair.log_ratio for pair in pairs]
    count = len(pairs)
    if count < FEWEST:
        shift, noise, shift_error, degrees = 0.0, BETWEEN_RUNS, 0.0, FEW_DEGREES
    else:
        shift, degrees = median(ratios), count - 1
        noise, spread = noise_between([ratio - shift for ratio in ratios], [pair.error for pair in pairs])
        shift_error = MEDIAN_ERROR * spread / math.sqrt(count)
    joint_quantile = student_quantile(1 - limits.alpha / max(2 * count, 2), degrees)
    single_quantile = student_quantile(1 - PASS_LEVEL, degrees)
    changes = [
        judge_case(pair, shift, math.hypot(pair.error, noise, shift_error), joint_quantile, single_quantile, limits)
        for pair in pairs
    ]
    reach = student_quantile(0.975, degrees) * shift_error
    return Comparison(
        cases=tuple(sorted(changes, key=lambda case: -case.change)),
        shift=relative(shift),
        shift_low=relative(shift - reach),
        shift_high=relative(shift + reach),
        noise=relative(noise),
        left_out=left_out,
    )


def noise_between(residuals: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """Standard deviations of the cases, without and with the errors of their medians.

    Both come from medians over the cases, so that a few cases that really changed hardly count.
    """
    spread = NORMAL_SCALE * median(map(abs, residuals)) * math.sqrt(len(residuals) / (len(residuals) - 1))
    return math.sqrt(max(0.0, spread**2 - median(errors) ** 2)), spread


def relative(log: float) -> float:
    """The relative change of a log: as large as a float may be at most, and above -1."""
    return math.expm1(max(-LEAST_LOG, min(log, LARGEST_LOG)))


def judge_case(
    pair: Pair, shift: float, error: float, joint_quantile: float, single_quantile: float, limits: Thresholds
) -> CaseChange:
    """Judge a case without the common change.

    Interference makes it inconclusive; kernel counters show interference, never the step time.
    """
    change = pair.log_ratio - shift
    low, high = change - joint_quantile * error, change + joint_quantile * error
    ruled_out = relative(change + single_quantile * error)
    verdict: ChangeVerdict = "inconclusive"
    if not pair.disturbed:
        if low > math.log1p(limits.tolerance):
            verdict = "regression"
        elif high < -math.log1p(limits.tolerance):
            verdict = "improvement"
        elif ruled_out < limits.margin:
            verdict = "no change"
    return CaseChange(
        name=pair.id,
        metric=STEP_TIME,
        unit="s",
        verdict=verdict,
        change=relative(change),
        low=relative(low),
        high=relative(high),
        ruled_out=ruled_out,
        baseline_median=pair.baseline.median,
        candidate_median=pair.candidate.median,
        reason=pair.disturbed,
        baseline=pair.baseline,
        candidate=pair.candidate,
    )
