"""How many blocks fit in a budget, and the smallest slowdown that so many can show; said before the first of them.

Before there is data, seconds and noise are those of the study's machines. `least` seconds are for a refusal, which has
to be sure; `expected` ones are for what is said and advised.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from scipy import stats

from suite.analysis.thresholds import Thresholds
from suite.gate.deciding.statistics import spending
from suite.gate.record.store import GateRecord
from suite.gate.record.values import BlockResult, CasePair

CONTROL_EVERY = 5
"""Blocks of which one is baseline against baseline."""
START_S = 2.5
"""Seconds that starting both sides takes in a block."""
CASE_S = {"least": {True: 0.4, False: 0.8}, "expected": {True: 0.75, False: 1.8}}
"""Seconds of one case in a block, by whether both sides can be measured at the same time."""
MEMORY_S = {"least": 0.5, "expected": 0.94}
"""Seconds in which the memory of one case is read."""
TRIAL_S = {"least": 2.0, "expected": 8.0}
"""Seconds in which it is chosen how to measure, where there is a choice."""
NOISE = {True: 0.006, False: 0.03}
"""Standard deviation of one block's log ratio before there is data, by whether both sides are measured at once."""
CHANCE = 0.9
"""With which a slowdown of the size that is named would be found."""
EFFICIENCY = 0.8
"""Blocks of normal noise that a plain mean needs, over those that trimmed means and clipped signs need; simulated."""
SLACK = 1.2
"""By which blocks may turn out faster than the first ones, before a gate gives up."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of a gate.

    Attributes:
        fixed_s: before the first block, whatever the number of cases.
        once_s: of one case before the first block.
        start_s, case_s: of a block, and of each case in it.
    """

    fixed_s: float
    once_s: float
    start_s: float
    case_s: float

    def block_s(self, cases: int) -> float:
        """Of one block."""
        return self.start_s + self.case_s * cases

    def comparisons(self, cases: int, budget_s: float) -> int:
        """Blocks that compare the sides and fit in a budget."""
        left_s = budget_s - self.fixed_s - self.once_s * cases
        blocks = max(0, math.floor(left_s / self.block_s(cases)))
        return blocks - blocks // CONTROL_EVERY


def estimated(rows: Sequence[CasePair], reads_memory: bool, kind: str) -> Costs:
    """Costs before anything was measured; `kind` is `least` or `expected`."""
    case_s = sum(CASE_S[kind][row.together] for row in rows) / max(len(rows), 1)
    trial_s = TRIAL_S[kind] if any(row.together for row in rows) else 0.0
    return Costs(trial_s, MEMORY_S[kind] if reads_memory else 0.0, START_S, case_s)


def measured(gate: GateRecord) -> Costs | None:
    """Costs by the last block that compared all cases; None before the first."""
    blocks: list[BlockResult] = [
        block for block in gate.of("comparison") if len(block.results) == len(gate.planned.rows)
    ]
    if not blocks:
        return None
    start_s = min(START_S, blocks[-1].seconds / 2)
    case_s = (blocks[-1].seconds - start_s) / len(blocks[-1].results)
    once_s = sum(one.seconds for one in gate.readings) / len(blocks[-1].results)
    return Costs(sum(block.seconds for block in gate.of("trial")), once_s, start_s, case_s)


def too_few(costs: Costs, cases: int, budget_s: float, limits: Thresholds, names: int, slack: float = 1.0) -> str:
    """Why no regression of any size can be shown within a budget, and what would do; empty where one can.

    Args:
        costs: of the gate.
        cases: that it measures.
        budget_s: seconds that it may take.
        limits: with the chance of a false alarm.
        names: cases and levels that are judged.
        slack: factor by which more blocks may fit than the costs say.
    """
    fewest, fit = spending.fewest(limits.alpha, names), costs.comparisons(cases, budget_s)
    if fit * slack >= fewest:
        return ""
    blocks = fewest + (fewest - 1) // (CONTROL_EVERY - 1)
    needed_s = 1.1 * (costs.fixed_s + costs.once_s * cases + blocks * costs.block_s(cases))
    most = math.floor((budget_s - costs.fixed_s - blocks * costs.start_s) / (costs.once_s + blocks * costs.case_s))
    fewer = f", or at most {most:,} case{'s' * (most != 1)} (-k)" if 0 < most < cases else ""
    return (
        f"{cases:,} case{'s' * (cases != 1)} in {brief(budget_s)} leave time for about {fit} blocks, and fewer than "
        f"{fewest} can show no regression of any size; allowed: --budget {brief(needed_s)} or more{fewer}"
    )


def brief(seconds: float) -> str:
    """A duration as `--budget` takes it, rounded up: `90s`, `10m`."""
    return f"{math.ceil(seconds)}s" if seconds < 100 else f"{math.ceil(round(seconds / 60, 6))}m"


def smallest(noise: float, blocks: int, limits: Thresholds, names: int) -> float:
    """The smallest slowdown in one case that so many blocks find with `CHANCE`; infinite where they find none.

    At one of the looks, the t of that many blocks has to reach what is permitted to it, shared among all names; in the
    few blocks of a first look, all signs have to agree as well. Below twice the tolerance a case may be called no
    change before it is shown to be slower (`Procedure`), so that no smaller slowdown is named.

    Args:
        noise: standard deviation of one block's log ratio.
        blocks: that compare the sides.
        limits: with the tolerance, and the chance of a false alarm.
        names: cases and levels that are judged.
    """
    looks = [number for number in range(1, blocks + 1) if spending.is_look(number)]
    shares = [(count, spending.share(place)) for place, count in enumerate(looks)]
    shares.append((blocks, spending.final_share(len(looks))))
    found = [
        reach(count, limits.alpha * share, names)
        for count, share in shares
        if spending.can_show(count, limits.alpha * share, names, first=count <= spending.FIRST)
    ]
    if not found:
        return math.inf
    return max(2 * limits.tolerance, math.expm1(math.log1p(limits.tolerance) + noise * min(found)))


def reach(blocks: int, permitted: float, names: int) -> float:
    """By how many standard deviations of a block a mean has to exceed the tolerance, to be found with `CHANCE`."""
    by_t = float(stats.t.isf(permitted / names, blocks - 1) + stats.norm.ppf(CHANCE)) / math.sqrt(EFFICIENCY * blocks)
    by_signs = float(stats.norm.ppf(CHANCE ** (1 / blocks))) if blocks <= spending.FIRST else 0.0
    return max(by_t, by_signs)


def noise_before(rows: Sequence[CasePair]) -> float:
    """Noise of a block before there is data, in the middle of the cases."""
    return median(NOISE[row.together] for row in rows) if rows else NOISE[True]
