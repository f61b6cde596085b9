"""Sizes of large changes, measured again in turns.

Two sides that run at once share caches and memory. When the shorter round ends, the longer one has these alone. A
change then looks smaller than it is, by 6 to 11 % of its size in trials. For a small change that is negligible, and it
never turns a verdict. For a large change it exceeds the interval, so the gate measures its size again, one side at a
time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from suite.gate.deciding.procedure import Effect, Procedure, estimates
from suite.gate.record.values import CasePair, GateRecord
from suite.gate.verdict import Mode, Size

Values = NDArray[np.float64]

LARGE = math.log1p(0.05)
"""Log ratio above which the size measured at once may be off by more than half a percent of the step."""
BLOCKS = 5
"""Blocks in turns."""
FEWEST = 3
"""Fewest blocks in turns for a size."""


def wanted(gate: GateRecord, procedure: Procedure, modes: Mapping[str, Mode]) -> list[CasePair]:
    """Rows with a large change that is shown and was measured at once."""
    known = procedure.known() if procedure.blocks else {}
    return [
        row
        for row in gate.planned.rows
        if row.id in procedure.decisions
        and procedure.decisions[row.id].verdict in ("regression", "improvement")
        and abs(known[row.id].mean) > LARGE
        and modes[row.id] == "concurrent"
    ]


def sizes(
    gate: GateRecord, procedure: Procedure, known: Mapping[str, Effect], modes: Mapping[str, Mode]
) -> dict[str, tuple[Effect, Size]]:
    """The effect of each case and level, and whether its size was measured in turns.

    The size of a level is measured in turns if those of all its cases are.
    """
    blocks = [block.log_ratios for block in gate.of("size")]
    names = [*procedure.cases, *(name for name in procedure.levels if name in known)]
    at_once = {name for name, mode in modes.items() if mode == "concurrent"}
    columns = {name: column(blocks, procedure.levels.get(name, (name,))) for name in names}
    again = [name for name, values in columns.items() if np.isfinite(values).sum() >= FEWEST]
    sized: dict[str, tuple[Effect, Size]] = {}
    for name in names:
        is_at_once = at_once.issuperset(procedure.levels.get(name, (name,)))
        is_large = known[name].blocks > 0 and abs(known[name].mean) > LARGE
        sized[name] = (known[name], "at once" if is_at_once and is_large else "")
    in_turns = estimates(np.column_stack([columns[name] for name in again])) if again else []
    for name, estimate in zip(again, in_turns, strict=True):
        sized[name] = (Effect(*estimate, slower=known[name].slower, faster=known[name].faster), "in turns")
    return sized


def column(blocks: Sequence[Mapping[str, float]], members: Sequence[str]) -> Values:
    """Mean log ratios (N,) of these cases in N blocks; NaN if a case has none."""
    return np.array([np.mean([block.get(name, math.nan) for name in members]) for block in blocks], dtype=np.float64)
