"""Texts that several formats share, such as the verdict in one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from suite import units
from suite.analysis import change_text
from suite.analysis.change_text import is_bounded, is_time, terms_of
from suite.analysis.thresholds import ChangeVerdict
from suite.errors import ExitCode
from suite.gate.verdict import ALARMED, DEPENDENT, GateChange, GateVerdict, LeftOut

NAMED = 2
"""Cases that a text names for one reason; it counts the others."""
BLAMED = 10
"""Culprits that are listed before the tables; the tables contain all of them."""
ALL_CASES = "all cases"
"""Beginning of the label of each level."""
BOTH = 2
"""Cases of which a text says "both"."""
BY_EXIT_CODE = {
    ExitCode.REGRESSION: "regression",
    ExitCode.FAILURE: "failed",
    ExitCode.INCONCLUSIVE: "inconclusive",
    ExitCode.NOT_COMPARABLE: "not comparable",
}
IDENTICAL, NO_REGRESSION = "identical", "no regression"
OUTCOMES = (NO_REGRESSION, IDENTICAL, *BY_EXIT_CODE.values())
"""Words for a verdict."""
INTERRUPTED = "the gate was interrupted"


def finding(judged: GateChange) -> str:
    """The verdict on a case or level, with its bound, reason or explanation."""
    return f"{change_text.verdict(judged)}{explanation(judged)}"


def explanation(judged: GateChange) -> str:
    """The level that explains a change, and the way its size was measured."""
    size = {
        "in turns": ", size measured in turns",
        "at once": ", size measured at once, which underestimates it by about a tenth",
    }
    return (f", explained by {judged.explained_by}" if judged.explained_by else "") + size.get(judged.size, "")


def case_label(judged: GateChange) -> str:
    """The case's id; both ids if the candidate's differs."""
    return f"{judged.name} → {judged.candidate}" if judged.candidate not in ("", judged.name) else judged.name


def level_label(judged: GateChange) -> str:
    """A level as all of its cases: `all cases with optimizer adam`."""
    return judged.name if judged.name.startswith(ALL_CASES) else f"{ALL_CASES} with {judged.name}"


def culprits(verdict: GateVerdict) -> tuple[tuple[str, GateChange], ...]:
    """Label and values of each regression that no other explains.

    The culprits that the verdict names come first, in its order.
    """
    order = {name: index for index, name in enumerate(verdict.culprits)}
    labelled = [(level_label(level), level) for level in verdict.levels]
    labelled += [(case_label(case), case) for case in verdict.cases]
    regressions = [(label, judged) for label, judged in labelled if judged.verdict == "regression"]
    unexplained = [
        (label, judged) for label, judged in regressions if judged.name in order or not judged.explained_by
    ] or regressions
    return tuple(sorted(unexplained, key=lambda pair: order.get(pair[1].name, len(order))))


def changed_levels(verdict: GateVerdict) -> tuple[GateChange, ...]:
    """Levels that regressed or improved; the others add nothing to their cases."""
    return tuple(level for level in verdict.levels if level.verdict in ("regression", "improvement"))


def culprit_line(label: str, judged: GateChange) -> str:
    """A culprit with its interval: `seed_cnn-adam-cpu: +3.1 % (+2.8 to +3.4 %)`."""
    return f"{label}: {metric_prefix(judged)}{change_text.with_interval(judged)}"


def metric_prefix(judged: GateChange) -> str:
    """The metric's name before a change; empty for step time."""
    return "" if is_time(judged) else f"{judged.metric} "


