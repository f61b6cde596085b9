"""A record -> the verdict: while a gate runs, at its end, and when read again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import TypedDict

from suite.analysis.thresholds import ChangeVerdict
from suite.gate.deciding import control_blocks, forecast
from suite.gate.deciding.attribution import EVERY
from suite.gate.deciding.conditions import circumstances
from suite.gate.deciding.effect_sizes import sizes
from suite.gate.deciding.memory_verdicts import of_memory
from suite.gate.deciding.mode_choice import modes_of
from suite.gate.deciding.procedure import CONFIDENCE, Effect, Procedure
from suite.gate.deciding.replay import again_of, all_failures, replayed, suspected
from suite.gate.deciding.statistics import spending
from suite.gate.deciding.statistics.multiplicity import benjamini_hochberg, holm
from suite.gate.deciding.statistics.serial_dependence import Resemblance
from suite.gate.record.values import GateRecord, PairResult
from suite.gate.verdict import STEP_TIME, GateChange, GateVerdict, LeftOut, Size
from suite.units import percent


class Figures(TypedDict):
    """Change, interval and bound, under the names of `Change`."""

    change: float
    low: float
    high: float
    ruled_out: float


DEPENDENCE_LEVEL = 0.005
"""Share of gates of independent blocks that are void because their blocks seem to depend on each other."""
LEAST_CORRELATION = 0.1
"""Largest correlation of neighbouring blocks that does not raise the stated rate of false alarms."""
ORDER: tuple[ChangeVerdict, ...] = ("regression", "inconclusive", "improvement", "no change")


def build_verdict(gate: GateRecord, procedure: Procedure | None = None) -> GateVerdict:
    """The verdict of a gate, finished or not.

    Args:
        gate: the record.
        procedure: its state after the record's blocks; computed if None.
    """
    planned = gate.planned
    procedure, modes = procedure or replayed(gate), modes_of(gate)
    known = procedure.known() if procedure.blocks else {}
    failed = all_failures(gate)
    culprits = procedure.attribute(known) if known else {}
    explanations = {**(procedure.attribute(known, "improvement") if known else {}), **culprits}
    sized = sizes(gate, procedure, known, modes) if known else {}
    cases = of_step_time(gate, procedure, known, explanations) if STEP_TIME in planned.metrics else []
    cases = [resized(gate, case, *sized[case.name]) if case.name in sized else case for case in cases]
    levels = [level_judged(name, procedure, known, explanations) for name in planned.levels if name in known]
    remembered, unread = of_memory(gate, set(failed))
    return GateVerdict(
        **circumstances(gate, modes),
        cases=tuple(
            sorted([*cases, *remembered], key=lambda case: (ORDER.index(case.verdict), -nan_last(case.change)))
        ),
        levels=tuple(resized(gate, level, *sized[level.name]) for level in levels),
        culprits=culprits_of(culprits, remembered),
        left_out=(*left_out_of(gate, failed), *unread),
        failed=tuple(name for name, pair in failed.items() if pair.side == "candidate"),
        blocks=procedure.blocks,
        control_alarm=control_alarm(gate, procedure),
        dependence_alarm=dependence_alarm(gate, procedure),
        too_few=too_few(gate, procedure),
    )


def culprits_of(explanations: Mapping[str, str], remembered: Sequence[GateChange]) -> tuple[str, ...]:
    """Names that explain the regressions of step time, largest first, then of memory."""
    of_time = [name for name, explanation in explanations.items() if name == explanation]
    return tuple(dict.fromkeys([*of_time, *(case.name for case in remembered if case.verdict == "regression")]))


def control_alarm(gate: GateRecord, procedure: Procedure) -> str:
    """The confirmed suspicion of the control, in words; empty if there is none.

    At the end of a gate, a clear suspicion counts as confirmed if there was no time to measure it again.
    """
    tolerance = gate.planned.limits.tolerance
    for suspicion in suspected(gate, procedure):
        again = again_of(gate, suspicion.case)
        resolved = control_blocks.is_resolved(suspicion, again, tolerance) or len(again) >= control_blocks.ENOUGH
        if (
            control_blocks.is_confirmed(suspicion, again, tolerance)
            if resolved
            else gate.finished and suspicion.is_clear
        ):
            change, over = math.expm1(suspicion.log_ratio), f"{suspicion.blocks} blocks"
            over += f" and {len(again)} more" if resolved else "; there was no time to measure it again"
            where = "all cases on average" if suspicion.case == EVERY else suspicion.case
            return f"the baseline differs from itself by {percent(change, sign=True)} in {where}, over {over}"
    return ""


def is_dependent(blocks: Resemblance) -> bool:
    """Whether neighbouring blocks correlate beyond chance and `LEAST_CORRELATION`."""
    return blocks.p_value <= DEPENDENCE_LEVEL and blocks.correlation > LEAST_CORRELATION


def dependence_alarm(gate: GateRecord, procedure: Procedure) -> str:
    """The dependence of a finished gate's blocks, in words; empty if there is none."""
    if not gate.finished or not procedure.blocks:
        return ""
    resemblance = procedure.resemblance()
    if not is_dependent(resemblance):
        return ""
    return (
        f"each block resembles the one before it: correlation {resemblance.correlation:+.2f} over "
        f"{procedure.blocks} blocks, which independent blocks reach in at most {100 * DEPENDENCE_LEVEL:g} % of gates"
    )


