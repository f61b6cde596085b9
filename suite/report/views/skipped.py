"""Skipped, failed and missing cases, grouped by reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.records import Case, Run, RunRecord
from suite.records.factors import FACTORS
from suite.report.facts import PLACEHOLDER, Facts
from suite.report.grouping import by_reason
from suite.report.view import View

NO_OUTCOME = "no outcome"


@dataclass(frozen=True, slots=True)
class Group:
    """Cases without a rank and with one reason: ids and figures of earlier passes.

    Attributes:
        scope: the levels that they share and no measured case has; empty without any.
    """

    kind: str
    reason: str
    members: tuple[tuple[str, str], ...]
    scope: str = ""


def view(facts: Facts) -> View:
    """Cases without a rank, by reason, and how to try one again."""
    return View(
        id="skipped",
        title="Cases without a number, and why",
        navigation="Skipped and failed",
        template="skipped.html.j2",
        values={
            "groups": skipped(facts.run, facts.figures),
            "placeholder": PLACEHOLDER,
            "pattern": facts.pattern,
            "has_pattern": facts.has_details,
        },
    )


def skipped(run: Run, figures: Mapping[str, CaseFigures]) -> tuple[Group, ...]:
    """Cases without a rank by outcome and reason; failed first, then by size."""
    unranked = [one for one in run.cases if one.outcome != "measured" or one.case.id not in figures]
    members = [
        ((record.outcome, reason_of(record)), (record.case.id, earlier_passes(figures.get(record.case.id))))
        for record in unranked
    ]
    missing = [((NO_OUTCOME, "The run ended before this case was measured."), (name, "")) for name in run.missing]
    kinds = ("failed", "skipped", "measured", NO_OUTCOME)
    groups = sorted(by_reason([*members, *missing]), key=lambda group: kinds.index(group[0][0]))
    cases = {one.case.id: one.case for one in run.cases}
    measured = [one.case for one in figures.values() if one.is_measured]
    return tuple(
        Group(kind, reason, tuple(found), scope([cases[name] for name, _ in found if name in cases], measured))
        for (kind, reason), found in groups
    )


def scope(cases: Sequence[Case], measured: Sequence[Case]) -> str:
    """Levels that all of some cases have and no measured case has: `execution cuda`."""
    if not cases or not measured:
        return ""
    shared = []
    for factor in FACTORS:
        levels = {factor.level_of(one) for one in cases}
        if len(levels) == 1 and not levels & {factor.level_of(one) for one in measured}:
            shared.append(f"{factor.name.replace('_', ' ')} {levels.pop()}")
    return ", ".join(shared)


def reason_of(record: RunRecord) -> str:
    """The reason in the record."""
    if record.outcome == "measured":
        return "The record contains no round of step time."
    return record.reason or "The record gives no reason."


def earlier_passes(figures: CaseFigures | None) -> str:
    """Figure of the passes before a failure; empty without any."""
    if figures is None:
        return ""
    visits = len(figures.measurement.visits)
    passes = "1 pass" if visits == 1 else f"{visits} passes"
    step_time = figures.step_time
    interval = units.interval(step_time.low, step_time.high, "s")
    return f"{passes} before the failure: {units.text(step_time.median, 's')} {interval}, not ranked"