def names(some: Sequence[str], most: int = NAMED) -> str:
    """The first names, and the number of the others: `a, b and 3 more`."""
    rest = len(some) - most
    return ", ".join(some[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def by_reason(left_out: Iterable[LeftOut]) -> dict[str, list[str]]:
    """Names of the cases that were left out, by reason and side."""
    grouped: dict[str, list[str]] = {}
    for case in left_out:
        grouped.setdefault(f"{case.side}: {case.reason}" if case.side else case.reason, []).append(case.name)
    return grouped


def not_compared(verdict: GateVerdict) -> tuple[LeftOut, ...]:
    """Cases that were left out, without those that are reported as failed."""
    return tuple(case for case in verdict.left_out if case.name not in verdict.failed)


def failures(verdict: GateVerdict) -> tuple[LeftOut, ...]:
    """Cases that fail in the candidate, with the reason if one is known."""
    reasons = {case.name: case.reason for case in verdict.left_out if case.side != "baseline"}
    default = "fails in the candidate and not in the baseline"
    return tuple(LeftOut(name, reasons.get(name) or default, "candidate") for name in verdict.failed)


def remarks(verdict: GateVerdict) -> tuple[str, ...]:
    """Reasons to distrust the numbers, each with its remedy."""
    control = f"{ALARMED}, so no step time is evidence; run stepmark doctor, then repeat the gate"
    order = f"{DEPENDENT}, so no step time is evidence; repeat the gate on a quieter machine"
    texts = (
        f"{control}: {verdict.control_alarm}" if verdict.control_alarm else "",
        f"{order}: {verdict.dependence_alarm}" if verdict.dependence_alarm else "",
        f"{INTERRUPTED}; it continues with --resume. These results include the blocks until then."
        if verdict.interrupted
        else "",
        f"{verdict.too_few}." if verdict.too_few else "",
    )
    return tuple(text[:1].upper() + text[1:] for text in texts if text)


def outcome(verdict: GateVerdict) -> str:
    """The verdict in a word or two, by the exit code."""
    return BY_EXIT_CODE.get(verdict.exit_code, IDENTICAL if verdict.identical else NO_REGRESSION)


def sentence(verdict: GateVerdict) -> str:
    """One sentence: `regression: seed_cnn-sgd-cpu has regressed by 5.1 %`."""
    return f"{outcome(verdict)}: {details(verdict)}"


def details(verdict: GateVerdict) -> str:
    """The sentence without the verdict's word."""
    details_of = {
        "regression": regressed,
        "failed": failed,
        "inconclusive": undecided,
        "not comparable": not_comparable,
        "identical": identical,
    }
    return details_of.get(outcome(verdict), not_regressed)(verdict)


def regressed(verdict: GateVerdict) -> str:
    """The culprits, and how many cases are slower or larger.

    `seed_cnn-sgd-cpu has regressed by 5.1 %, seed_cnn-adam-cpu by 3.2 % and 4 more; 6 of 24 cases are slower`
    """
    blamed = culprits(verdict)
    texts = [regression_text(label, judged, is_first=index == 0) for index, (label, judged) in enumerate(blamed)]
    counts = counts_of(verdict, "regression")
    if not counts:
        counts = [f"no single case is shown to be {terms_of(blamed[0][1]).larger}"]
    elif len({case.name for case in verdict.cases}) == 1:
        counts = []
    also = [f"also, {failed(verdict)}"] if verdict.failed else []
    return "; ".join([names(texts), *counts, *also])


def regression_text(label: str, judged: GateChange, is_first: bool) -> str:
    """`seed_cnn-sgd-cpu has regressed by 5.1 %`; only the first of a list has a verb."""
    is_level = label.startswith(ALL_CASES)
    verb = f"{'have' if is_level else 'has'} regressed " if is_first else ""
    metric = "" if is_time(judged) else f" in {judged.metric}"
    return f"{label} {verb}{change_text.amount(judged)}{metric}{' on average' if is_level else ''}"


def counts_of(verdict: GateVerdict, kind: ChangeVerdict) -> list[str]:
    """Number of cases by metric: `2 of 24 cases are larger in allocations`."""
    counts = []
    for metric in dict.fromkeys(case.metric for case in verdict.cases):
        cases = [case for case in verdict.cases if case.metric == metric]
        number = sum(case.verdict == kind for case in cases)
        if number:
            terms = terms_of(cases[0])
            how = {"regression": terms.larger, "improvement": terms.smaller, "inconclusive": "undecided"}.get(
                kind, kind
            )
            where = "" if is_time(cases[0]) else f" in {metric}"
            counts.append(f"{cases_of(number, len(cases))} {'is' if number == 1 else 'are'} {how}{where}")
    return counts


def cases_of(number: int, total: int) -> str:
    """`1 of 24 cases`, `all 24 cases`, `both cases`, or `the only case`."""
    if total == 1:
        return "the only case"
    if number < total:
        return f"{number:,} of {total:,} cases"
    return "both cases" if total == BOTH else f"all {total:,} cases"


def failed(verdict: GateVerdict) -> str:
    """Number and names of the cases that fail only in the candidate."""
    number = len(verdict.failed)
    fail = "1 case fails" if number == 1 else f"{number:,} cases fail"
    return f"{fail} in the candidate and not in the baseline: {names(verdict.failed)}"


def undecided(verdict: GateVerdict) -> str:
    """Reasons why the gate did not decide, and the bound that it reached."""
    reasons = [INTERRUPTED if verdict.interrupted else "", verdict.voided, verdict.too_few]
    texts = [*reasons, *counts_of(verdict, "inconclusive"), overall_bound(verdict)]
    return "; ".join(text for text in texts if text)


def not_comparable(verdict: GateVerdict) -> str:
    """The most frequent reason why no case was compared."""
    reasons = by_reason(verdict.left_out)
    most = max(reasons, key=lambda reason: len(reasons[reason]), default="")
    share = f"; the reason for {len(reasons[most])} of {len(verdict.left_out)}: {most}" if most else ""
    return f"no case was compared{share}"


def identical(_verdict: GateVerdict) -> str:
    """The reason why nothing was measured."""
    return "both arms run the same code, so the gate measured nothing"


def not_regressed(verdict: GateVerdict) -> str:
    """The bound of all cases, and how many have improved.

    A bound above the tolerance leaves open whether a slowdown exceeds it.
    """
    tolerance = units.percent_as_given(verdict.limits.tolerance)
    times = [case for case in verdict.cases if is_time(case)]
    reached = overall_bound(verdict) or f"no case is {terms_of(verdict.cases[0]).larger}"
    if not times:
        text = reached
    elif widest(times).ruled_out <= verdict.limits.tolerance:
        text = f"every slowdown is within the tolerance of {tolerance}; {reached}"
    else:
        text = f"no slowdown above the tolerance of {tolerance} was shown; {reached}"
    return "; ".join([text, *counts_of(verdict, "improvement")])


def overall_bound(verdict: GateVerdict) -> str:
    """The largest bound of the cases, by step time if measured; empty without one."""
    cases = [case for case in verdict.cases if is_time(case)] or verdict.cases
    bounded = [case for case in cases if is_bounded(case)]
    if not bounded:
        return ""
    where = "every case" if len(bounded) == len(cases) else cases_of(len(bounded), len(cases))
    return f"{change_text.bound(widest(bounded))} in {where}"


def widest(cases: Iterable[GateChange]) -> GateChange:
    """The case with the largest bound, which holds for all of them."""
    return max(cases, key=lambda case: math.inf if math.isnan(case.ruled_out) else case.ruled_out)
