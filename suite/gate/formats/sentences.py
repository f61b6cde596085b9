"""What several formats say alike: the verdict in one sentence, a bound, a finding, names that are many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from suite.analysis.thresholds import ChangeVerdict
from suite.errors import ExitCode
from suite.gate.formats.numbers import change, limit, percent_above, size
from suite.gate.verdict import GateVerdict, Judged, LeftOut

NAMED = 2
"""Cases of a reason that are named; more are counted."""
BLAMED = 10
"""Culprits that are listed before the tables, where all of them stand; more are counted."""


@dataclass(frozen=True, slots=True)
class Words:
    """What more and less of a metric are called."""

    more: str
    larger: str
    smaller: str


TIME = Words("slowdown", "slower", "faster")
SIZE = Words("growth", "larger", "smaller")


def is_time(one: Judged) -> bool:
    """Whether a metric is of time, by its unit; else it is of memory."""
    return one.unit == "s"


def words(one: Judged) -> Words:
    """What more and less of its metric are called."""
    return TIME if is_time(one) else SIZE


def bound(one: Judged) -> str:
    """What was shown not to be exceeded: `a slowdown above 3.1 % is ruled out`."""
    more = words(one).more
    if one.ruled_out <= 0:
        return f"any {more} is ruled out"
    if not is_bounded(one):
        return "no bound was reached"
    return f"{'a ' if is_time(one) else ''}{more} above {percent_above(one.ruled_out)} is ruled out"


def is_bounded(one: Judged) -> bool:
    """Whether anything was shown not to be exceeded."""
    return one.ruled_out < math.inf


def finding(one: Judged) -> str:
    """The verdict on a case or level with what is known beside it: a bound, a reason, what explains it."""
    if one.verdict == "inconclusive":
        known = [one.reason] if one.reason else []
        known += [bound(one)] if is_bounded(one) or not known else []
        text = f"inconclusive: {'; '.join(known)}"
    elif one.verdict == "no change" and is_bounded(one):
        text = f"no change: {bound(one)}"
    else:
        text = one.verdict
    return f"{text}{also(one)}"


def also(one: Judged) -> str:
    """What explains a change, and how its size was measured where that matters; to stand after its verdict."""
    sized = {
        "in turns": ", size measured in turns",
        "at once": ", size measured at once, which makes it look smaller by about a tenth",
    }
    return (f", explained by {one.explained_by}" if one.explained_by else "") + sized.get(one.size, "")


def case_label(one: Judged) -> str:
    """A case's id, with the candidate's where that is another one."""
    return f"{one.name} → {one.candidate}" if one.candidate not in ("", one.name) else one.name


def level_label(one: Judged) -> str:
    """A level as all of its cases: `all cases with optimizer adam`."""
    return one.name if one.name.startswith("all cases") else f"all cases with {one.name}"


def culprits(verdict: GateVerdict) -> tuple[tuple[str, Judged], ...]:
    """Regressions that no other explains, each under its label: those that the verdict names first, in their order."""
    order = {name: index for index, name in enumerate(verdict.culprits)}
    labelled = [(level_label(one), one) for one in verdict.levels] + [(case_label(one), one) for one in verdict.cases]
    regressions = [(label, one) for label, one in labelled if one.verdict == "regression"]
    found = [(label, one) for label, one in regressions if one.name in order or not one.explained_by] or regressions
    return tuple(sorted(found, key=lambda pair: order.get(pair[1].name, len(order))))


def telling_levels(verdict: GateVerdict) -> tuple[Judged, ...]:
    """Levels that are a regression or an improvement: the others add nothing to their cases."""
    return tuple(one for one in verdict.levels if one.verdict in ("regression", "improvement"))


def culprit(label: str, one: Judged) -> str:
    """A culprit in words: `all cases with optimizer adam: +3.1 % (+2.8 to +3.4 %)`."""
    return f"{label}: {metric_first(one)}{change(one)}"


def metric_first(one: Judged) -> str:
    """The metric, to stand before a change; nothing of time, which is meant where no metric is named."""
    return "" if is_time(one) else f"{one.metric} "


def names(some: Sequence[str], most: int = NAMED) -> str:
    """The first names, and how many more there are: `a, b and 3 more`."""
    rest = len(some) - most
    return ", ".join(some[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def by_reason(left_out: Iterable[LeftOut]) -> dict[str, list[str]]:
    """Reasons, with whose fault they are, to the names of the cases that were left out for them."""
    grouped: dict[str, list[str]] = {}
    for one in left_out:
        grouped.setdefault(f"{one.side}: {one.reason}" if one.side else one.reason, []).append(one.name)
    return grouped


def not_compared(verdict: GateVerdict) -> tuple[LeftOut, ...]:
    """Cases that were left out, without those that are reported as failed."""
    return tuple(one for one in verdict.left_out if one.name not in verdict.failed)


def failures(verdict: GateVerdict) -> tuple[LeftOut, ...]:
    """Cases that fail in the candidate, with the reason where one is known."""
    reasons = {one.name: one.reason for one in verdict.left_out if one.side != "baseline"}
    known = "fails in the candidate and not in the baseline"
    return tuple(LeftOut(name, reasons.get(name) or known, "candidate") for name in verdict.failed)


def remarks(verdict: GateVerdict) -> tuple[str, ...]:
    """What a reader has to know before trusting any number: an alarm of the control, an early end."""
    apart = "The control told two identical sides apart, so that no step time is evidence"
    alarm = f"{apart}: {verdict.control_alarm}" if verdict.control_alarm else ""
    ended = (
        "The gate was ended before it was over; what follows was measured until then." if verdict.interrupted else ""
    )
    drift = "The environment changed during the gate, so that no step time is evidence"
    dependent = f"{drift}: {verdict.dependence_alarm}" if verdict.dependence_alarm else ""
    return tuple(one for one in (alarm, dependent, ended, capital(verdict.too_few)) if one)


def capital(text: str) -> str:
    """A text as a sentence."""
    return text[:1].upper() + text[1:] + ("." if text else "")


def outcome(verdict: GateVerdict) -> str:
    """The verdict in a word or two, by the exit code."""
    kinds = {
        ExitCode.REGRESSION: "regression",
        ExitCode.FAILURE: "failed",
        ExitCode.INCONCLUSIVE: "inconclusive",
        ExitCode.NOT_COMPARABLE: "not comparable",
    }
    return kinds.get(verdict.exit_code, "identical" if verdict.identical else "no regression")


def sentence(verdict: GateVerdict) -> str:
    """The verdict in one sentence: `regression: 1 of 24 cases is slower: seed_cnn-adam-cpu +5.2 %`."""
    return f"{outcome(verdict)}: {particulars(verdict)}"


def particulars(verdict: GateVerdict) -> str:
    """What the sentence says after the verdict's own word."""
    said = {
        "regression": regressed,
        "failed": failed,
        "inconclusive": undecided,
        "not comparable": incomparable,
        "identical": same,
    }
    return said.get(outcome(verdict), fine)(verdict)


