"""The three sentences about a run: its best cases, its outcomes, its noise."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.analysis.issue import EXTERNAL_KINDS
from suite.effects.candidates import SAME_WORK
from suite.effects.values import accuracies
from suite.effects.wording import count
from suite.overview.best import same_work
from suite.records import Run

DIGITS = 2
"""Significant digits of a share that says how noisy a run was."""


def best_cases(run: Run, ranked: Sequence[CaseFigures]) -> str:
    """The fastest, the most frugal and the most accurate case, as far as measured."""
    rivals = same_work(ranked)
    if not rivals:
        return "No case was measured, so there is no best case."
    text = "; ".join([fastest(rivals), *most_frugal(rivals), *most_accurate(run, rivals, ranked)])
    scope = scope_of(rivals, ranked)
    return f"{scope}{text}." if scope else f"{text[0].upper()}{text[1:]}."


def scope_of(rivals: Sequence[CaseFigures], ranked: Sequence[CaseFigures]) -> str:
    """The work of the rivals where others did another; empty where all did the same."""
    if len(rivals) == len(ranked):
        return ""
    varied = [name for name in SAME_WORK if len({getattr(one.case, name) for one in ranked}) > 1]
    work = ", ".join(f"{name.replace('_', ' ')} {getattr(rivals[0].case, name)}" for name in varied)
    return f"Among {count(len(rivals), 'case')} with {work}, "


def fastest(rivals: Sequence[CaseFigures]) -> str:
    """The case with the shortest step, and the number of others that may be as fast."""
    best = rivals[0].step_time
    overlapping = sum(other.step_time.low <= best.high for other in rivals[1:])
    others = f"; {count(overlapping, 'other')} may be as fast" if overlapping else ""
    interval = units.interval(best.low, best.high, "s")
    return f"the fastest case is {rivals[0].case.id} with {units.text(best.median, 's')} a step {interval}{others}"


def most_frugal(rivals: Sequence[CaseFigures]) -> Iterator[str]:
    """The case with the lowest peak of memory; nothing where no peak was measured."""
    known = [(one.peak_memory_bytes, one.case.id) for one in rivals if one.peak_memory_bytes is not None]
    if known:
        peak, case_id = min(known)
        yield f"the most frugal is {case_id} with {units.text(peak, 'B')} of peak memory"


def most_accurate(run: Run, rivals: Sequence[CaseFigures], ranked: Sequence[CaseFigures]) -> Iterator[str]:
    """The case with the highest final accuracy; nothing where no case learnt.

    The cases that learnt are named where they are not among the rivals.
    """
    measured = {one.case.id for one in ranked}
    _, found = accuracies([record for record in run.cases if record.case.id in measured])
    known = [(value, case_id) for case_id, (value, _) in found.items() if math.isfinite(value)]
    if known:
        best = max(value for value, _ in known)
        case_id = min(case_id for value, case_id in known if value == best)
        among = {case_id for _, case_id in known} <= {one.case.id for one in rivals}
        scope = "" if among else f"among {count(len(known), 'case')} that learnt, "
        yield f"{scope}the most accurate is {case_id} with {units.percent(best)} of the test examples right"


def outcomes(run: Run) -> str:
    """Numbers of cases measured, skipped and failed, and of those without an outcome."""
    found: Counter[str] = Counter(record.outcome for record in run.cases)
    counts = [f"{found[name]:,} {name}" for name in OUTCOMES]
    total = len(run.cases) + len(run.missing)
    verb = "has" if len(run.missing) == 1 else "have"
    missing = f"; {len(run.missing):,} {verb} no outcome, since the run was interrupted" if run.missing else ""
    return f"{count(total, 'case')}: {', '.join(counts)}{missing}."


OUTCOMES = ("measured", "skipped", "failed")


def noise(ranked: Sequence[CaseFigures]) -> str:
    """How noisy the machine was, and which differences between cases may be noise."""
    if not ranked:
        return "No case was measured, so the noise of the machine is unknown."
    disturbed = [one for one in ranked if any(issue.kind in EXTERNAL_KINDS for issue in one.issues)]
    steady = sum(not one.issues for one in ranked)
    kinds = Counter(issue.kind for one in ranked for issue in one.issues)
    tally = f" ({', '.join(f'{kind} {number}' for kind, number in kinds.items())})" if kinds else ""
    text = f"{counts(len(ranked), len(disturbed), steady)}{tally}{trust(ranked)}."
    return f"{text[0].upper()}{text[1:]}"


def counts(measured: int, disturbed: int, steady: int) -> str:
    """How many of the measured cases were disturbed, and how many are steady."""
    if measured == 1:
        was, is_ = "was" if disturbed else "was not", "is" if steady else "is not"
        return f"the measured case {was} disturbed from outside, and it {is_} steady"
    number, verb = {0: "none", measured: "all"}.get(steady, f"{steady:,}"), "is" if steady < 2 else "are"
    return (
        f"{f'{disturbed:,}' if disturbed else 'none'} of {measured:,} measured cases "
        f"{'was' if disturbed < 2 else 'were'} disturbed from outside, and {number} {verb} steady"
    )


def trust(ranked: Sequence[CaseFigures]) -> str:
    """The typical interval, and the difference within which two cases may be equal.

    Two intervals of that half-width overlap as long as the cases differ by less than twice as much.
    """
    known = [one.step_time.precision for one in ranked if math.isfinite(one.step_time.precision)]
    if not known:
        return "; no interval is known"
    half = median(known)
    if len(ranked) == 1:
        return f"; its interval is ±{units.text(half, 'ratio', DIGITS)}"
    return (
        f"; a typical interval is ±{units.text(half, 'ratio', DIGITS)}, so two cases that differ by less than "
        f"{units.text(2 * half, 'ratio', DIGITS)} may be equally fast"
    )
