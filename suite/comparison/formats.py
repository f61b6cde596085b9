"""A comparison as text, and as an exit code."""

from __future__ import annotations

import json
from dataclasses import asdict

from suite import units
from suite.analysis.exact_metrics import tolerance_of
from suite.analysis.thresholds import VERDICTS, Thresholds
from suite.comparison.changes import FEWEST, Compared, Comparison
from suite.errors import ExitCode
from suite.records import NotComparableError, Run
from suite.records.compatibility import IGNORED, TO_COMPARE, differences

NAMED = 2
"""Cases of a reason that are named; more are counted."""


def refuse_unlike(baseline: Run, candidate: Run) -> None:
    """Raise `NotComparableError` where the runs met another machine, other software, or workers set otherwise."""
    before, after = baseline.header.environment, candidate.header.environment
    found = differences(before, after, TO_COMPARE, ignore=IGNORED)
    if found:
        raise NotComparableError(f"the runs cannot be compared, their environments differ: {'; '.join(found)}.")


def exit_code(comparison: Comparison, limits: Thresholds) -> int:
    """Regression where a case is slower or takes more memory; inconclusive where one is open, or all together may be
    slower by more than the margin; else fine.

    Raises:
        NotComparableError: there is no case that both have measured.
    """
    if not comparison.cases:
        raise NotComparableError("the runs have no case in common that both have measured.")
    if comparison.count("regression") or any(one.verdict == "regression" for one in comparison.memory):
        return ExitCode.REGRESSION
    if comparison.count("inconclusive") or comparison.shift_high > limits.margin:
        return ExitCode.INCONCLUSIVE
    return ExitCode.SUCCESS


def as_table(comparison: Comparison, limits: Thresholds) -> str:
    """Lines for a person: each case, the largest slowdown first, then what all have in common, and the verdict."""
    width = max([len("case"), *(len(one.id) for one in comparison.cases)])
    head = f"{'case':<{width}}  {'baseline':>9}  {'candidate':>9}  {'change':>7}  {'between':>16}  verdict"
    lines = [head, *(row(one, width) for one in comparison.cases)]
    lines += not_compared(comparison)
    return "\n".join([*lines, "", *memory(comparison), common(comparison), summary(comparison, limits)])


def not_compared(comparison: Comparison) -> list[str]:
    """A line for each reason, with the first cases that it is of."""
    by_reason: dict[str, list[str]] = {}
    for case_id, reason in comparison.left_out:
        by_reason.setdefault(reason, []).append(case_id)
    return [
        f"not compared: {', '.join(ids[:NAMED])}{f' and {len(ids) - NAMED} more' if len(ids) > NAMED else ''}: {reason}"
        for reason, ids in by_reason.items()
    ]


def row(one: Compared, width: int) -> str:
    """One case."""
    medians = "  ".join(f"{units.text(known.median, 's', 3):>9}" for known in (one.baseline, one.candidate))
    bounds = f"{one.low:+.1%} {one.high:+.1%}"
    return f"{one.id:<{width}}  {medians}  {one.change:>+7.1%}  {bounds:>16}  {reasoned(one)}"


def reasoned(one: Compared) -> str:
    """A verdict, with what an open one is known of."""
    if one.verdict != "inconclusive":
        return one.verdict
    return f"inconclusive: {one.why_open or f'a slowdown above {one.ruled_out:.1%} is ruled out'}"


def memory(comparison: Comparison) -> list[str]:
    """A line for each case whose memory has changed, and one for each metric."""
    changed = [one for one in comparison.memory if one.verdict != "no change"]
    lines = [
        f"{one.metric} {one.verdict}: {one.id} {units.whole(one.baseline, one.unit)} to "
        f"{units.whole(one.candidate, one.unit)}{'' if one.change is None else f', {one.change:+.1%}'}"
        for one in changed
    ]
    for metric in dict.fromkeys(one.metric for one in comparison.memory):
        own = [one for one in comparison.memory if one.metric == metric]
        same = sum(one.verdict == "no change" for one in own)
        lines.append(
            f"{metric}: no change in {same} of {len(own)} cases (regression: it grew by more than "
            f"{tolerance_of(metric, comparison.memory_tolerance):.1%}; each run has read it once)"
        )
    return lines or ["memory is not compared: one of the runs has not read it"]


def common(comparison: Comparison) -> str:
    """What all cases have in common, and how far they part."""
    if len(comparison.cases) < FEWEST:
        return (
            f"fewer than {FEWEST} cases cannot tell what the machine did between the runs: it is taken for "
            f"{comparison.noise:.1%}, a standard deviation"
        )
    between = f"{comparison.shift_low:+.1%} to {comparison.shift_high:+.1%}"
    return (
        f"all cases together changed by {comparison.shift:+.1%} ({between}), which is taken out: two runs cannot tell "
        "the machine's part of it from the code's; beside it cases part by "
        f"{comparison.noise:.1%}, a standard deviation"
    )


def summary(comparison: Comparison, limits: Thresholds) -> str:
    """The counts, and what they are measured by."""
    counts = ", ".join(f"{comparison.count(verdict)} {verdict}" for verdict in VERDICTS if comparison.count(verdict))
    rules = f"regression: above {limits.tolerance:.1%} is shown; no change: {limits.margin:.1%} is ruled out"
    left = f", {len(comparison.left_out)} not compared" if comparison.left_out else ""
    return f"{counts or 'no case'} of {len(comparison.cases)}{left} ({rules})"


def as_json(comparison: Comparison, limits: Thresholds) -> str:
    """All of it as one object."""
    return json.dumps({"limits": asdict(limits), **asdict(comparison)}, indent=2)


FORMATS = {"table": as_table, "json": as_json}
"""Name of the format -> what makes it."""
