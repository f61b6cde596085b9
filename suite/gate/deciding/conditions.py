"""How a gate was measured: the noise of its blocks, what was discarded, what others did to the machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median
from typing import Any, TypedDict

import numpy as np

from suite.analysis.thresholds import Thresholds
from suite.gate.record.paired_rounds import Mode
from suite.gate.record.store import GateRecord

BESIDE = ("others_cores", "stolen_share", "throttled_share")
"""Metrics of `suite.machine.interference` that a verdict tells."""


class Circumstances(TypedDict):
    """What was compared, and how, under the names of `GateVerdict`."""

    baseline: str
    candidate: str
    arms: dict[str, Any]
    limits: Thresholds
    memory_tolerance: float
    control_blocks: int
    noise: float | None
    identical: bool
    interrupted: bool
    seconds: float
    budget_s: float
    discarded: float
    lost_blocks: int
    machine: str
    modes: dict[str, str]
    beside: dict[str, tuple[float, float]]


def circumstances(gate: GateRecord, modes: Mapping[str, Mode]) -> Circumstances:
    """What a gate compared, and how it was measured.

    Args:
        gate: what was measured.
        modes: of each row.
    """
    planned = gate.planned
    return {
        "baseline": planned.arms["baseline"]["text"],
        "candidate": planned.arms["candidate"]["text"],
        "arms": planned.arms,
        "limits": planned.limits,
        "memory_tolerance": planned.memory_tolerance,
        "control_blocks": len(list(gate.of("control"))),
        "noise": noise_of(gate),
        "identical": planned.identical,
        "interrupted": not gate.finished,
        "seconds": gate.seconds,
        "budget_s": planned.budget_s,
        "discarded": discarded_share(gate),
        "lost_blocks": sum(block.has_lost for block in gate.blocks),
        "machine": machine_of(gate),
        "modes": dict(modes),
        "beside": beside(gate),
    }


def noise_of(gate: GateRecord) -> float | None:
    """Standard deviation of a block's log ratio, in the middle of the cases."""
    rows = [block.log_ratios for block in gate.of("comparison")]
    by_case = [
        [row[case.id] for row in rows if math.isfinite(row.get(case.id, math.nan))] for case in gate.planned.rows
    ]
    found = [float(np.std(values, ddof=1)) for values in by_case if len(values) > 1]
    return median(found) if found else None


def discarded_share(gate: GateRecord) -> float:
    """Share of the pieces, of both sides, that were left out since one of them queued for a core."""
    ratios = [told.ratio for block in gate.of("comparison") for told in block.pairs.values() if told.ratio]
    taken = sum(ratio.taken for ratio in ratios)
    return 1 - sum(ratio.pieces for ratio in ratios) / taken if taken else 0.0


def beside(gate: GateRecord) -> dict[str, tuple[float, float]]:
    """What others did to the machine: in the middle of the blocks that compare the sides, and in the worst of them."""
    found: dict[str, list[float]] = {}
    for block in gate.of("comparison"):
        for series in block.surroundings:
            found.setdefault(series.metric.name, []).extend(series.values)
    return {name: (median(found[name]), max(found[name])) for name in BESIDE if found.get(name)}


def machine_of(gate: GateRecord) -> str:
    """The processor and its cores, in words."""
    machine = gate.planned.environment.get("machine", {})
    return f"{machine.get('processor', 'unknown processor')}, {machine.get('cores_usable', '?')} cores"