def regressed(verdict: GateVerdict) -> str:
    """How many cases are slower or larger, and the culprits."""
    found = counted(verdict, "regression")
    blames = culprits(verdict)
    if not found and blames:
        found = [f"no single case is {words(blames[0][1]).larger}, but all cases of a level together are"]
    blamed = [f"{label} {metric_first(one)}{size(one)}" for label, one in blames]
    text = "; ".join(found) + (f": {names(blamed)}" if blamed else "")
    return f"{text}; besides, {failed(verdict)}" if verdict.failed else text


def counted(verdict: GateVerdict, kind: ChangeVerdict) -> list[str]:
    """How many cases have a verdict, by metric: `1 of 24 cases is slower`, `2 of 24 are larger in allocations`."""
    found = []
    for metric in dict.fromkeys(one.metric for one in verdict.cases):
        cases = [one for one in verdict.cases if one.metric == metric]
        number = sum(one.verdict == kind for one in cases)
        if number:
            larger, smaller = words(cases[0]).larger, words(cases[0]).smaller
            how = {"regression": larger, "improvement": smaller, "inconclusive": "not settled"}.get(kind, kind)
            said = f" {'is' if number == 1 else 'are'} {how}"
            where = "" if is_time(cases[0]) else f" in {metric}"
            found.append(f"{cases_of(number, len(cases))}{said}{where}")
    return found


def cases_of(number: int, total: int) -> str:
    """`1 of 24 cases`, `all 24 cases`, or `the only case`."""
    if total == 1:
        return "the only case"
    return f"all {total:,} cases" if number == total else f"{number:,} of {total:,} cases"


def failed(verdict: GateVerdict) -> str:
    """Which cases fail in the candidate."""
    number = len(verdict.failed)
    fail = "1 case fails" if number == 1 else f"{number:,} cases fail"
    return f"{fail} in the candidate and not in the baseline: {names(verdict.failed)}"


def undecided(verdict: GateVerdict) -> str:
    """Why nothing is certain, and what is known all the same."""
    ended = ["the gate was ended before it was over"] if verdict.interrupted else []
    alarm = [verdict.voided] if verdict.voided else []
    few = [verdict.too_few] if verdict.too_few else []
    parts = [*ended, *alarm, *few, *counted(verdict, "inconclusive")]
    return "; ".join([*parts, *([overall] if (overall := bound_overall(verdict)) else [])])


def incomparable(verdict: GateVerdict) -> str:
    """Why no case was compared: the reason of most of them."""
    reasons = by_reason(verdict.left_out)
    most = max(reasons, key=lambda reason: len(reasons[reason]), default="")
    return f"no case was compared{f'; {len(reasons[most])} of {len(verdict.left_out)}: {most}' if most else ''}"


def same(_verdict: GateVerdict) -> str:
    """That there was nothing to test."""
    return "both arms are the same code, nothing was measured"


def fine(verdict: GateVerdict) -> str:
    """That nothing was shown to be slower, what is ruled out in every case, and what has become better."""
    shown = f"no slowdown above {limit(verdict.limits.tolerance)} was shown"
    times = [shown] if any(map(is_time, verdict.cases)) else []
    known = bound_overall(verdict) or f"no case is {words(verdict.cases[0]).larger}"
    return "; ".join([", and ".join([*times, known]), *counted(verdict, "improvement")])


def bound_overall(verdict: GateVerdict) -> str:
    """The largest bound, by time where that was measured, and of how many cases it is; empty where there is none."""
    cases = [one for one in verdict.cases if is_time(one)] or verdict.cases
    bounded = [one for one in cases if is_bounded(one)]
    if not bounded:
        return ""
    where = "every case" if len(bounded) == len(cases) else cases_of(len(bounded), len(cases))
    return f"{bound(widest(bounded))} in {where}"


def widest(cases: Iterable[Judged]) -> Judged:
    """The case whose bound is the largest, which holds for all of them."""
    return max(cases, key=lambda one: math.inf if math.isnan(one.ruled_out) else one.ruled_out)
