"""Forecast before the first block: blocks in a budget, smallest slowdown shown.

Before there are measurements, seconds and noise are those of the study's machines. A refusal uses `least` seconds,
because it has to be certain. Estimates and advice use `expected` ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from scipy import stats

from suite.analysis.thresholds import Thresholds
from suite.gate.deciding.statistics import spending
from suite.gate.record.values import BlockResult, CasePair, GateRecord

CONTROL_EVERY = 5
"""One of so many blocks is baseline against baseline."""
START_S = 2.5
"""Seconds for starting both sides in a block."""
CASE_S = {"least": {True: 0.4, False: 0.8}, "expected": {True: 0.75, False: 1.8}}
"""Seconds of one case in a block, by whether both sides can be measured at the same time."""
DEVICE_CASE_S = {"least": 2.5, "expected": 6.0}
"""The same of a case on a device; an H100 took 6.4 to 8.2 s."""
MEMORY_S = {"least": 0.5, "expected": 0.94}
"""Seconds for reading the memory of one case."""
TRIAL_S = {"least": 2.0, "expected": 8.0}
"""Seconds of the trial that chooses a mode, if there is a choice."""
NOISE = {True: 0.006, False: 0.03}
"""Standard deviation of one block's log ratio before there is data, by whether both sides are measured at once."""
CHANCE = 0.9
"""Probability with which the gate finds a slowdown of the forecast size."""
EFFICIENCY = 0.8
"""Blocks that a plain mean needs over those that trimmed means and clipped signs need, in simulated normal noise."""
SLACK = 1.2
"""Factor by which later blocks may be faster than the first ones; a gate gives up only beyond it."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of a gate.

    Attributes:
        fixed_s: before the first block, for any number of cases.
        once_s: for one case before the first block.
        start_s, case_s: for a block, and for each case in it.
    """

    fixed_s: float
    once_s: float
    start_s: float
    case_s: float

    def block_s(self, cases: int) -> float:
        """Seconds of one block."""
        return self.start_s + self.case_s * cases

    def comparisons(self, cases: int, budget_s: float) -> int:
        """Number of comparison blocks that fit in a budget."""
        left_s = budget_s - self.fixed_s - self.once_s * cases
        blocks = max(0, math.floor(left_s / self.block_s(cases)))
        return blocks - blocks // CONTROL_EVERY


def estimated(rows: Sequence[CasePair], reads_memory: bool, kind: str) -> Costs:
    """Costs before the first measurement; `kind` is `least` or `expected`."""
    case_s = sum(seconds_of(row, kind) for row in rows) / max(len(rows), 1)
    trial_s = TRIAL_S[kind] if any(row.concurrent for row in rows) else 0.0
    return Costs(trial_s, MEMORY_S[kind] if reads_memory else 0.0, START_S, case_s)


def seconds_of(row: CasePair, kind: str) -> float:
    """Seconds of one case in a block before the first measurement."""
    return DEVICE_CASE_S[kind] if row.on_device else CASE_S[kind][row.concurrent]


def measured(gate: GateRecord) -> Costs | None:
    """Costs by the last block that compared all cases; None before the first."""
    blocks: list[BlockResult] = [
        block for block in gate.of("comparison") if len(block.results) == len(gate.planned.rows)
    ]
    if not blocks:
        return None
    start_s = min(START_S, blocks[-1].seconds / 2)
    case_s = (blocks[-1].seconds - start_s) / len(blocks[-1].results)
    once_s = sum(reading.seconds for reading in gate.readings) / len(blocks[-1].results)
    return Costs(sum(block.seconds for block in gate.of("trial")), once_s, start_s, case_s)


def too_few(costs: Costs, cases: int, budget_s: float, limits: Thresholds, names: int, slack: float = 1.0) -> str:
    """Why a budget cannot show a regression, and a sufficient one; empty if it can.

    Args:
        costs: of the gate.
        cases: number of measured cases.
        budget_s: seconds that the gate may take.
        limits: with the chance of a false alarm.
        names: number of judged cases and levels.
        slack: factor by which more blocks may fit than the costs allow.
    """
    fewest, fit = spending.fewest(limits.alpha, names), costs.comparisons(cases, budget_s)
    if fit * slack >= fewest:
        return ""
    blocks = fewest + (fewest - 1) // (CONTROL_EVERY - 1)
    needed_s = 1.1 * (costs.fixed_s + costs.once_s * cases + blocks * costs.block_s(cases))
    most = math.floor((budget_s - costs.fixed_s - blocks * costs.start_s) / (costs.once_s + blocks * costs.case_s))
    fewer = f", or at most {most:,} case{'s' * (most != 1)} (-k)" if 0 < most < cases else ""
    return (
        f"{brief(budget_s)} are enough for about {fit} blocks of {cases:,} case{'s' * (cases != 1)}, but showing a "
        f"regression of any size takes {fewest}; allowed: --budget {brief(needed_s)} or more{fewer}"
    )


def brief(seconds: float) -> str:
    """A duration as `--budget` takes it, rounded up: `90s`, `10m`."""
    return f"{math.ceil(seconds)}s" if seconds < 100 else f"{math.ceil(round(seconds / 60, 6))}m"


def smallest(noise: float, blocks: int, limits: Thresholds, names: int) -> float:
    """The smallest slowdown of one case that so many blocks find with `CHANCE`.

    It is infinite if they find none. At one of the looks, the t of the blocks so far has to reach the error of that
    look, shared among all names. In the few blocks of a first look, all signs have to agree as well. A smaller slowdown
    than twice the tolerance may end as no change (`Procedure`), so the result is never smaller than that.

    Args:
        noise: standard deviation of one block's log ratio.
        blocks: number of comparison blocks.
        limits: with the tolerance, and the chance of a false alarm.
        names: number of judged cases and levels.
    """
    looks = [number for number in range(1, blocks + 1) if spending.is_look(number)]
    shares = [(count, spending.share(place)) for place, count in enumerate(looks)]
    shares.append((blocks, spending.final_share(len(looks))))
    reaches = [
        reach(count, limits.alpha * share, names)
        for count, share in shares
        if spending.can_show(count, limits.alpha * share, names, first=count <= spending.FIRST)
    ]
    if not reaches:
        return math.inf
    return max(2 * limits.tolerance, math.expm1(math.log1p(limits.tolerance) + noise * min(reaches)))


def reach(blocks: int, permitted: float, names: int) -> float:
    """Smallest excess over the tolerance that is found with `CHANCE`.

    Its unit is the standard deviation of one block's log ratio.
    """
    by_t = float(stats.t.isf(permitted / names, blocks - 1) + stats.norm.ppf(CHANCE)) / math.sqrt(EFFICIENCY * blocks)
    by_signs = float(stats.norm.ppf(CHANCE ** (1 / blocks))) if blocks <= spending.FIRST else 0.0
    return max(by_t, by_signs)


def noise_before(rows: Sequence[CasePair]) -> float:
    """Noise of a block before the first measurement; the median of the cases."""
    return median(NOISE[row.concurrent] for row in rows) if rows else NOISE[True]
