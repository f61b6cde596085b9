"""Live blocks dealt anew through the whole procedure: a test of its code under a null that is imposed.

The blocks are those of live gates of identical arms (`reports/studies/gate.jsonl`). Each made gate draws blocks with
replacement, from all gates and sittings together, turns the signs of each by chance, and adds a slowdown: to one case,
to all of one optimizer, or to every case. By how much, and to what, are `CHANGES`. So the null holds by construction,
blocks are independent by construction, and a slowdown is the same in every block: the counts say what the procedure
does with noise of that size and shape, not how often a gate on a machine is wrong.
"""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from gathered import study
from live import RAW
from suite.analysis.thresholds import Thresholds
from suite.gate.deciding.attribution import levels_of
from suite.gate.deciding.procedure import Procedure
from suite.gate.record.values import CasePair
from suite.records import Case

GATES = 1000
"""Made gates of each change."""
SHORT_GATES = 200
FEWEST_BLOCKS = 80
"""Live blocks from which it is worth dealing."""
MOST_BLOCKS = {"identical, 8 cases": 100, "identical, 24 cases": 60}
"""Condition whose blocks are dealt -> blocks that fit in ten minutes: some ten of all cases, at 8 and 21 s with the
controls, then those of the few that are left, at some 5 s."""
OUT = RAW.with_name("gate_redealt.json")


@dataclass(frozen=True)
class Change:
    """Slowdown of made gates, and its place: `nothing`, `one case`, `one optimizer`, `every case`.

    Where every case is slower by no more than the tolerance, whatever alarms is a false alarm.
    """

    where: str
    effect: float = 0.0


CHANGES = (
    Change("nothing"),
    Change("every case", Thresholds().tolerance),
    *(Change("one case", effect) for effect in (0.01, 0.02, 0.03, 0.05, 0.10)),
    *(Change("one optimizer", effect) for effect in (0.02, 0.03)),
)
Block = dict[str, float]


@dataclass(frozen=True)
class Found:
    """Results of made gates of one change.

    Attributes:
        alarms: gates with a regression of what is not slower than the tolerance.
        caught: gates in which what is slower is a regression.
        passed: gates in which it is `no change`, any of it.
        blocks: in the median.
    """

    where: str
    effect: float
    gates: int
    alarms: int
    caught: int
    passed: int
    blocks: float


def blocks_of(condition: str) -> list[Block]:
    """Blocks of live gates of identical arms that measured every case, comparisons and controls."""
    every = [
        block
        for one in study().gates
        if one["condition"] == condition
        for block in (*one["comparison"], *one["control"])
    ]
    width = max(map(len, every), default=0)
    return [block for block in every if len(block) == width and all(value is not None for value in block.values())]


def case_of(name: str) -> Case:
    """A case of the study from its id."""
    structure, optimizer, execution, size = name.split("-")
    return Case(structure, optimizer, execution, batch_size=int(size.removeprefix("b")))


def victims_of(change: Change, procedure: Procedure, number: int) -> tuple[str, ...]:
    """Cases that are slower in a made gate, each in turn."""
    optimizers = [name for name in procedure.levels if name.startswith("optimizer ")]
    if change.where == "one optimizer":
        return procedure.levels[optimizers[number % len(optimizers)]]
    if change.where == "one case":
        return (procedure.cases[number % len(procedure.cases)],)
    return procedure.cases if change.where == "every case" else ()


def gate(number: int, blocks: Sequence[Block], change: Change, most: int) -> tuple[bool, bool, bool, int]:
    """One made gate: whether it alarmed falsely, caught what is slower, passed any of it, and after how many blocks."""
    chance = random.Random(number)  # noqa: S311 - blocks are dealt
    names = sorted(blocks[0])
    rows = [CasePair(name, case_of(name), case_of(name), concurrent=True) for name in names]
    procedure = Procedure(names, levels_of(rows), Thresholds(), number)
    victims = victims_of(change, procedure, number)
    shift = {name: math.log1p(change.effect) if name in victims else 0.0 for name in names}
    while procedure.open and procedure.blocks < most:
        block, sign = chance.choice(blocks), chance.choice((1, -1))
        procedure.add({name: sign * block[name] + shift[name] for name in procedure.open})
    procedure.finish()
    slowed = {name for name, one in procedure.decisions.items() if one.verdict == "regression"}
    slower = set(victims) if change.effect > procedure.limits.tolerance else set()
    level = {name for name, members in procedure.levels.items() if set(members) == slower}
    touched = {name for name, members in procedure.levels.items() if slower & set(members)}
    passed = any(procedure.decisions[one].verdict == "no change" for one in victims if one in procedure.decisions)
    return bool(slowed - slower - touched), bool(slowed & (level or slower)), passed, procedure.blocks


def deal(blocks: Sequence[Block], change: Change, most: int, gates: int, pool: ProcessPoolExecutor) -> Found:
    """Many made gates of one change."""
    one = partial(gate, blocks=blocks, change=change, most=most)
    alarms, caught, passed, counts = zip(*pool.map(one, range(gates), chunksize=20), strict=True)
    return Found(change.where, change.effect, gates, sum(alarms), sum(caught), sum(passed), median(counts))


def main() -> None:
    """Deal, and keep the counts."""
    gates = SHORT_GATES if os.environ.get("STUDY") == "short" else GATES
    kept = {}
    with ProcessPoolExecutor() as pool:
        for condition, most in MOST_BLOCKS.items():
            blocks = blocks_of(condition)
            if len(blocks) < FEWEST_BLOCKS:
                print(f"{condition}: {len(blocks)} blocks are too few to deal")
                continue
            kept[condition] = {"blocks": len(blocks), "gates": []}
            for change in CHANGES:
                one = deal(blocks, change, most, gates, pool)
                kept[condition]["gates"].append(vars(one))
                print(
                    f"{condition}, {one.where} {one.effect:.0%} slower: caught {one.caught:4} of {one.gates}, "
                    f"alarms {one.alarms}, no change {one.passed}, {one.blocks:.0f} blocks",
                    flush=True,
                )
    Path(OUT).write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
