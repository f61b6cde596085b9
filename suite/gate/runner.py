"""A gate while it is measured.

choose how to measure (baseline against baseline, in both modes)
read the memory of both sides, again where it seems to differ
until all cases are decided or the time is up:
    measure a block of the open cases; every fifth is baseline against baseline
    keep it, and let the procedure know
    where baseline against baseline seems to differ, measure that case so again
one last look
measure the size of large changes again, in turns
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from statistics import median
from time import monotonic

from suite.gate.deciding import control_blocks, effect_sizes, forecast
from suite.gate.deciding import memory as readings
from suite.gate.deciding.attribution import EVERY
from suite.gate.deciding.forecast import CONTROL_EVERY
from suite.gate.deciding.mode_choice import COST, modes_of
from suite.gate.deciding.replay import add_to, again_of, failures, replayed, suspected
from suite.gate.deciding.statistics import spending
from suite.gate.deciding.verdict_builder import build_verdict
from suite.gate.measuring import memory
from suite.gate.measuring.block import BlockPlan, measure_block
from suite.gate.measuring.sides import BothSides
from suite.gate.record.store import GateWriter
from suite.gate.record.values import BlockResult, CasePair, GateRecord, Kind
from suite.gate.verdict import GateVerdict, Mode
from suite.records.timestamps import now
from suite.units import percent, percent_as_given

MODES: tuple[Mode, Mode] = ("concurrent", "alternating")
TRIAL_ROWS = 3
"""Cases, drawn by chance, by which it is chosen how all that can be measured together are measured."""
TRIAL_SECONDS = 0.5
SHARE_TO_FIRST_LOOK = 0.6
"""Share of the budget within which the first look should come, as far as less time for each case brings that about."""
START_S = 4.0
"""Seconds that starting both sides takes in a block, about."""
OVERHEAD_S = 0.8
"""Seconds that one case takes in a block in addition to its counted rounds, about: forks, warm-up, ends."""
REGULAR: tuple[Kind, ...] = ("comparison", "control")
"""Kinds of the blocks that follow one another in turns."""
FEW = 3
"""Suspected cases up to which each is measured as long as the few that are left after a look."""
MOST_RECHECKS = 3 * control_blocks.AGAIN
"""Blocks that look into suspicions of the control, at most; where a gate has more of these, its machine is not to be
believed."""
LEAST_CASE_SECONDS = 0.15
"""Seconds of counted rounds of a case in one block, at least."""
MOST_CASE_SECONDS: dict[Mode, float] = {"concurrent": 0.6, "alternating": 0.2}
"""The most, by mode. More seconds add little, a fresh block adds much: processes that compute on all
cores differ from each other by 2 to 6 %, forks of one of them hardly."""
Clock = Callable[[], float]
"""Seconds since any moment."""


class GateRunner:
    """Measures what a record's plan wants and its lines do not have yet.

    Args:
        setting: the arms and how workers run.
        gate: the record so far; grows.
        writer: the file that keeps it.
        show: receives a line of text after each step.
        turn: context that keeps other gates of this machine from measuring.
        clock_s: seconds since any moment; it times blocks and the budget.
    """

    def __init__(
        self,
        setting: BothSides,
        gate: GateRecord,
        writer: GateWriter,
        show: Callable[[str], object],
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
        clock_s: Clock = monotonic,
    ) -> None:
        self.gate = gate
        self._setting = setting
        self._writer = writer
        self._show = show
        self._turn = turn
        self._procedure = replayed(gate)
        self._clock_s = clock_s
        self._started_s = clock_s() - gate.seconds
        self._rows = {row.id: row for row in gate.planned.rows}
        self._modes = modes_of(gate)

    def run(self) -> GateVerdict:
        """Go on to the end.

        Raises:
            StepmarkError: one of the sides does not start; what was measured is kept.
        """
        planned = self.gate.planned
        if not planned.identical:
            self._try_modes()
            self._read_memory()
            if "step_time" in planned.metrics:
                self._say_beforehand()
                while self._procedure.open and self._next_s() <= self._left_s() and not self._is_hopeless():
                    self._measure("control" if self._is_control_due() else "comparison")
                    self._look_into_control()
                self._measure_sizes()
        self._writer.finish(now())
        self._procedure.finish()
        self.gate.finished = True
        return build_verdict(self.gate, self._procedure)

    def _say_beforehand(self) -> None:
        """Say how many blocks fit, and the smallest slowdown that these can find."""
        rows = self.gate.planned.rows
        costs = forecast.measured(self.gate) or replace(
            forecast.estimated(rows, reads_memory=False, kind="expected"), fixed_s=0.0
        )
        fit = self._procedure.blocks + costs.comparisons(len(rows), self._left_s())
        left_s = max(self._left_s(), 0)
        self._show(f"about {fit} blocks of all cases fit in the {left_s:.0f} s left; {self._reach(fit)}")

    def _reach(self, blocks: int) -> str:
        """The smallest slowdown that so many blocks can find, in words."""
        planned, procedure = self.gate.planned, self._procedure
        found = procedure.known()
        known = [one.error * math.sqrt(one.blocks) for one in found.values() if one.blocks > 2]
        if procedure.blocks > 2 and procedure.open:  # where others disturb blocks, fewer count
            blocks = round(blocks * median(found[case].blocks for case in procedure.open) / procedure.blocks)
        noise = median(known) if known else forecast.noise_before(planned.rows)
        least = forecast.smallest(noise, blocks, planned.limits, len(planned.rows) + len(planned.levels))
        if not math.isfinite(least):
            return "too few to show a slowdown of any size"
        by = "as measured" if known else "as is assumed before the first block"
        return (
            f"they find a slowdown of {percent(least)} in one case with a chance of "
            f"{percent_as_given(forecast.CHANCE)}, if blocks vary by {percent(noise)}, {by}"
        )

    def _is_hopeless(self) -> bool:
        """Whether too few blocks fit, by those measured, to show any slowdown."""
        planned, costs = self.gate.planned, forecast.measured(self.gate)
        names = len(planned.rows) + len(planned.levels)
        if costs is None or self._procedure.blocks >= spending.fewest(planned.limits.alpha, names):
            return False
        rows, budget_s = len(planned.rows), planned.budget_s
        return bool(forecast.too_few(costs, rows, budget_s, planned.limits, names, forecast.SLACK))

    def _left_s(self) -> float:
        return self.gate.planned.budget_s - (self._clock_s() - self._started_s)

    def _next_s(self) -> float:
        """Expected seconds of the next block, by the last one and its number of cases."""
        last = next((block for block in reversed(self.gate.blocks) if block.kind in REGULAR), None)
        if last is None:
            return 0.0
        per_case = max(last.seconds - START_S, 0.0) / max(len(last.results), 1)
        return START_S + per_case * len(self._procedure.open)

    def _is_control_due(self) -> bool:
        done = [block for block in self.gate.blocks if block.kind in REGULAR]
        return len(done) % CONTROL_EVERY == CONTROL_EVERY - 1

    def _case_seconds(self) -> float:
        """Seconds of rounds of one case in a block.

        The first look comes in time, and the few cases that are left are measured for longer.
        """
        blocks = spending.FIRST * CONTROL_EVERY / (CONTROL_EVERY - 1)
        block_s = self.gate.planned.budget_s * SHARE_TO_FIRST_LOOK / blocks
        modes = [self._modes[name] for name in self._procedure.open]
        own_s = (block_s - START_S) / max(len(modes), 1) - OVERHEAD_S
        most = min((MOST_CASE_SECONDS[mode] for mode in modes), default=0.0)
        return max(LEAST_CASE_SECONDS, min(most, own_s / max((COST[mode] for mode in modes), default=1.0)))

    def _try_modes(self) -> None:
        """Measure some cases in both modes, if they have both, to choose one."""
        rows = [row for row in self._rows.values() if row.concurrent]
        if not rows or any(self.gate.of("trial")):
            return
        chosen = random.Random(self.gate.planned.seed).sample(rows, min(TRIAL_ROWS, len(rows)))  # noqa: S311 - a draw
        self._keep(self._measured("trial", [(row, MODES) for row in chosen], TRIAL_SECONDS))
        self._modes = modes_of(self.gate)
        modes = ", ".join(sorted({self._modes[row.id] for row in rows}))
        self._show(f"{len(rows)} of {len(self._rows)} cases can be measured on separate cores: {modes}")

    def _read_memory(self) -> None:
        """Read the memory of all rows once, and again where it seems to have changed."""
        planned = self.gate.planned
        metrics = readings.wanted(planned.metrics)
        if not metrics:
            return
        while len(self.gate.readings) < readings.READINGS:
            so_far = self.gate.readings
            rows = list(self._rows.values())
            if so_far:
                rows = readings.suspects(rows, so_far, metrics, planned.memory_tolerance)
            if not rows:
                return
            with self._turn():
                reading = memory.measure_memory(self._setting, rows, len(so_far), planned.seed, self._clock_s)
            self._writer.reading(reading)
            self.gate.add(reading)
            self._show(f"memory of {len(rows)} case{'s' * (len(rows) != 1)} read")

    def _measure(self, kind: Kind) -> None:
        rows = [self._rows[name] for name in self._procedure.open]
        modes = [(row, (self._modes[row.id],)) for row in rows]
        block = self._measured(kind, modes, self._case_seconds())
        self._keep(block)
        looks = self._procedure.looks
        if kind == "comparison":
            add_to(self._procedure, block)
        what = "control block" if kind == "control" else f"block {self._procedure.blocks}"
        looked = f", look {self._procedure.looks}" if self._procedure.looks > looks else ""
        self._show(f"{what}{looked}: {self._state()}")

    def _look_into_control(self) -> None:
        """Measure all suspected cases again, in one block, while there is time."""
        while len(list(self.gate.of("recheck"))) < MOST_RECHECKS and self._left_s() > 0:
            tolerance = self.gate.planned.limits.tolerance
            left = [
                one
                for one in suspected(self.gate, self._procedure)
                if not control_blocks.is_resolved(one, again_of(self.gate, one.case), tolerance)
            ]
            rows = self._rows_of(left)
            if not rows:
                return
            modes = [(row, (self._modes[row.id],)) for row in rows]
            seconds = min(MOST_CASE_SECONDS[mode] for _, (mode,) in modes) if len(rows) <= FEW else LEAST_CASE_SECONDS
            self._keep(self._measured("recheck", modes, seconds))
            where = "all cases on average" if left[0].case == EVERY else left[0].case
            more = f" and in {len(left) - 1} more" if len(left) > 1 else ""
            change = math.expm1(left[0].log_ratio)
            self._show(f"the control differs by {percent(change, sign=True)} in {where}{more}; measuring again")

    def _measure_sizes(self) -> None:
        """Measure large changes again in turns, for their size and not their verdict."""
        self._procedure.finish()
        rows = effect_sizes.wanted(self.gate, self._procedure, self._modes)
        while rows and len(done := list(self.gate.of("size"))) < effect_sizes.BLOCKS:
            case_s = OVERHEAD_S + 5 * MOST_CASE_SECONDS["alternating"]
            expected_s = done[-1].seconds if done else START_S + case_s * len(rows)
            if expected_s > self._left_s():
                self._show(f"no time is left to measure {len(rows)} large changes in turns: their sizes are too small")
                return
            self._keep(
                self._measured("size", [(row, ("alternating",)) for row in rows], MOST_CASE_SECONDS["alternating"])
            )
            self._show(f"size of {len(rows)} large change{'s' * (len(rows) != 1)} in turns, block {len(done) + 1}")

    def _rows_of(self, suspicions: Sequence[control_blocks.Suspicion]) -> list[CasePair]:
        """The suspected cases; if all are suspected, those of the last control block."""
        names = {one.case for one in suspicions}
        if EVERY in names:
            names = {name for block in list(self.gate.of("control"))[-1:] for name in block.results}
        return [row for row in self.gate.planned.rows if row.id in names - self._procedure.dropped]

    def _measured(self, kind: Kind, rows: Sequence[tuple[CasePair, tuple[Mode, ...]]], seconds: float) -> BlockResult:
        order = BlockPlan(len(self.gate.blocks), kind, rows, seconds, self.gate.planned.seed)
        with self._turn():
            return measure_block(self._setting, order, self._clock_s)

    def _keep(self, block: BlockResult) -> None:
        self._writer.block(block)
        self.gate.add(block)
        for row in failures([block]):
            self._procedure.drop(row)

    def _state(self) -> str:
        """How many cases are decided and open, and how many blocks are still to come."""
        procedure, left_s = self._procedure, self._left_s()
        done = f"{len(procedure.cases) - len(procedure.open)} of {len(procedure.cases)} cases decided"
        if not procedure.open:
            return done
        blocks = max(0, math.floor(left_s / self._next_s() * (CONTROL_EVERY - 1) / CONTROL_EVERY))
        to_look = next(ahead for ahead in range(1, 10**6) if spending.is_look(procedure.blocks + ahead))
        when = f"next look after {to_look} more" if to_look <= blocks else "the last look comes when the time is up"
        still = f"{len(procedure.open)} open; about {blocks} blocks fit in the {max(left_s, 0):.0f} s left, {when}"
        return f"{done}, {still}; {self._reach(procedure.blocks + blocks)}"
