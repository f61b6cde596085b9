"""Skipped, failed and missing cases, grouped by reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.records import Run, RunRecord


@dataclass(frozen=True, slots=True)
class Group:
    """Cases without a place in the ranking that share a reason: id, and what was measured of it nevertheless."""

    kind: str
    reason: str
    members: tuple[tuple[str, str], ...]


def left_out(run: Run, facts: Iterable[CaseFigures]) -> tuple[Group, ...]:
    """Every planned case that is not ranked, by what became of it and why; largest groups first."""
    ranked = {one.case.id for one in facts if one.record.outcome == "measured"}
    partial = {one.case.id: one for one in facts}
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for record in run.cases:
        if record.case.id not in ranked:
            key = (record.outcome, reason_of(record))
            groups.setdefault(key, []).append((record.case.id, earlier_passes(partial.get(record.case.id))))
    if run.missing:
        reason = "The run ended before this was measured."
        groups["no outcome", reason] = [(case_id, "") for case_id in run.missing]
    kinds = ("failed", "skipped", "measured", "no outcome")
    order = sorted(groups.items(), key=lambda item: (kinds.index(item[0][0]), -len(item[1])))
    return tuple(Group(kind, reason, tuple(members)) for (kind, reason), members in order)


def reason_of(record: RunRecord) -> str:
    """The reason that the record gives, or that it gives none."""
    if record.outcome == "measured":
        return "The record holds no round of step time."
    return record.reason or "The record gives no reason."


def earlier_passes(facts: CaseFigures | None) -> str:
    """What the passes before a failure measured; empty where there were none."""
    if facts is None:
        return ""
    visits = len(facts.measurement.visits)
    passes = "1 pass" if visits == 1 else f"{visits} passes"
    estimate = facts.step_time
    interval = units.interval(estimate.low, estimate.high, "s")
    return f"{passes} before it: {units.text(estimate.median, 's')} {interval}, not ranked"
