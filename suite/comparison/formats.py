"""A comparison as text, and as an exit code."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

from suite import units
from suite.analysis import change_text
from suite.analysis.change import Change
from suite.analysis.change_text import aligned
from suite.analysis.exact_metrics import tolerance_of
from suite.analysis.thresholds import VERDICTS, Thresholds
from suite.comparison.changes import FEWEST, CaseChange, Comparison
from suite.errors import ExitCode
from suite.records import NotComparableError, Run
from suite.records.compatibility import IGNORED, TO_COMPARE, differences

NAMED = 2
"""Cases that a line names for one reason; it counts the others."""
HEAD = ("case", "baseline", "candidate", "change", "interval", "verdict")
LEFT = {0, 5}
"""Columns aligned to the left, because they contain words."""


def refuse_unlike(baseline: Run, candidate: Run) -> None:
    """Refuse runs of different machines, software or settings of workers.

    Raises:
        NotComparableError: `the environments of the runs differ: machine.processor: A, now B; allowed: ...`
    """
    different = unlike_facts(baseline, candidate)
    if different:
        raise NotComparableError(
            f"the environments of the runs differ: {'; '.join(different)}; allowed: the same machine, software and "
            "settings; measure both in one environment, or run `stepmark gate`."
        )


def unlike_facts(baseline: Run, candidate: Run) -> list[str]:
    """Facts whose difference keeps two runs from being compared, as `name: a, now b`."""
    before, after = baseline.header.environment, candidate.header.environment
    return differences(before, after, TO_COMPARE, ignore=IGNORED)


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
    lines = aligned([HEAD, *(cells(case) for case in comparison.cases)], LEFT)
    lines += not_compared(comparison)
    return "\n".join([*lines, "", *memory_lines(comparison), common_change(comparison), summary(comparison, limits)])


def not_compared(comparison: Comparison) -> list[str]:
    """One line for each reason, with the first cases that it applies to."""
    by_reason = cases_by_reason(comparison)
    return [
        f"not compared: {', '.join(ids[:NAMED])}{f' and {len(ids) - NAMED} more' if len(ids) > NAMED else ''}: {reason}"
        for reason, ids in by_reason.items()
    ]


def cases_by_reason(comparison: Comparison) -> dict[str, list[str]]:
    """Cases that were not compared, by reason."""
    by_reason: dict[str, list[str]] = {}
    for case_id, reason in comparison.left_out:
        by_reason.setdefault(reason, []).append(case_id)
    return by_reason


def cells(case: CaseChange) -> tuple[str, ...]:
    """One row of the table; interference leaves no bound."""
    shown = replace(case, ruled_out=math.inf) if case.reason else case
    return (case.name, *change_text.figures(case), change_text.verdict(shown))


def memory_lines(comparison: Comparison) -> list[str]:
    """One line for each change of memory, and one for each metric."""
    lines = [memory_line(change) for change in comparison.memory if change.verdict != "no change"]
    lines += metric_lines(comparison)
    return lines or ["memory is not compared: one of the runs did not measure it"]


def metric_lines(comparison: Comparison) -> list[str]:
    """The number of unchanged cases of each metric of memory."""
    lines = []
    for metric in dict.fromkeys(change.metric for change in comparison.memory):
        verdicts = [change.verdict for change in comparison.memory if change.metric == metric]
        tolerance = units.percent_as_given(tolerance_of(metric, comparison.memory_tolerance))
        lines.append(
            f"{metric}: no change in {verdicts.count('no change')} of {len(verdicts)} cases (regression: growth above "
            f"{tolerance}; each run has read it once)"
        )
    return lines


def memory_line(change: Change) -> str:
    """A change of memory: `peak_memory regression: a 47.68 MiB to 50.54 MiB, +6.0 %`."""
    share = "" if change_text.is_from_zero(change) else f", {change_text.percent(change)}"
    return f"{change.metric} {change.verdict}: {change.name} {' to '.join(change_text.medians(change))}{share}"


def common_change(comparison: Comparison) -> str:
    """The change that all cases share, and how much cases differ from it."""
    noise = f"{units.percent(comparison.noise)} (standard deviation)"
    if len(comparison.cases) < FEWEST:
        return f"fewer than {FEWEST} cases: the common change is unknown; assumed spread between two runs: {noise}"
    interval = units.percent_interval(comparison.shift_low, comparison.shift_high)
    return (
        f"common change of all cases: {units.percent(comparison.shift, sign=True)} ({interval}), removed, because two "
        f"runs cannot separate the machine from the code; remaining spread between cases: {noise}"
    )


def summary(comparison: Comparison, limits: Thresholds) -> str:
    """Counts of the verdicts, and the limits that define them."""
    counts = ", ".join(f"{comparison.count(verdict)} {verdict}" for verdict in VERDICTS if comparison.count(verdict))
    rules = (
        f"regression: a slowdown above {units.percent_as_given(limits.tolerance)} is shown; "
        f"no change: a slowdown of {units.percent_as_given(limits.margin)} is ruled out"
    )
    left = f", {len(comparison.left_out)} not compared" if comparison.left_out else ""
    total = len(comparison.cases)
    return f"{counts or 'no case'} of {total:,} {'case' if total == 1 else 'cases'}{left} ({rules})"


def as_json(comparison: Comparison, limits: Thresholds) -> str:
    """The comparison and its limits as one JSON object."""
    facts = {
        **asdict(comparison),
        "cases": [case_facts(case) for case in comparison.cases],
        "memory": [memory_facts(change) for change in comparison.memory],
    }
    return json.dumps({"limits": asdict(limits), **facts}, indent=2)


def case_facts(case: CaseChange) -> dict[str, object]:
    """A case under the names that JSON has for it."""
    return {
        "id": case.name,
        "baseline": asdict(case.baseline),
        "candidate": asdict(case.candidate),
        "change": case.change,
        "low": case.low,
        "high": case.high,
        "ruled_out": case.ruled_out,
        "verdict": case.verdict,
        "why_open": case.reason,
    }


def memory_facts(change: Change) -> dict[str, object]:
    """A change of memory under the names that JSON has for it; null for one from zero."""
    return {
        "id": change.name,
        "metric": change.metric,
        "unit": change.unit,
        "baseline": change.baseline_median,
        "candidate": change.candidate_median,
        "change": change.change if math.isfinite(change.change) else None,
        "verdict": change.verdict,
    }


FORMATS = {"table": as_table, "json": as_json}
"""Name of the format -> function that renders it."""
