"""Two stored runs -> each case's change beside what all have in common, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from suite.analysis.case_figures import CaseFigures, figures_of, kept_values, step_times_without_drift
from suite.analysis.estimates import Estimate, student_quantile
from suite.analysis.issue import EXTERNAL_KINDS
from suite.analysis.thresholds import ChangeVerdict, Thresholds
from suite.comparison.memory import MemoryChange, compare_memory
from suite.records import Run, RunRecord

FEWEST = 5
"""Cases that both runs have measured from which they tell what they have in common, and how far each parts from it."""
BETWEEN_RUNS = 0.05
"""Standard deviation of the log of what the machine changes between two runs where too few cases are there to tell it:
runs of one quarter of an hour differed by 2 to 11 % (docs/results.md)."""
NORMAL_SCALE = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""
MEDIAN_ERROR = 1.2533
"""Standard error of a normal sample's median over that of its mean."""
INTERVAL = 1.96
"""Standard errors on either side of an interval of 95 %."""
PASS_LEVEL = 0.05
"""Chance to call a case no slower that is slower by the margin."""
FEW_DEGREES = 10
"""Degrees of freedom of `BETWEEN_RUNS`: about as many pairs of runs as it is known from."""

MEMORY_TOLERANCE = 0.05
"""Growth of memory that is no regression, unless the user says else: each run has read it once."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One case in both runs.

    Attributes:
        change: of the step time beside what all cases have in common; 0.05 is 5 % slower.
        low, high: bounds of the change, joint over all cases at the level of the limits.
        ruled_out: slowdown that is shown not to be exceeded, for this case alone.
        why_open: what of the machine's doing leaves it open; empty where it is the noise.
    """

    id: str
    baseline: Estimate
    candidate: Estimate
    change: float
    low: float
    high: float
    ruled_out: float
    verdict: ChangeVerdict
    why_open: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs.

    Attributes:
        cases: the largest slowdown first.
        shift: relative change that all cases have in common; 0.0 where they are too few to tell.
        shift_low, shift_high: bounds of that, at 95 %.
        noise: standard deviation of what parts a case from the others between the runs, relative.
        left_out: cases that cannot be compared, and why.
        memory: by case and metric, of cases that both runs have surveyed; the largest growth first.
        memory_tolerance: growth of memory above which it is a regression.
    """

    cases: tuple[Compared, ...]
    shift: float
    shift_low: float
    shift_high: float
    noise: float
    left_out: tuple[tuple[str, str], ...]
    memory: tuple[MemoryChange, ...] = ()
    memory_tolerance: float = MEMORY_TOLERANCE

    def count(self, verdict: ChangeVerdict) -> int:
        """Cases whose step time has that verdict."""
        return sum(one.verdict == verdict for one in self.cases)


@dataclass(frozen=True, slots=True)
class Pair:
    """A case in both runs: figures as measured; log of candidate over baseline without drift, with standard error;
    what disturbed either.
    """

    id: str
    baseline: Estimate
    candidate: Estimate
    log_ratio: float
    error: float
    disturbed: str


def compare(
    baseline: Run, candidate: Run, limits: Thresholds, memory_tolerance: float = MEMORY_TOLERANCE
) -> Comparison:
    """Judge the cases that both have measured. There may be none.

    Changes are judged beside what all cases have in common, and so with the machine's drift within each run taken out;
    the figures that are shown of each run are as measured.
    """
    before, after = ({one.case.id: one for one in run.cases} for run in (baseline, candidate))
    known = [figures_of(run.cases) for run in (baseline, candidate)]
    steady = [step_times_without_drift(run.cases) for run in (baseline, candidate)]
    pairs, both, left_out = [], [], []
    for case_id in dict.fromkeys((*before, *after)):
        reason = unpaired(before.get(case_id), after.get(case_id))
        if reason:
            left_out.append((case_id, reason))
        else:
            both.append((before[case_id], after[case_id]))
            pairs.append(
                Pair(
                    id=case_id,
                    baseline=known[0][case_id].step_time,
                    candidate=known[1][case_id].step_time,
                    log_ratio=math.log(steady[1][case_id].median / steady[0][case_id].median),
                    error=math.hypot(*(log_error(one[case_id]) for one in steady)),
                    disturbed=disturbances(*(one[case_id] for one in known)),
                )
            )
    found = judged(pairs, tuple(left_out), limits)
    return replace(found, memory=compare_memory(both, memory_tolerance), memory_tolerance=memory_tolerance)


def unpaired(before: RunRecord | None, after: RunRecord | None) -> str:
    """Why a case cannot be compared; empty where it can."""
    for record, run in ((before, "baseline"), (after, "candidate")):
        if record is None:
            return f"it is not in the {run}"
        if record.outcome != "measured" or record.measurement is None:
            return f"it was {record.outcome} in the {run}: {record.reason}"
        if not kept_values(record.measurement):
            return f"it has no rounds in the {run}"
    return ""


def disturbances(before: CaseFigures, after: CaseFigures) -> str:
    """What the kernel said of others' disturbance in either run; empty where it said nothing."""
    seen = []
    for figures, run in ((before, "baseline"), (after, "candidate")):
        kinds = [issue.kind for issue in figures.issues if issue.kind in EXTERNAL_KINDS]
        seen += [f"{', '.join(kinds)} in the {run}"] if kinds else []
    return "; ".join(seen)