def too_few(gate: GateRecord, procedure: Procedure) -> str:
    """Why a finished gate could show no slowdown of any size; empty if it could."""
    planned, names = gate.planned, len(gate.planned.rows) + len(gate.planned.levels)
    fewest = spending.fewest(planned.limits.alpha, max(names, 1))
    is_open = len(procedure.dropped) < len(procedure.cases)
    if not gate.finished or STEP_TIME not in planned.metrics or not is_open or procedure.blocks >= fewest:
        return ""
    costs = forecast.measured(gate) or forecast.estimated(planned.rows, bool(gate.readings), "expected")
    reason = forecast.too_few(costs, len(planned.rows), planned.budget_s, planned.limits, names)
    fit = f"the time was enough for {procedure.blocks} blocks"
    return reason or f"{fit}, but showing a regression of any size takes {fewest}"


def left_out_of(gate: GateRecord, failed: Mapping[str, PairResult]) -> list[LeftOut]:
    """Cases that cannot be compared, and cases that failed."""
    never = [LeftOut(name, reason) for name, reason in gate.planned.left_out.items()]
    return [*never, *(LeftOut(name, pair.reason, pair.side) for name, pair in failed.items())]


def nan_last(change: float) -> float:
    """The sort key of a change; NaN is the smallest."""
    return -math.inf if math.isnan(change) else change


def of_step_time(
    gate: GateRecord, procedure: Procedure, known: Mapping[str, Effect], explanations: Mapping[str, str]
) -> list[GateChange]:
    """Verdicts on the step time of each row that has not failed."""
    names = [case for case in procedure.cases if case not in procedure.dropped]
    p_values = [known[name].slower if name in known else 1.0 for name in names]
    adjusted = zip(holm(p_values), benjamini_hochberg(p_values), strict=True)
    return [
        case_judged(gate, procedure, name, known.get(name), explanations, *both)
        for name, both in zip(names, adjusted, strict=True)
    ]


