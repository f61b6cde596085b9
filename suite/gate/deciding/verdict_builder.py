"""A ledger -> the verdict. What a gate says while it runs, at its end, and when it is read again comes from here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import TypedDict

from suite.analysis.thresholds import ChangeVerdict
from suite.gate.deciding import control, forecast
from suite.gate.deciding.attribution import EVERY
from suite.gate.deciding.conditions import circumstances
from suite.gate.deciding.effect_sizes import sizes
from suite.gate.deciding.memory_verdicts import of_memory
from suite.gate.deciding.modes import modes_of
from suite.gate.deciding.procedure import CONFIDENCE, Effect, Procedure
from suite.gate.deciding.replay import again_of, failures, replayed, suspected
from suite.gate.deciding.statistics import spending
from suite.gate.deciding.statistics.multiplicity import benjamini_hochberg, holm
from suite.gate.deciding.statistics.serial_dependence import Resemblance
from suite.gate.record.store import GateRecord
from suite.gate.record.values import PairResult
from suite.gate.verdict import STEP_TIME, GateVerdict, Judged, LeftOut, Size


class Figures(TypedDict):
    """What is known of a change, as `Judged` has it."""

    change: float
    low: float
    high: float
    ruled_out: float


DEPENDENCE_LEVEL = 0.005
"""Share of gates of independent blocks that are void because their blocks seem to depend on each other."""
LEAST_CORRELATION = 0.1
"""Of neighbouring blocks, up to which their dependence makes no more false alarms than are said."""
ORDER: tuple[ChangeVerdict, ...] = ("regression", "inconclusive", "improvement", "no change")


def build_verdict(gate: GateRecord, procedure: Procedure | None = None) -> GateVerdict:
    """The verdict of a gate, finished or not.

    Args:
        gate: what was measured.
        procedure: where it stands, if that is known.
    """
    planned = gate.planned
    procedure, modes = procedure or replayed(gate), modes_of(gate)
    known = procedure.known() if procedure.blocks else {}
    failed = failures(gate.blocks)
    culprits = procedure.attribute(known) if known else {}
    explanations = {**(procedure.attribute(known, "improvement") if known else {}), **culprits}
    sized = sizes(gate, procedure, known, modes) if known else {}
    cases = of_step_time(gate, procedure, known, explanations) if STEP_TIME in planned.metrics else []
    cases = [resized(gate, one, *sized[one.name]) if one.name in sized else one for one in cases]
    levels = [level_judged(name, procedure, known, explanations) for name in planned.levels if name in known]
    remembered, unread = of_memory(gate, set(failed))
    return GateVerdict(
        **circumstances(gate, modes),
        cases=tuple(sorted([*cases, *remembered], key=lambda one: (ORDER.index(one.verdict), -nan_last(one.change)))),
        levels=tuple(resized(gate, one, *sized[one.name]) for one in levels),
        culprits=culprits_of(culprits, remembered),
        left_out=(*left_out_of(gate, failed), *unread),
        failed=tuple(name for name, told in failed.items() if told.side == "candidate"),
        blocks=procedure.blocks,
        control_alarm=control_alarm(gate, procedure),
        dependence_alarm=dependence_alarm(gate, procedure),
        too_few=too_few(gate, procedure),
    )


def culprits_of(explanations: Mapping[str, str], remembered: Sequence[Judged]) -> tuple[str, ...]:
    """Names of what explains the regressions of step time, the largest first, then of those of memory."""
    of_time = [name for name, explanation in explanations.items() if name == explanation]
    return tuple(dict.fromkeys([*of_time, *(one.name for one in remembered if one.verdict == "regression")]))


def control_alarm(gate: GateRecord, procedure: Procedure) -> str:
    """What the control shows, in words; empty where it shows nothing. At the end of a gate a clear suspicion that there
    was no time to look into counts as confirmed.
    """
    tolerance = gate.planned.limits.tolerance
    for one in suspected(gate, procedure):
        again = again_of(gate, one.case)
        looked_into = control.is_looked_into(one, again, tolerance) or len(again) >= control.ENOUGH
        if control.is_confirmed(one, again, tolerance) if looked_into else gate.finished and one.is_clear:
            change, over = math.expm1(one.log_ratio), f"{one.blocks} blocks"
            over += f" and {len(again)} more" if looked_into else ", which there was no time to look into"
            where = "all cases on average" if one.case == EVERY else one.case
            return f"the baseline differs from itself by {change:+.1%} in {where}, over {over}"
    return ""


def is_dependent(found: Resemblance) -> bool:
    """Whether neighbouring blocks resemble each other beyond chance, and by enough to matter."""
    return found.p_value <= DEPENDENCE_LEVEL and found.correlation > LEAST_CORRELATION


def dependence_alarm(gate: GateRecord, procedure: Procedure) -> str:
    """How blocks of a gate that is over resemble the ones before them, in words; empty where they do not."""
    if not gate.finished or not procedure.blocks:
        return ""
    found = procedure.resemblance()
    if not is_dependent(found):
        return ""
    return (
        f"each block resembles the one before it: correlation {found.correlation:+.2f} over {procedure.blocks} blocks, "
        f"of which chance brings as much in {100 * DEPENDENCE_LEVEL:g} % of gates"
    )


def too_few(gate: GateRecord, procedure: Procedure) -> str:
    """Why a gate that is over could show no slowdown of any size; empty where it could."""
    planned, names = gate.planned, len(gate.planned.rows) + len(gate.planned.levels)
    fewest = spending.fewest(planned.limits.alpha, max(names, 1))
    is_open = len(procedure.dropped) < len(procedure.cases)
    if not gate.finished or STEP_TIME not in planned.metrics or not is_open or procedure.blocks >= fewest:
        return ""
    costs = forecast.measured(gate) or forecast.estimated(planned.rows, bool(gate.readings), "expected")
    said = forecast.too_few(costs, len(planned.rows), planned.budget_s, planned.limits, names)
    return said or f"{procedure.blocks} blocks fitted in the time, and fewer than {fewest} can show no regression"


def left_out_of(gate: GateRecord, failed: Mapping[str, PairResult]) -> list[LeftOut]:
    """Cases that cannot be compared, and those that failed."""
    never = [LeftOut(name, reason) for name, reason in gate.planned.left_out.items()]
    return [*never, *(LeftOut(name, told.reason, told.side) for name, told in failed.items())]


def nan_last(change: float) -> float:
    """A change by which to sort."""
    return -math.inf if math.isnan(change) else change


def of_step_time(
    gate: GateRecord, procedure: Procedure, known: Mapping[str, Effect], explanations: Mapping[str, str]
) -> list[Judged]:
    """Step time of each row that has not failed."""
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
) -> Judged:
    """One case's step time."""
    settled = procedure.decisions.get(name)
    row = next(row for row in gate.planned.rows if row.id == name)
    blocks = [block for block in gate.of("comparison") if name in block.results]
    medians = [block.pairs[name].medians for block in blocks]
    sides = [[pair[side] for pair in medians if pair] for side in (0, 1)]
    told = known.blocks if known else 0
    verdict: ChangeVerdict = settled.verdict if settled else "inconclusive"
    explanation = explanations.get(name, name)
    return Judged(
        name=name,
        candidate=row.candidate.id if row.candidate.id != row.baseline.id else "",
        metric=STEP_TIME,
        unit="s",
        verdict=verdict,
        **figures(known),
        blocks=told,
        baseline_median=median(sides[0]) if sides[0] else None,
        candidate_median=median(sides[1]) if sides[1] else None,
        discarded=len(blocks) - told,
        p_value=known.slower if known else 1.0,
        holm=in_holm,
        benjamini_hochberg=in_hochberg,
        explained_by="" if explanation == name else explanation,
        reason="" if settled else why(gate, name, told, len(blocks)) or slower_level_of(procedure, name, explanations),
    )


