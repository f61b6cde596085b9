"""Conditions of a measurement as labels and texts, such as the number of blocks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from suite import units
from suite.gate.verdict import GateVerdict
from suite.units import percent_as_given

MODES = {"concurrent": "at the same time on separate cores", "alternating": "in turns"}
"""Mode of measuring both sides of a case -> its description."""

INTERFERENCE = {
    "others_cores": ("other processes used", 1.0, " cores"),
    "stolen_share": ("the hypervisor took", 100.0, " % of the time"),
    "throttled_share": ("the CPU quota throttled", 100.0, " % of the time"),
}
"""Metric of interference -> its description, and the factor and unit of its values."""


def conditions(verdict: GateVerdict) -> tuple[tuple[str, str], ...]:
    """Labels and texts in the order of the report, without those that are unknown."""
    all_conditions = (
        ("baseline", arm(verdict, "baseline", verdict.baseline)),
        ("candidate", arm(verdict, "candidate", verdict.candidate)),
        ("limits", limits(verdict)),
        ("blocks", blocks(verdict)),
        ("time", duration(verdict)),
        ("noise", noise(verdict)),
        ("discarded", discarded(verdict)),
        ("lost", lost(verdict)),
        ("interference", interference(verdict)),
        ("control", control(verdict)),
        ("order of blocks", f"alarm: {verdict.dependence_alarm}" if verdict.dependence_alarm else ""),
        ("machine", verdict.machine),
        ("modes", modes(verdict)),
    )
    return tuple((label, text) for label, text in all_conditions if text)


def arm(verdict: GateVerdict, side: str, asked: str) -> str:
    """An arm as the user wrote it, and the code and environment that it selected."""
    facts = verdict.arms.get(side)
    if isinstance(facts, dict):
        facts = {key: value for key, value in facts.items() if key != "identity"}
    selected = arm_facts(facts)
    return f"{asked} ({selected})" if selected and selected != asked else asked


def modes(verdict: GateVerdict) -> str:
    """Number of cases measured in each mode."""
    return ", ".join(f"{count} {MODES.get(mode, mode)}" for mode, count in Counter(verdict.modes.values()).items())


def arm_facts(value: Any) -> str:
    """The facts of an arm in one line: `revision 1a2b3c, variables OMP_NUM_THREADS=1`."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text}" for key, entry in value.items() if (text := arm_fact(entry)))
    return arm_fact(value)


def arm_fact(value: Any) -> str:
    """One fact of an arm; no text if it is empty."""
    if isinstance(value, Mapping):
        return " ".join(f"{key}={entry}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return "" if value in (None, "") else str(value)


def limits(verdict: GateVerdict) -> str:
    """Definitions of the verdicts by the limits."""
    chosen = verdict.limits
    return (
        f"regression: a slowdown above the tolerance of {percent_as_given(chosen.tolerance)}, growth of memory above "
        f"{percent_as_given(verdict.memory_tolerance)}, or any growth of host_reads is shown; "
        f"no change: a slowdown of the margin, {percent_as_given(chosen.margin)}, is ruled out; "
        f"chance of any false regression among all cases: {percent_as_given(chosen.alpha)}"
    )


def blocks(verdict: GateVerdict) -> str:
    """Number of blocks of each kind."""
    pairs = f"{verdict.blocks:,} of baseline and candidate, {verdict.control_blocks:,} of baseline and baseline"
    return "" if verdict.identical else pairs


def duration(verdict: GateVerdict) -> str:
    """Time that the gate took, of its budget."""
    if not math.isfinite(verdict.seconds):
        return ""
    of = f" of {units.duration(verdict.budget_s)}" if 0 < verdict.budget_s < math.inf else ""
    return f"{units.duration(verdict.seconds)}{of}"


def noise(verdict: GateVerdict) -> str:
    """Standard deviation from block to block."""
    if verdict.noise is None or not math.isfinite(verdict.noise):
        return ""
    return f"{100 * verdict.noise:.2g} % (standard deviation from block to block, median over the cases)"


def discarded(verdict: GateVerdict) -> str:
    """Share of the pairs that interference made unusable."""
    return "" if verdict.identical else f"{units.percent(verdict.discarded)} of the pairs, because of interference"


def lost(verdict: GateVerdict) -> str:
    """Number of blocks in which a worker was killed; no text if there were none."""
    number = verdict.lost_blocks
    which = "block, which does" if number == 1 else "blocks, which do"
    text = f"a worker was killed in {number:,} {which} not count for the cases that it left unmeasured"
    return text if number else ""


def interference(verdict: GateVerdict) -> str:
    """Interference that occurred; other processes are named even if they were idle."""
    texts = []
    for metric, (description, factor, unit) in INTERFERENCE.items():
        middle, worst = verdict.beside.get(metric, (math.nan, math.nan))
        if worst > 0 or (worst == 0 and metric == "others_cores"):
            values = f"{factor * middle:.2g}{unit} in the median block, {factor * worst:.2g}{unit} in the worst"
            texts.append(f"{description} {values}")
    return "; ".join(texts)


def control(verdict: GateVerdict) -> str:
    """Whether the control found a difference between two identical sides."""
    if verdict.control_alarm:
        return f"alarm: {verdict.control_alarm}"
    return "no alarm: no difference between two identical sides" if verdict.control_blocks > 0 else ""
