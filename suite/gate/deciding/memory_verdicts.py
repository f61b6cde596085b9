"""Readings of memory -> a verdict on each case by each metric."""

from __future__ import annotations

import math
from statistics import median

from suite.analysis.exact_metrics import METRICS, growth, tolerance_of
from suite.analysis.thresholds import ChangeVerdict
from suite.gate.deciding import memory
from suite.gate.record.values import CasePair, GateRecord
from suite.gate.verdict import GateChange, LeftOut


def of_memory(gate: GateRecord, failed: set[str]) -> tuple[list[GateChange], list[LeftOut]]:
    """Verdicts on each row that has not failed, by metric; and the missing readings."""
    judged: list[GateChange] = []
    unread: list[LeftOut] = []
    rows = [row for row in gate.planned.rows if row.id not in failed] if gate.readings else []
    for metric in memory.wanted(gate.planned.metrics):
        silent = memory.silent(gate.readings, metric)
        if silent:
            unread.append(LeftOut(f"{metric} of all cases", f"not reported by the {' and the '.join(silent)}"))
            continue
        for row in rows:
            before, after = memory.columns(gate.readings, row.id, metric)
            if before:
                judged.append(memory_judged(gate, row, metric, before, after))
            elif reason := why_open(gate, row.id):
                judged.append(not_judged(row, metric, reason))
            else:
                unread.append(LeftOut(row.id, f"{metric} could not be read"))
    return judged, unread


def why_open(gate: GateRecord, name: str) -> str:
    """Why the lack of a row's readings may be the candidate's fault; empty if not."""
    failed = [reading.failed[name] for reading in gate.readings if name in reading.failed]
    if not failed:
        return f"a worker was killed in each of {len(gate.readings)} readings"
    side, reason = failed[0]
    return f"the candidate's memory could not be read: {reason}" if side == "candidate" else ""


def not_judged(row: CasePair, metric: str, reason: str) -> GateChange:
    """A row without any reading, which is no evidence that its memory is the same."""
    return GateChange(
        name=row.id,
        candidate=row.candidate.id if row.candidate.id != row.baseline.id else "",
        metric=metric,
        unit=METRICS[metric],
        verdict="inconclusive",
        change=math.nan,
        low=math.nan,
        high=math.nan,
        ruled_out=math.inf,
        blocks=0,
        baseline_median=None,
        candidate_median=None,
        reason=reason,
    )


def memory_judged(gate: GateRecord, row: CasePair, metric: str, before: list[float], after: list[float]) -> GateChange:
    """The verdict on one row by one metric."""
    towards = memory.direction(before, after, tolerance_of(metric, gate.planned.memory_tolerance))
    verdict: ChangeVerdict = "no change"
    if towards and len(before) < memory.READINGS:
        verdict = "inconclusive"
    elif towards:
        verdict = "regression" if towards > 0 else "improvement"
    return GateChange(
        name=row.id,
        candidate=row.candidate.id if row.candidate.id != row.baseline.id else "",
        metric=metric,
        unit=METRICS[metric],
        verdict=verdict,
        change=growth(median(before), median(after)),
        low=growth(max(before), min(after)),
        high=growth(min(before), max(after)),
        ruled_out=growth(min(before), max(after)),
        blocks=len(before),
        baseline_median=median(before),
        candidate_median=median(after),
        reason=f"{len(before)} of {memory.READINGS} readings were taken" if verdict == "inconclusive" else "",
    )