def resized(gate: GateRecord, one: Judged, known: Effect, size: Size) -> Judged:
    """A shown change with the size that was measured in turns, or the mark that it was not."""
    if one.verdict not in ("regression", "improvement") or not size:
        return one
    if size == "at once":
        return replace(one, size=size)
    results = [block.pairs[one.name] for block in gate.of("size") if one.name in block.pairs]
    medians = [told.medians for told in results if told.medians]
    baseline, candidate = ([pair[side] for pair in medians] for side in (0, 1))
    return replace(
        one,
        **figures(known),
        size=size,
        judged_change=one.change,
        baseline_median=median(baseline) if baseline else one.baseline_median,
        candidate_median=median(candidate) if candidate else one.candidate_median,
    )


def figures(known: Effect | None) -> Figures:
    """Change, its interval, and the slowdown that is ruled out."""
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


def why(gate: GateRecord, name: str, told: int, measured: int) -> str:
    """Why a case is inconclusive, where it is for want of blocks and not for their noise."""
    if told >= 2:
        return ""
    lost = [block for block in gate.of("comparison") if name in block.pairs and block.pairs[name].lost]
    if lost:
        return f"a worker was ended from outside in {len(lost)} of {measured} blocks"
    if measured > told:
        return f"others disturbed {measured - told} of {measured} blocks"
    return f"only {measured} blocks were measured" if measured != 1 else "only one block was measured"


def slower_level_of(procedure: Procedure, name: str, explanations: Mapping[str, str]) -> str:
    """Which slower level a case belongs to that is not shown to be slower by itself; empty where there is none."""
    slower = [
        level
        for level, members in procedure.levels.items()
        if name in members and level in procedure.decisions and procedure.decisions[level].verdict == "regression"
    ]
    level = min(slower, key=lambda one: explanations.get(one) != one, default="")
    is_are = "are" if level == EVERY else "is"
    return f"{level} {is_are} slower on average, this case is not shown to be by itself" if level else ""


def level_judged(
    name: str, procedure: Procedure, known: Mapping[str, Effect], explanations: Mapping[str, str]
) -> Judged:
    """All cases of a level."""
    settled = procedure.decisions.get(name)
    verdict: ChangeVerdict = settled.verdict if settled else "inconclusive"
    one = figures(known[name])
    if settled is None and one["ruled_out"] < procedure.limits.margin:
        verdict = "no change"
    return Judged(
        name=name,
        metric=STEP_TIME,
        unit="s",
        verdict=verdict,
        **one,
        blocks=known[name].blocks,
        p_value=known[name].slower,
        explained_by="" if explanations.get(name, name) == name else explanations[name],
    )
