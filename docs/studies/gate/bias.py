"""How often the control confirms a bias: the study's live blocks of identical arms, with a bias added to one side.

Each made gate takes one live gate's blocks, draws ten that compare the sides, two of control and those that look into
what is suspected, with replacement and signs of chance, and adds the bias to the last two kinds.

    .venv/bin/python docs/studies/gate/bias.py
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from live import trials
from suite.analysis.thresholds import Thresholds
from suite.gate.deciding import control_blocks
from suite.gate.deciding.attribution import EVERY
from suite.gate.deciding.procedure import estimates

Values = NDArray[np.float64]
CONDITIONS = ("identical, 8 cases", "identical, 24 cases")
BIASES = (("none", 0.0, 1000), ("one case", 0.02, 100), ("one case", 0.03, 100), ("one case", 0.05, 100))
BIASES = (*BIASES, ("all cases", 0.02, 100), ("all cases", 0.03, 100))
FEWEST = 9
"""Blocks of all cases that a live gate has to have."""
MOST = 3 * control_blocks.AGAIN


def gates_of(condition: str) -> list[Values]:
    """(blocks, cases) of each live gate of a condition, of blocks that measured every case."""
    found = []
    for one in trials():
        if one["condition"] == condition:
            blocks = [*one["comparison"], *one["control"]]
            names = sorted(max(blocks, key=len))
            whole = [[block.get(name) for name in names] for block in blocks]
            table = np.array([row for row in whole if None not in row], dtype=np.float64)
            found += [table] if len(table) >= FEWEST else []
    return found


def noise_of(names: list[str], table: Values) -> dict[str, float]:
    """Standard deviation of a block, by case and of all of them."""
    columns = [*zip(names, estimates(table), strict=True), (EVERY, estimates(table.mean(axis=1, keepdims=True))[0])]
    return {name: error * math.sqrt(count) for name, (_, error, _, count) in columns}


def is_confirmed(draw: Callable[[int], Values], bias: Values, limits: Thresholds) -> tuple[bool, int]:
    """Whether one made gate confirms a suspicion, and after how many blocks that look into it."""
    names = [str(place) for place in range(len(bias))]
    noise = noise_of(names, draw(10))
    rows = [dict(zip(names, map(float, row), strict=True)) for row in draw(2) + bias]
    raised = control_blocks.suspicions(rows, noise, limits.tolerance, limits.alpha)
    again: dict[str, list[float]] = {one.case: [] for one in raised}
    blocks = 0
    while blocks < MOST and any(
        not control_blocks.is_resolved(one, again[one.case], limits.tolerance) for one in raised
    ):
        row, blocks = draw(1) + bias, blocks + 1
        for name, values in again.items():
            values.append(float(control_blocks.common(row)[0] if name == EVERY else row[0, int(name)]))
    return any(control_blocks.is_confirmed(one, again[one.case], limits.tolerance) for one in raised), blocks


def main() -> None:
    """Print the table."""
    chance = np.random.default_rng(5)
    print("| gates | bias | confirmed | blocks that look into it |\n| --- | --- | --- | --- |")
    for condition in CONDITIONS:
        live = gates_of(condition)
        for where, size, gates in BIASES:
            found = []
            for _ in range(gates):
                table = live[chance.integers(len(live))]
                bias = np.zeros(table.shape[1])
                bias[slice(None) if where == "all cases" else chance.integers(len(bias))] = size

                def draw(count: int, table: Values = table) -> Values:
                    return table[chance.integers(len(table), size=count)] * chance.choice([-1, 1], size=(count, 1))

                found.append(is_confirmed(draw, bias, Thresholds()))
            confirmed, blocks = (sum(one[place] for one in found) / gates for place in (0, 1))
            print(f"| {condition} | {size:.0%} in {where} | {confirmed:.1%} | {blocks:.1f} |", flush=True)


if __name__ == "__main__":
    main()
