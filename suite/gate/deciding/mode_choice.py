"""The mode of each case, decided once from the block that tries both."""

from __future__ import annotations

import math
from statistics import median

from suite.gate.record.values import GateRecord
from suite.gate.verdict import Mode

COST: dict[Mode, float] = {"concurrent": 1.0, "alternating": 2.0}
"""Relative time of a mode for the same seconds of rounds of each side."""


def modes_of(gate: GateRecord) -> dict[str, Mode]:
    """The mode of each row.

    It is `concurrent` if the row allows that, unless the trial showed that `alternating` is more precise in the same
    time.
    """
    gains = []
    for block in gate.of("trial"):
        for by_mode in block.results.values():
            spreads = {mode: pair.ratio.spread for mode, pair in by_mode.items() if pair.ratio}
            if len(spreads) == len(COST) and all(spread > 0 for spread in spreads.values()):
                gains.append(math.log(spreads["alternating"] ** 2 * COST["alternating"] / spreads["concurrent"] ** 2))
    best: Mode = "concurrent" if not gains or median(gains) > 0 else "alternating"
    return {row.id: best if row.concurrent else "alternating" for row in gate.planned.rows}