def case_judged(
    gate: GateRecord,
    procedure: Procedure,
    name: str,
    known: Effect | None,
    explanations: Mapping[str, str],
    in_holm: float,
    in_hochberg: float,
) -> GateChange:
    """The verdict on one case's step time."""
    decision = procedure.decisions.get(name)
    row = next(row for row in gate.planned.rows if row.id == name)
    blocks = [block for block in gate.of("comparison") if name in block.results]
    medians = [block.pairs[name].medians for block in blocks]
    sides = [[pair[side] for pair in medians if pair] for side in (0, 1)]
    with_ratio = known.blocks if known else 0
    verdict: ChangeVerdict = decision.verdict if decision else "inconclusive"
    explanation = explanations.get(name, name)
    reason = "" if decision else why(gate, name, with_ratio, len(blocks))
    if not decision and not reason:
        reason = slower_level_of(procedure, name, explanations)
    return GateChange(
        name=name,
        candidate=row.candidate.id if row.candidate.id != row.baseline.id else "",
        metric=STEP_TIME,
        unit="s",
        verdict=verdict,
        **figures(known),
        blocks=with_ratio,
        baseline_median=median(sides[0]) if sides[0] else None,
        candidate_median=median(sides[1]) if sides[1] else None,
        discarded=len(blocks) - with_ratio,
        p_value=known.slower if known else 1.0,
        holm=in_holm,
        benjamini_hochberg=in_hochberg,
        explained_by="" if explanation == name else explanation,
        reason=reason,
    )


def resized(gate: GateRecord, judged: GateChange, known: Effect, size: Size) -> GateChange:
    """A shown change with its size measured in turns, or marked as measured at once."""
    if judged.verdict not in ("regression", "improvement") or not size:
        return judged
    if size == "at once":
        return replace(judged, size=size)
    results = [block.pairs[judged.name] for block in gate.of("size") if judged.name in block.pairs]
    medians = [result.medians for result in results if result.medians]
    baseline, candidate = ([pair[side] for pair in medians] for side in (0, 1))
    return replace(
        judged,
        **figures(known),
        size=size,
        judged_change=judged.change,
        baseline_median=median(baseline) if baseline else judged.baseline_median,
        candidate_median=median(candidate) if candidate else judged.candidate_median,
    )


def figures(known: Effect | None) -> Figures:
    """The change, its interval, and the ruled-out slowdown."""
    if known is None or known.blocks < 2:
        change = math.expm1(known.mean) if known and known.blocks else math.nan
        return {"change": change, "low": math.nan, "high": math.nan, "ruled_out": math.inf}
    low, high = known.interval()
    bound = known.below(1 - CONFIDENCE)
    return {
        "change": math.expm1(known.mean),
        "low": math.expm1(low),
        "high": math.expm1(high),
        "ruled_out": math.expm1(bound),
    }


def why(gate: GateRecord, name: str, with_ratio: int, measured: int) -> str:
    """Why a case has too few blocks for a verdict; empty if it has two or more."""
    if with_ratio >= 2:
        return ""
    lost = [block for block in gate.of("comparison") if name in block.pairs and block.pairs[name].lost]
    if lost:
        return f"a worker was killed in {len(lost)} of {measured} blocks"
    if measured > with_ratio:
        return f"other processes disturbed {measured - with_ratio} of {measured} blocks"
    return f"only {measured} blocks were measured" if measured != 1 else "only one block was measured"


def slower_level_of(procedure: Procedure, name: str, explanations: Mapping[str, str]) -> str:
    """The slower level of an undecided case, in words; empty if there is none."""
    slower = [
        level
        for level, members in procedure.levels.items()
        if name in members and level in procedure.decisions and procedure.decisions[level].verdict == "regression"
    ]
    level = min(slower, key=lambda level: explanations.get(level) != level, default="")
    is_are = "are" if level == EVERY else "is"
    return f"{level} {is_are} slower on average, but this case alone is not shown to be slower" if level else ""


def level_judged(
    name: str, procedure: Procedure, known: Mapping[str, Effect], explanations: Mapping[str, str]
) -> GateChange:
    """The verdict on the mean of all cases of a level."""
    decision = procedure.decisions.get(name)
    verdict: ChangeVerdict = decision.verdict if decision else "inconclusive"
    figures_of_level = figures(known[name])
    if decision is None and figures_of_level["ruled_out"] < procedure.limits.margin:
        verdict = "no change"
    return GateChange(
        name=name,
        metric=STEP_TIME,
        unit="s",
        verdict=verdict,
        **figures_of_level,
        blocks=known[name].blocks,
        p_value=known[name].slower,
        explained_by="" if explanations.get(name, name) == name else explanations[name],
    )
