"""Live blocks dealt anew through the whole procedure: error and power of many more gates than can be measured live.

The blocks are those of live gates of identical arms (`reports/studies/gate.jsonl`). Each made gate draws blocks with
replacement, all cases of a block together, turns the signs of each by chance, as the randomisation might have, and
adds a slowdown to one case, or to all of one optimizer.
"""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scipy import stats

from live import RAW, trials
from suite.gate.explain import levels_of
from suite.gate.procedure import Procedure
from suite.gate.records import Row
from suite.limits import Limits
from suite.records import Case

GATES = 1000
"""Made gates of each effect."""
SHORT_GATES = 200
MOST_BLOCKS = {"eight": 40, "twentyfour": 24}
"""Blocks that fit in the time of a live gate, once most cases are settled."""
EFFECTS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.10)
OUT = RAW.with_name("gate_redealt.json")

Block = dict[str, float]


@dataclass(frozen=True)
class Found:
    """What made gates of one effect said.

    Attributes:
        alarms: gates with a regression where nothing was slower: of another case, or a level without it.
        caught: gates in which what was slower is a regression.
        passed: gates in which it is `no change`.
        blocks: in the median.
    """

    effect: float
    gates: int
    alarms: int
    caught: int
    passed: int
    blocks: float


def blocks_of(condition: str) -> list[Block]:
    """Blocks of live gates of identical arms that told of every case, comparisons and controls."""
    every = [
        block for one in trials() if one["condition"] == condition for block in (*one["comparison"], *one["control"])
    ]
    width = max(map(len, every), default=0)
    return [block for block in every if len(block) == width and all(value is not None for value in block.values())]


def case_of(name: str) -> Case:
    """A case of the study from its id."""
    structure, optimizer, execution, size = name.split("-")
    return Case(structure, optimizer, execution, batch_size=int(size.removeprefix("b")))


def gate(blocks: Sequence[Block], victims: frozenset[str], effect: float, most: int, seed: int) -> Procedure:
    """One made gate."""
    chance = random.Random(seed)  # noqa: S311 - blocks are dealt
    names = sorted(blocks[0])
    rows = [Row(name, case_of(name), case_of(name), together=True) for name in names]
    procedure = Procedure(names, levels_of(rows), Limits(), seed)
    shift = {name: math.log1p(effect) if name in victims else 0.0 for name in names}
    while procedure.open and procedure.blocks < most:
        block, sign = chance.choice(blocks), chance.choice((1, -1))
        procedure.add({name: sign * block[name] + shift[name] for name in procedure.open})
    procedure.finish()
    return procedure


def deal(blocks: Sequence[Block], effect: float, most: int, gates: int) -> Found:
    """Many made gates with one slower case, another each time."""
    names = sorted(blocks[0])
    alarms = caught = passed = 0
    counts = []
    for seed in range(gates):
        victim = names[seed % len(names)]
        procedure = gate(blocks, frozenset([victim] if effect else []), effect, most, seed)
        slowed = {name for name, one in procedure.settled.items() if one.verdict == "regression"}
        alarms += any(name != victim and victim not in procedure.levels.get(name, ()) for name in slowed) or (
            not effect and bool(slowed)
        )
        caught += bool(effect) and victim in slowed
        passed += victim in procedure.settled and procedure.settled[victim].verdict == "no change"
        counts.append(procedure.blocks)
    return Found(effect, gates, alarms, caught, passed, median(counts))


def limits(count: int, of: int) -> tuple[float, float]:
    """A share's interval at 95 %, by Clopper and Pearson."""
    found = stats.binomtest(count, of).proportion_ci(0.95)
    return float(found.low), float(found.high)


def main() -> None:
    """Deal, and keep the counts."""
    gates = SHORT_GATES if os.environ.get("STUDY") == "short" else GATES
    kept = {}
    for profile, condition in (("eight", "identical, 8 cases"), ("twentyfour", "identical, 24 cases")):
        blocks = blocks_of(condition)
        if len(blocks) < MOST_BLOCKS[profile]:
            print(f"{condition}: {len(blocks)} blocks are too few to deal")
            continue
        found = [deal(blocks, effect, MOST_BLOCKS[profile], gates) for effect in EFFECTS]
        kept[condition] = {"blocks": len(blocks), "gates": [vars(one) for one in found]}
        for one in found:
            print(
                f"{condition}, {one.effect:4.0%} slower: caught {one.caught:4} of {one.gates}, "
                f"alarms {one.alarms}, no change {one.passed}, {one.blocks:.0f} blocks",
                flush=True,
            )
    Path(OUT).write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
