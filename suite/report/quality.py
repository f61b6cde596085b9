"""Data quality: which numbers to trust less, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.analysis.settings_in_effect import unmet_settings
from suite.analysis.validity import label
from suite.records import Run

PASSES_DIFFER_FROM = 1.05
"""Largest over smallest median of a case's visits from which the page calls its passes different."""
MUCH_DISTURBED = 0.1
"""Share of a case's rounds that were disturbed from which the page remarks on it."""
PASSES_DIFFER = (
    f"cases have passes that differ by {units.text(PASSES_DIFFER_FROM - 1, 'ratio', 1)} or more: something that lasts "
    "as long as a worker (memory layout, the machine's clock) moves their step time."
)


@dataclass(frozen=True, slots=True)
class Remark:
    """A case whose numbers deserve less trust, and why, column by column; empty where there is nothing to say."""

    id: str
    verdict: str
    reasons: str
    unsettled: str
    by_time: str
    disturbed: str
    spread: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How far the numbers can be trusted.

    Attributes:
        points: count, of how many, and what it means.
        warnings: text and the ids of the cases that carry it.
        unremarkable: measured cases that are in no row.
    """

    points: tuple[tuple[int, int, str], ...]
    remarks: tuple[Remark, ...]
    warnings: tuple[tuple[str, tuple[str, ...]], ...]
    record_warnings: tuple[str, ...]
    unremarkable: int


def quality(run: Run, facts: Sequence[CaseFigures]) -> Quality:
    """Visits that had not settled or ran out of time, disturbed rounds, passes that disagree, warnings."""
    remarks = tuple(remark for one in facts if (remark := remark_on(one)))
    warnings: dict[str, list[str]] = {}
    for record in run.cases:
        for text in dict.fromkeys(record.measurement.warnings if record.measurement else ()):
            warnings.setdefault(text, []).append(record.case.id)
    by_count = sorted(warnings.items(), key=lambda item: -len(item[1]))
    return Quality(
        points=points(facts),
        remarks=remarks,
        warnings=tuple((text, tuple(ids)) for text, ids in by_count),
        record_warnings=(*run.warnings, *unmet_settings(run.header.environment)),
        unremarkable=len(facts) - len(remarks),
    )


def points(facts: Sequence[CaseFigures]) -> tuple[tuple[int, int, str], ...]:
    """Counts over the whole run, each with what it means."""
    visits = sum(len(one.measurement.visits) for one in facts)
    rounds = sum(one.taken for one in facts)
    return (
        (
            sum(bool(one.issues) for one in facts),
            len(facts),
            "cases have a verdict other than steady: something was seen that makes their numbers mean something else.",
        ),
        (
            sum(one.unsteady_visits for one in facts),
            visits,
            "visits had not settled: the step time still moved when the warm-up's time was spent.",
        ),
        (
            sum(one.stopped_by("time") for one in facts),
            visits,
            "visits stopped by time: their allowance was spent before the interval was as narrow as planned.",
        ),
        (
            sum(one.discarded for one in facts),
            rounds,
            "rounds were set aside as disturbed: other processes held the cores that their threads asked for.",
        ),
        (sum(one.spread >= PASSES_DIFFER_FROM for one in facts), len(facts), PASSES_DIFFER),
    )


def remark_on(facts: CaseFigures) -> Remark | None:
    """What is to be said of a case; None where there is nothing."""
    visits = len(facts.measurement.visits)
    by_time = facts.stopped_by("time")
    share = (facts.disturbed or 0) / facts.taken
    differ = facts.spread >= PASSES_DIFFER_FROM
    if not (facts.issues or facts.unsteady_visits or by_time or share >= MUCH_DISTURBED or differ):
        return None
    kept = " (all counted)" if share and not facts.discarded else ""
    return Remark(
        id=facts.case.id,
        verdict=label(facts.issues) if facts.issues else "",
        reasons="; ".join(issue.text for issue in facts.issues),
        unsettled=f"{facts.unsteady_visits} of {visits}" if facts.unsteady_visits else "",
        by_time=f"{by_time} of {visits}" if by_time else "",
        disturbed=units.text(share, "ratio", 2) + kept if share >= MUCH_DISTURBED else "",
        spread=f"{facts.spread:.3f}" if differ else "",
    )
