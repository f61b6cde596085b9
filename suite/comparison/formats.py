"""A comparison as text, and as an exit code."""

from __future__ import annotations

import json
from dataclasses import asdict

from suite import units
from suite.analysis.exact_metrics import tolerance_of
from suite.analysis.thresholds import VERDICTS, Thresholds
from suite.comparison.changes import FEWEST, CaseChange, Comparison
from suite.errors import ExitCode
from suite.records import NotComparableError, Run
from suite.records.compatibility import IGNORED, TO_COMPARE, differences

NAMED = 2
"""Cases that a line names for one reason; it counts the others."""


def refuse_unlike(baseline: Run, candidate: Run) -> None:
    """Refuse runs of different machines, software or settings of workers.

    Raises:
        NotComparableError: `the environments of the runs differ: machine.processor: A, now B; allowed: ...`
    """
    before, after = baseline.header.environment, candidate.header.environment
    different = differences(before, after, TO_COMPARE, ignore=IGNORED)
    if different:
        raise NotComparableError(
            f"the environments of the runs differ: {'; '.join(different)}; allowed: the same machine, software and "
            "settings; measure both in one environment, or run `stepmark gate`."
        )


def exit_code(comparison: Comparison, limits: Thresholds) -> int:
    """Exit code of a comparison.

    Regression: a case is slower or takes more memory. Inconclusive: a case is inconclusive, or the common change may
    exceed the margin.

    Raises:
        NotComparableError: `the two runs measured no case in common; allowed: ...`
    """
    if not comparison.cases:
        raise NotComparableError(
            "the two runs measured no case in common; allowed: one or more; `stepmark export` lists the cases of a run."
        )
    if comparison.count("regression") or any(change.verdict == "regression" for change in comparison.memory):
        return ExitCode.REGRESSION
    if comparison.count("inconclusive") or comparison.shift_high > limits.margin:
        return ExitCode.INCONCLUSIVE
    return ExitCode.SUCCESS


def as_table(comparison: Comparison, limits: Thresholds) -> str:
    """Lines for a terminal: cases by slowdown, memory, the common change, the counts."""
    width = max([len("case"), *(len(case.id) for case in comparison.cases)])
    head = f"{'case':<{width}}  {'baseline':>9}  {'candidate':>9}  {'change':>7}  {'interval':>16}  verdict"
    lines = [head, *(case_line(case, width) for case in comparison.cases)]
    lines += not_compared(comparison)
    return "\n".join([*lines, "", *memory_lines(comparison), common_change(comparison), summary(comparison, limits)])


def not_compared(comparison: Comparison) -> list[str]:
    """One line for each reason, with the first cases that it applies to."""
    by_reason: dict[str, list[str]] = {}
    for case_id, reason in comparison.left_out:
        by_reason.setdefault(reason, []).append(case_id)
    return [
        f"not compared: {', '.join(ids[:NAMED])}{f' and {len(ids) - NAMED} more' if len(ids) > NAMED else ''}: {reason}"
        for reason, ids in by_reason.items()
    ]


def case_line(case: CaseChange, width: int) -> str:
    """One row of the table."""
    medians = "  ".join(f"{units.text(side.median, 's', 3):>9}" for side in (case.baseline, case.candidate))
    bounds = f"{case.low:+.1%} {case.high:+.1%}"
    return f"{case.id:<{width}}  {medians}  {case.change:>+7.1%}  {bounds:>16}  {verdict_text(case)}"


def verdict_text(case: CaseChange) -> str:
    """A verdict; an inconclusive one with its reason or its bound."""
    if case.verdict != "inconclusive":
        return case.verdict
    return f"inconclusive: {case.why_open or f'a slowdown above {case.ruled_out:.1%} is ruled out'}"


def memory_lines(comparison: Comparison) -> list[str]:
    """One line for each change of memory, and one for each metric."""
    lines = [
        f"{change.metric} {change.verdict}: {change.id} {units.whole(change.baseline, change.unit)} to "
        f"{units.whole(change.candidate, change.unit)}{'' if change.change is None else f', {change.change:+.1%}'}"
        for change in comparison.memory
        if change.verdict != "no change"
    ]
    for metric in dict.fromkeys(change.metric for change in comparison.memory):
        verdicts = [change.verdict for change in comparison.memory if change.metric == metric]
        lines.append(
            f"{metric}: no change in {verdicts.count('no change')} of {len(verdicts)} cases (regression: growth above "
            f"{tolerance_of(metric, comparison.memory_tolerance):.1%}; each run has read it once)"
        )
    return lines or ["memory is not compared: one of the runs did not measure it"]


def common_change(comparison: Comparison) -> str:
    """The change that all cases share, and how much cases differ from it."""
    if len(comparison.cases) < FEWEST:
        return (
            f"fewer than {FEWEST} cases: the common change is unknown; assumed spread between two runs: "
            f"{comparison.noise:.1%} (standard deviation)"
        )
    interval = f"{comparison.shift_low:+.1%} to {comparison.shift_high:+.1%}"
    return (
        f"common change of all cases: {comparison.shift:+.1%} ({interval}), removed, because two runs cannot separate "
        f"the machine from the code; remaining spread between cases: {comparison.noise:.1%} (standard deviation)"
    )


def summary(comparison: Comparison, limits: Thresholds) -> str:
    """Counts of the verdicts, and the limits that define them."""
    counts = ", ".join(f"{comparison.count(verdict)} {verdict}" for verdict in VERDICTS if comparison.count(verdict))
    rules = (
        f"regression: a slowdown above {limits.tolerance:.1%} is shown; "
        f"no change: a slowdown of {limits.margin:.1%} is ruled out"
    )
    left = f", {len(comparison.left_out)} not compared" if comparison.left_out else ""
    return f"{counts or 'no case'} of {len(comparison.cases)}{left} ({rules})"


def as_json(comparison: Comparison, limits: Thresholds) -> str:
    """The comparison and its limits as one JSON object."""
    return json.dumps({"limits": asdict(limits), **asdict(comparison)}, indent=2)


FORMATS = {"table": as_table, "json": as_json}
"""Name of the format -> function that renders it."""
