"""From a ledger's blocks to the procedure: which rounds count, who failed, and where it stands after them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from suite.gate.deciding import control
from suite.gate.deciding.attribution import EVERY
from suite.gate.deciding.procedure import Procedure
from suite.gate.deciding.ratio import ratio_of
from suite.gate.record.store import Gate
from suite.gate.record.values import Block, Mode, Ratio, Row, Told

COST = {"together": 1.0, "bursts": 2.0}
"""Time that a mode takes for the same seconds of rounds of each side."""


def mode_of(gate: Gate, row: Row) -> Mode:
    """How a row is measured: together where that can be, unless the trial found bursts more precise in as much time."""
    if not row.together:
        return "bursts"
    gains = []
    for block in gate.of("trial"):
        for name, by_mode in block.told.items():
            ratios = {mode: kept_ratio(block, name, mode) for mode in by_mode}
            spreads = {mode: ratio.spread for mode, ratio in ratios.items() if ratio}
            if len(spreads) == len(COST) and all(spread > 0 for spread in spreads.values()):
                gains.append(math.log(spreads["bursts"] ** 2 * COST["bursts"] / spreads["together"] ** 2))
    return "together" if not gains or median(gains) > 0 else "bursts"


def told_of(block: Block, row: str) -> Told | None:
    """What a block of one mode tells of a row; None where it did not measure it."""
    return next(iter(block.told.get(row, {}).values()), None)


def has_lost(block: Block) -> bool:
    """Whether a worker of the block was ended from outside."""
    return any(told.lost for by_mode in block.told.values() for told in by_mode.values())


def ratio_in(block: Block, row: str) -> Ratio | None:
    """A row's ratio in a block of one mode; None where there is none, NaN where others disturbed it."""
    mode = next(iter(block.told.get(row, {})), None)
    return kept_ratio(block, row, mode) if mode else None


def kept_ratio(block: Block, row: str, mode: Mode) -> Ratio | None:
    """A row's ratio in a block, computed once and kept with the block; None where there are no rounds."""
    paired = block.told[row][mode].paired
    if paired and (row, mode) not in block.ratios:
        block.ratios[row, mode] = ratio_of(paired)
    return block.ratios.get((row, mode))


def log_ratios(block: Block) -> dict[str, float]:
    """Log ratio by row; rows that have none are left out."""
    found = {row: ratio_in(block, row) for row in block.told}
    return {row: ratio.log_ratio for row, ratio in found.items() if ratio}


def again_of(gate: Gate, name: str) -> list[float]:
    """Log ratios of a row, or of the mean of all (`EVERY`), in blocks that looked into suspicions of the control."""
    found = []
    for block in gate.of("recheck"):
        ratios = log_ratios(block)
        if name == EVERY and len(block.told) > 1:
            whole = np.array([[one for one in ratios.values() if math.isfinite(one)]])
            found.append(float(control.common(whole)[0]) if len(block.told) == most_told(gate) else math.nan)
        else:
            found.append(ratios.get(name, math.nan))
    return [one for one in found if math.isfinite(one)]


def most_told(gate: Gate) -> int:
    """Rows of the last control block, which measured all that were open."""
    last = list(gate.of("control"))[-1:]
    return len(last[0].told) if last else 0


def suspected(gate: Gate, procedure: Procedure) -> list[control.Suspicion]:
    """What the control blocks seem to tell apart, the clearest first."""
    limits = gate.planned.limits
    noise = procedure.noise() if procedure.blocks > 2 else {}
    return control.suspicions(map(log_ratios, gate.of("control")), noise, limits.tolerance, limits.alpha)


def failures(blocks: Sequence[Block]) -> dict[str, Told]:
    """Rows that failed by their own fault, and how."""
    found: dict[str, Told] = {}
    for block in blocks:
        for row in block.told:
            told = told_of(block, row)
            if told and told.side and not told.lost:
                found.setdefault(row, told)
    return found


def add_to(procedure: Procedure, block: Block) -> None:
    """Let a procedure know of a block that compares the sides."""
    for row in failures([block]):
        procedure.drop(row)
    procedure.add(log_ratios(block))


def replayed(gate: Gate) -> Procedure:
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
