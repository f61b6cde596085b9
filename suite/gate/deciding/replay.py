"""From a ledger's blocks to the procedure: which rounds count, who failed, and where it stands after them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from suite.gate.deciding import control
from suite.gate.deciding.attribution import EVERY
from suite.gate.deciding.procedure import Procedure
from suite.gate.record.store import GateRecord
from suite.gate.record.values import BlockResult, PairResult


def again_of(gate: GateRecord, name: str) -> list[float]:
    """Log ratios of a row, or of the mean of all (`EVERY`), in blocks that looked into suspicions of the control."""
    found = []
    for block in gate.of("recheck"):
        ratios = block.log_ratios
        if name == EVERY and len(block.results) > 1:
            whole = np.array([[one for one in ratios.values() if math.isfinite(one)]])
            found.append(float(control.common(whole)[0]) if len(block.results) == most_told(gate) else math.nan)
        else:
            found.append(ratios.get(name, math.nan))
    return [one for one in found if math.isfinite(one)]


def most_told(gate: GateRecord) -> int:
    """Rows of the last control block, which measured all that were open."""
    last = list(gate.of("control"))[-1:]
    return len(last[0].results) if last else 0


def suspected(gate: GateRecord, procedure: Procedure) -> list[control.Suspicion]:
    """What the control blocks seem to tell apart, the clearest first."""
    limits = gate.planned.limits
    noise = procedure.noise() if procedure.blocks > 2 else {}
    return control.suspicions([block.log_ratios for block in gate.of("control")], noise, limits.tolerance, limits.alpha)


def failures(blocks: Sequence[BlockResult]) -> dict[str, PairResult]:
    """Rows that failed by their own fault, and how."""
    found: dict[str, PairResult] = {}
    for block in blocks:
        for row, told in block.pairs.items():
            if told.side and not told.lost:
                found.setdefault(row, told)
    return found


def add_to(procedure: Procedure, block: BlockResult) -> None:
    """Let a procedure know of a block that compares the sides."""
    for row in failures([block]):
        procedure.drop(row)
    procedure.add(block.log_ratios)


def replayed(gate: GateRecord) -> Procedure:
    """The procedure as it stands after the blocks of a ledger."""
    planned = gate.planned
    procedure = Procedure([row.id for row in planned.rows], planned.levels, planned.limits, planned.seed)
    for row in failures([block for block in gate.blocks if block.kind != "comparison"]):
        procedure.drop(row)
    for block in gate.of("comparison"):
        add_to(procedure, block)
    if gate.finished:
        procedure.finish()
    return procedure
