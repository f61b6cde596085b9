"""Wrong calls and power of simulated gates: how often the real procedure calls a case or level that is not slower.

Each gate has up to 40 blocks of normal noise, a third of which all cases of a block share (`SHARED`). The same seed
draws the same noise for every condition, and for every revision that `PYTHONPATH` names.

    .venv/bin/python docs/studies/gate/error.py [GATES]

A call is wrong where a case, or the mean of a level's cases, is not slower than the tolerance. "Wrong" counts gates
with at least one wrong regression or improvement, "found" is the share of slower cases that are called a regression.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np

from suite.analysis.thresholds import Thresholds
from suite.gate.deciding.attribution import levels_of
from suite.gate.deciding.procedure import Procedure
from suite.gate.record.values import CasePair
from suite.records import Case

GATES = 1000
MOST_BLOCKS = 40
SHARED = 0.3
"""Share of a block's variance that its cases have in common, as forks of one process may."""
OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop")


@dataclass(frozen=True)
class Condition:
    """Gates of one kind.

    Attributes:
        slower: cases, drawn by chance in each gate, that are slower by `by`.
        rest: slowdown of the others.
        noise: standard deviation of one block's log ratio.
    """

    cases: int
    slower: int
    by: float
    rest: float
    noise: float


CONDITIONS = (
    *(
        Condition(cases, slower, 0.05, rest, noise)
        for cases, slower in ((24, 18), (8, 6))
        for rest in (0.0, 0.01)
        for noise in (0.008, 0.03)
    ),
    Condition(24, 0, 0.0, 0.01, 0.008),
    Condition(24, 0, 0.0, 0.01, 0.03),
    Condition(24, 1, 0.03, 0.0, 0.006),
    Condition(24, 1, 0.03, 0.0, 0.008),
    Condition(24, 1, 0.03, 0.0, 0.018),
    Condition(24, 1, 0.03, 0.0, 0.03),
    Condition(24, 1, 0.02, 0.0, 0.006),
    Condition(8, 1, 0.05, 0.0, 0.03),
)


@dataclass(frozen=True)
class Counted:
    """Results of the gates of one condition: shares of gates, share of slower cases found, blocks in the mean."""

    wrong_cases: float
    wrong_levels: float
    found: float
    blocks: float


def rows_of(number: int) -> list[CasePair]:
    """As many cases, of four optimizers each."""
    cases = [Case(f"net{index // 4}", OPTIMIZERS[index % 4], "cpu") for index in range(number)]
    return [CasePair(case.id, case, case, concurrent=True) for case in cases]


def gate(condition: Condition, seed: int) -> tuple[set[str], set[str], float, int]:
    """Wrongly called cases and levels of one gate, share of its slower cases found, and its blocks."""
    chance = np.random.default_rng(seed)
    rows = rows_of(condition.cases)
    names = [row.id for row in rows]
    own = chance.standard_normal((MOST_BLOCKS, len(names)))
    shared = chance.standard_normal((MOST_BLOCKS, 1))
    noise = condition.noise * (math.sqrt(1 - SHARED) * own + math.sqrt(SHARED) * shared)
    slower = set(chance.permutation(names)[: condition.slower].tolist())
    truth = {name: math.log1p(condition.by if name in slower else condition.rest) for name in names}
    limits = Thresholds()
    procedure = Procedure(names, levels_of(rows), limits, seed)
    while procedure.open and procedure.blocks < MOST_BLOCKS:
        values = noise[procedure.blocks]
        still = set(procedure.open)
        procedure.add({name: truth[name] + values[place] for place, name in enumerate(names) if name in still})
    procedure.finish()
    means = dict(truth)
    for level, members in procedure.levels.items():
        means[level] = sum(truth[name] for name in members) / len(members)
    edge = math.log1p(limits.tolerance) + 1e-12
    wrong = {
        name
        for name, one in procedure.decisions.items()
        if (one.verdict == "regression" and means[name] <= edge)
        or (one.verdict == "improvement" and means[name] >= -edge)
    }
    found = sum(name in procedure.decisions and procedure.decisions[name].verdict == "regression" for name in slower)
    cases = wrong & set(names)
    return cases, wrong - cases, found / max(len(slower), 1), procedure.blocks


def counted(condition: Condition, gates: int) -> Counted:
    """Many gates of one condition."""
    cases, levels, found, blocks = zip(*(gate(condition, seed) for seed in range(gates)), strict=True)
    return Counted(
        sum(map(bool, cases)) / gates, sum(map(bool, levels)) / gates, sum(found) / gates, sum(blocks) / gates
    )


def main() -> None:
    """Print the table, row by row."""
    gates = int(sys.argv[1]) if len(sys.argv) > 1 else GATES
    print(f"| cases | slower | by | rest | noise | wrong case | wrong level | found | blocks | ({gates} gates each)")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for one in CONDITIONS:
        told = counted(one, gates)
        print(
            f"| {one.cases} | {one.slower} | {one.by:.0%} | {one.rest:.0%} | {100 * one.noise:.1f} % "
            f"| {told.wrong_cases:.1%} | {told.wrong_levels:.1%} | {told.found:.1%} | {told.blocks:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
