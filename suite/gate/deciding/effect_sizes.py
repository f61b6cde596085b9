"""Sizes of large changes, measured again in turns.

Both sides at once share caches and memory. When the shorter round ends, the longer one has these to itself, so that a
change looks smaller than it is: by 6 to 11 % of its size, in trials. That says nothing of a small change, and never
turns a verdict. Of a large one it is more than the interval, so that its size is measured again, one side at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from suite.gate.deciding.procedure import Effect, Procedure, estimates
from suite.gate.record.paired_rounds import Mode
from suite.gate.record.store import GateRecord
from suite.gate.record.values import CasePair
from suite.gate.verdict import Size

Values = NDArray[np.float64]

LARGE = math.log1p(0.05)
"""Log ratio from which what is lost at once may exceed half a percent of the step."""
BLOCKS = 5
"""Blocks in turns."""
FEWEST = 3
"""Blocks in turns that make a size."""


def wanted(gate: GateRecord, procedure: Procedure, modes: Mapping[str, Mode]) -> list[CasePair]:
    """Rows whose change is shown, large, and measured at once."""
    known = procedure.known() if procedure.blocks else {}
    return [
        row
        for row in gate.planned.rows
        if row.id in procedure.decisions
        and procedure.decisions[row.id].verdict in ("regression", "improvement")
        and abs(known[row.id].mean) > LARGE
        and modes[row.id] == "together"
    ]


def sizes(
    gate: GateRecord, procedure: Procedure, known: Mapping[str, Effect], modes: Mapping[str, Mode]
) -> dict[str, tuple[Effect, Size]]:
    """What is known of the size of each case and level, and how its size was measured: as it was judged, or in turns.

    A level's is measured in turns where each of its cases was.
    """
    blocks = [block.log_ratios for block in gate.of("size")]
    names = [*procedure.cases, *(name for name in procedure.levels if name in known)]
    at_once = {name for name, mode in modes.items() if mode == "together"}
    columns = {name: column(blocks, procedure.levels.get(name, (name,))) for name in names}
    again = [name for name, values in columns.items() if np.isfinite(values).sum() >= FEWEST]
    found: dict[str, tuple[Effect, Size]] = {}
    for name in names:
        is_at_once = at_once.issuperset(procedure.levels.get(name, (name,)))
        is_large = known[name].blocks > 0 and abs(known[name].mean) > LARGE
        found[name] = (known[name], "at once" if is_at_once and is_large else "")
    told = estimates(np.column_stack([columns[name] for name in again])) if again else []
    for name, one in zip(again, told, strict=True):
        found[name] = (Effect(*one, slower=known[name].slower, faster=known[name].faster), "in turns")
    return found


def column(blocks: Sequence[Mapping[str, float]], members: Sequence[str]) -> Values:
    """Means of the log ratios of these cases (N,) in N blocks; NaN where one of them has none."""
    return np.array([np.mean([block.get(name, math.nan) for name in members]) for block in blocks], dtype=np.float64)
