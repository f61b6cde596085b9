"""A record's blocks -> the state of the procedure, suspicions and failures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from suite.gate.deciding import control_blocks
from suite.gate.deciding.attribution import EVERY
from suite.gate.deciding.procedure import Procedure
from suite.gate.record.values import BlockResult, GateRecord, PairResult
from suite.gate.verdict import STEP_TIME


def again_of(gate: GateRecord, name: str) -> list[float]:
    """Log ratios of a row, or of the mean of all (`EVERY`), in the rechecks."""
    repeated = []
    for block in gate.of("recheck"):
        ratios = block.log_ratios
        if name == EVERY and len(block.results) > 1:
            whole = np.array([[ratio for ratio in ratios.values() if math.isfinite(ratio)]])
            repeated.append(
                float(control_blocks.common(whole)[0]) if len(block.results) == open_rows(gate) else math.nan
            )
        else:
            repeated.append(ratios.get(name, math.nan))
    return [ratio for ratio in repeated if math.isfinite(ratio)]


def open_rows(gate: GateRecord) -> int:
    """Number of rows in the last control block, which measured all open ones."""
    last = list(gate.of("control"))[-1:]
    return len(last[0].results) if last else 0


def suspected(gate: GateRecord, procedure: Procedure) -> list[control_blocks.Suspicion]:
    """Suspicions of the control blocks, the clearest first."""
    limits = gate.planned.limits
    noise = procedure.noise() if procedure.blocks > 2 else {}
    return control_blocks.suspicions(
        [block.log_ratios for block in gate.of("control")], noise, limits.tolerance, limits.alpha
    )


def failures(blocks: Sequence[BlockResult]) -> dict[str, PairResult]:
    """First failure of each row that failed, without those of killed workers.

    A block for the size of a change comes after its verdict, and takes nothing back.
    """
    failed: dict[str, PairResult] = {}
    for block in (one for one in blocks if one.kind != "size"):
        for row, pair in block.pairs.items():
            if pair.side and not pair.lost:
                failed.setdefault(row, pair)
    return failed


def all_failures(gate: GateRecord) -> dict[str, PairResult]:
    """First failure of each row that failed in a block.

    A gate without step times has no blocks that would show a failure; there, those of its readings count.
    """
    failed = failures(gate.blocks)
    if STEP_TIME not in gate.planned.metrics:
        for reading in gate.readings:
            for row, (side, reason) in reading.failed.items():
                failed.setdefault(row, PairResult(reason=reason, side=side))
    return failed


def add_to(procedure: Procedure, block: BlockResult) -> None:
    """Add a comparison block to a procedure, and drop the rows that failed in it."""
    for row in failures([block]):
        procedure.drop(row)
    procedure.add(block.log_ratios)


def replayed(gate: GateRecord) -> Procedure:
    """The procedure after the blocks of a record."""
    planned = gate.planned
    procedure = Procedure([row.id for row in planned.rows], planned.levels, planned.limits, planned.seed)
    for row in failures([block for block in gate.blocks if block.kind != "comparison"]):
        procedure.drop(row)
    for block in gate.of("comparison"):
        add_to(procedure, block)
    if gate.finished:
        procedure.finish()
    return procedure
