"""Gates whose blocks follow the one before: how many are void, and how many false alarms are left.

Every case is slower by the tolerance itself, so that each regression is a false alarm. A block's noise follows that of
the block before with a correlation, in each case by itself (`shared` 0) or in all of them alike (`shared` 1).

    .venv/bin/python docs/studies/gate/dependence.py [GATES]
"""

from __future__ import annotations

import math
import sys

import numpy as np
from numpy.typing import NDArray

from error import rows_of
from suite.analysis.thresholds import Thresholds
from suite.gate.deciding.attribution import levels_of
from suite.gate.deciding.procedure import Procedure
from suite.gate.deciding.verdict_builder import is_dependent

Values = NDArray[np.float64]

GATES = 200
MOST_BLOCKS = 40
NOISE = 0.008
CONDITIONS = [
    (correlation, cases, shared)
    for correlation in (0.0, 0.5, 0.9)
    for cases, shared in ((1, 0.0), (8, 0.0), (8, 0.3), (8, 1.0), (24, 0.0), (24, 0.3))
]


def drifting(chance: np.random.Generator, columns: int, correlation: float) -> Values:
    """(MOST_BLOCKS, columns) of noise that follows itself."""
    drawn = chance.standard_normal((MOST_BLOCKS, columns))
    for block in range(1, MOST_BLOCKS):
        drawn[block] = correlation * drawn[block - 1] + math.sqrt(1 - correlation**2) * drawn[block]
    return drawn


def gate(correlation: float, cases: int, shared: float, seed: int) -> tuple[bool, bool]:
    """Whether one gate alarms, and whether it is void."""
    chance, rows = np.random.default_rng(seed), rows_of(cases)
    names, limits = [row.id for row in rows], Thresholds()
    own, common = drifting(chance, cases, correlation), drifting(chance, 1, correlation)
    noise = NOISE * (math.sqrt(1 - shared) * own + math.sqrt(shared) * common) + math.log1p(limits.tolerance)
    procedure = Procedure(names, levels_of(rows), limits, seed)
    while procedure.open and procedure.blocks < MOST_BLOCKS:
        values, still = noise[procedure.blocks], set(procedure.open)
        procedure.add({name: values[place] for place, name in enumerate(names) if name in still})
    procedure.finish()
    alarm = any(one.verdict == "regression" for one in procedure.decisions.values())
    return alarm, is_dependent(procedure.resemblance())


def main() -> None:
    """Print the table, row by row."""
    gates = int(sys.argv[1]) if len(sys.argv) > 1 else GATES
    print(
        f"| correlation | cases | noise in common | false alarms | void | alarms that are left | ({gates} gates each)"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for correlation, cases, shared in CONDITIONS:
        found = [gate(correlation, cases, shared, seed) for seed in range(gates)]
        alarms, void = (sum(one[place] for one in found) / gates for place in (0, 1))
        left = sum(alarm and not is_void for alarm, is_void in found) / gates
        print(f"| {correlation} | {cases} | {shared:.0%} | {alarms:.1%} | {void:.1%} | {left:.1%} |", flush=True)


if __name__ == "__main__":
    main()