def log_error(known: Estimate) -> float:
    """Standard error of the log of a median, from its interval."""
    return math.log(known.high / known.low) / 2 / INTERVAL if known.low > 0 else math.inf


def judged(pairs: Sequence[Pair], left_out: tuple[tuple[str, str], ...], limits: Thresholds) -> Comparison:
    """What all have in common taken out, and each judged by what is left."""
    ratios = [pair.log_ratio for pair in pairs]
    count = len(pairs)
    if count < FEWEST:
        shift, noise, shift_error, degrees = 0.0, BETWEEN_RUNS, 0.0, FEW_DEGREES
    else:
        shift, degrees = median(ratios), count - 1
        noise, spread = noise_between([one - shift for one in ratios], [pair.error for pair in pairs])
        shift_error = MEDIAN_ERROR * spread / math.sqrt(count)
    jointly = student_quantile(1 - limits.alpha / max(2 * count, 2), degrees)
    alone = student_quantile(1 - PASS_LEVEL, degrees)
    found = [
        one_case(pair, shift, math.hypot(pair.error, noise, shift_error), jointly, alone, limits) for pair in pairs
    ]
    reach = student_quantile(0.975, degrees) * shift_error
    return Comparison(
        cases=tuple(sorted(found, key=lambda one: -one.change)),
        shift=math.expm1(shift),
        shift_low=math.expm1(shift - reach),
        shift_high=math.expm1(shift + reach),
        noise=math.expm1(noise),
        left_out=left_out,
    )


def noise_between(residuals: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """What parts cases between the runs beyond the errors of their medians, and all that parts them: both as standard
    deviations, by the middle of the cases, so that some that have really changed hardly count.
    """
    spread = NORMAL_SCALE * median(abs(one) for one in residuals) * math.sqrt(len(residuals) / (len(residuals) - 1))
    return math.sqrt(max(0.0, spread**2 - median(errors) ** 2)), spread


def one_case(pair: Pair, shift: float, error: float, jointly: float, alone: float, limits: Thresholds) -> Compared:
    """A case's change beside the shift. What was read of the machine, never the step time, may leave it open."""
    change = pair.log_ratio - shift
    low, high = change - jointly * error, change + jointly * error
    ruled_out = math.expm1(change + alone * error)
    verdict: ChangeVerdict = "inconclusive"
    if not pair.disturbed:
        if low > math.log1p(limits.tolerance):
            verdict = "regression"
        elif high < -math.log1p(limits.tolerance):
            verdict = "improvement"
        elif ruled_out < limits.margin:
            verdict = "no change"
    return Compared(
        pair.id,
        pair.baseline,
        pair.candidate,
        math.expm1(change),
        math.expm1(low),
        math.expm1(high),
        ruled_out,
        verdict,
        pair.disturbed,
    )
