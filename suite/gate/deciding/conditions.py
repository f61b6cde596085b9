"""Conditions of a gate: noise of its blocks, discarded pieces, other load."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median
from typing import Any, TypedDict

import numpy as np

from suite.analysis.thresholds import Thresholds
from suite.gate.record.values import GateRecord
from suite.gate.verdict import Mode

INTERFERENCE = ("others_cores", "stolen_share", "throttled_share")
"""Metrics of `suite.machine.interference` that a verdict contains."""


class Circumstances(TypedDict):
    """The compared arms and the conditions, under the names of `GateVerdict`."""

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
    modes: dict[str, Mode]
    beside: dict[str, tuple[float, float]]


def circumstances(gate: GateRecord, modes: Mapping[str, Mode]) -> Circumstances:
    """The compared arms and the conditions of a gate.

    Args:
        gate: the record.
        modes: the mode of each row.
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
        "beside": interference_of(gate),
    }


def noise_of(gate: GateRecord) -> float | None:
    """Standard deviation of a block's log ratio; the median of the cases."""
    rows = [block.log_ratios for block in gate.of("comparison")]
    by_case = [
        [row[case.id] for row in rows if math.isfinite(row.get(case.id, math.nan))] for case in gate.planned.rows
    ]
    deviations = [float(np.std(values, ddof=1)) for values in by_case if len(values) > 1]
    return median(deviations) if deviations else None


def discarded_share(gate: GateRecord) -> float:
    """Share of the pieces that are discarded because a side queued for a core."""
    ratios = [pair.ratio for block in gate.of("comparison") for pair in block.pairs.values() if pair.ratio]
    taken = sum(ratio.taken for ratio in ratios)
    return 1 - sum(ratio.pieces for ratio in ratios) / taken if taken else 0.0


def interference_of(gate: GateRecord) -> dict[str, tuple[float, float]]:
    """Interference in the comparison blocks, by metric: its median and its maximum."""
    by_metric: dict[str, list[float]] = {}
    for block in gate.of("comparison"):
        for series in block.surroundings:
            by_metric.setdefault(series.metric.name, []).extend(series.values)
    return {name: (median(by_metric[name]), max(by_metric[name])) for name in INTERFERENCE if by_metric.get(name)}


def machine_of(gate: GateRecord) -> str:
    """The processor and its number of cores, in words."""
    machine = gate.planned.environment.get("machine", {})
    return f"{machine.get('processor', 'unknown processor')}, {machine.get('cores_usable', '?')} cores"
