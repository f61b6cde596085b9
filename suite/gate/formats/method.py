"""How a verdict was measured, as labels and texts: the arms, the limits, blocks, time, noise, control, machine."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from suite import units
from suite.gate.formats.numbers import limit, percent
from suite.gate.verdict import GateVerdict

MEANINGS = {"together": "on cores of their own at the same time", "bursts": "in turns"}
"""Mode of measuring both sides of a case -> what it means."""

BESIDE = {
    "others_cores": ("other processes used", 1.0, " cores"),
    "stolen_share": ("the hypervisor took", 100.0, " %"),
    "throttled_share": ("a quota held back", 100.0, " %"),
}
"""Metric of what others did to the machine -> what it means, and the factor and mark with which it is told."""


def conditions(verdict: GateVerdict) -> tuple[tuple[str, str], ...]:
    """Labels and texts, in the order in which a reader asks for them; those that are not known are left out."""
    known = (
        ("baseline", arm(verdict, "baseline", verdict.baseline)),
        ("candidate", arm(verdict, "candidate", verdict.candidate)),
        ("limits", limits(verdict)),
        ("blocks", blocks(verdict)),
        ("time", duration(verdict)),
        ("noise", noise(verdict)),
        ("discarded", discarded(verdict)),
        ("lost", lost(verdict)),
        ("beside", beside(verdict)),
        ("control", control(verdict)),
        ("order of blocks", f"alarm: {verdict.dependence_alarm}" if verdict.dependence_alarm else ""),
        ("machine", verdict.machine),
        ("modes", modes(verdict)),
    )
    return tuple((label, text) for label, text in known if text)


def arm(verdict: GateVerdict, side: str, asked: str) -> str:
    """An arm as the user wrote it, and what it turned out to be."""
    known = verdict.arms.get(side)
    found = plain({key: one for key, one in known.items() if key != "identity"} if isinstance(known, dict) else known)
    return f"{asked} ({found})" if found and found != asked else asked


def modes(verdict: GateVerdict) -> str:
    """How many cases were measured in each mode."""
    return ", ".join(f"{count} {MEANINGS.get(mode, mode)}" for mode, count in Counter(verdict.modes.values()).items())


def plain(value: Any) -> str:
    """What an arm turned out to be, in one line: `revision 1a2b3c, variables OMP_NUM_THREADS=1`."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {entry}" for key, one in value.items() if (entry := entries(one)))
    return entries(value)


def entries(value: Any) -> str:
    """One entry of an arm; nothing where it is empty."""
    if isinstance(value, Mapping):
        return " ".join(f"{key}={one}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return "" if value in (None, "") else str(value)


def limits(verdict: GateVerdict) -> str:
    """What counts as what."""
    chosen = verdict.limits
    return (
        f"regression: a slowdown above {limit(chosen.tolerance)} is shown, or growth of memory above "
        f"{limit(verdict.memory_tolerance)}, or of host_reads at all; "
        f"no change: a slowdown above {limit(chosen.margin)} is ruled out; "
        f"chance of any false one among all cases: {limit(chosen.alpha)}"
    )


def blocks(verdict: GateVerdict) -> str:
    """Pairs of processes."""
    pairs = f"{verdict.blocks:,} of baseline and candidate, {verdict.control_blocks:,} of baseline and baseline"
    return "" if verdict.identical else pairs


def duration(verdict: GateVerdict) -> str:
    """Time spent, of the time that there was."""
    if not math.isfinite(verdict.seconds):
        return ""
    of = f" of {units.duration(verdict.budget_s)}" if 0 < verdict.budget_s < math.inf else ""
    return f"{units.duration(verdict.seconds)}{of}"


def noise(verdict: GateVerdict) -> str:
    """How far one block may be from another."""
    if verdict.noise is None or not math.isfinite(verdict.noise):
        return ""
    return (
        f"{100 * verdict.noise:.2g} %, the standard deviation of a case from block to block, in the middle of the cases"
    )


def discarded(verdict: GateVerdict) -> str:
    """What was left out."""
    return "" if verdict.identical else f"{percent(verdict.discarded)} of the pieces of rounds, for disturbance"


def lost(verdict: GateVerdict) -> str:
    """In how many blocks a worker was ended from outside; nothing where there was none."""
    number = verdict.lost_blocks
    where = f"{number:,} {'block, which tells' if number == 1 else 'blocks, which tell'} nothing of"
    return f"a worker was ended from outside in {where} the cases that it left unmeasured" if number else ""


def beside(verdict: GateVerdict) -> str:
    """What others did to the machine meanwhile; nothing of what did not happen, but that other processes were idle."""
    told = []
    for name, (meaning, factor, mark) in BESIDE.items():
        middle, worst = verdict.beside.get(name, (math.nan, math.nan))
        if worst > 0 or (worst == 0 and name == "others_cores"):
            told.append(f"{meaning} {factor * middle:.2g}{mark}, {factor * worst:.2g}{mark} in the worst block")
    return "; ".join(told)


def control(verdict: GateVerdict) -> str:
    """Whether the machine told two identical sides apart."""
    if verdict.control_alarm:
        return f"alarm: {verdict.control_alarm}"
    return "no alarm: two identical sides were not told apart" if verdict.control_blocks > 0 else ""
