"""One case, a worker of each side, measured against each other: rounds of both, piece by piece.

A piece is the smallest thing that tells a ratio: one round of each side taken at the same time (`together`), or the
four bursts A B B A of sides that take turns (`bursts`). Its order is which side had which cores, or which came first:
half of the pieces have either, so that neither side gains by it.
"""

from __future__ import annotations

import math
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TypeVar

from suite.analysis.estimates import is_steady
from suite.gate.measuring.sides import SideWorker
from suite.gate.record.paired_rounds import Mode, PairedRounds
from suite.measuring.barrier import LOST
from suite.records import Rounds, Series
from suite.runner.visit import FIRST_ROUNDS, MAX_STEPS_PER_ROUND
from suite.runner.worker_handle import BarrierEnd, WorkerFailed, WorkerLost

T = TypeVar("T")

Sides = tuple[SideWorker, SideWorker]
"""Baseline, candidate."""

ROUND_S = 0.008
"""Seconds of one round of workers that meet before each: a meeting takes some 0.1 ms, and is no part of a round."""
CHUNK_S = 0.15
"""Seconds of rounds that are asked for at once; weights are put back in between."""
BURST_S = 0.03
"""Seconds of one burst: long beside the first step after a pause, which is left out, short beside the drift."""
WARM_CHUNK_S = 0.05
"""Seconds of one chunk of warm-up."""
WARM_CHUNKS = 20
"""Chunks of warm-up, at most; two that agree end it."""
PAUSE_S = 0.01
"""Seconds after a pause, the first round at least, that are left out of a burst: for some milliseconds the threads of
the other side spin before they sleep, each on a core that this side wants."""
FEWEST_PIECES = {"together": 8, "bursts": 4}
"""Pieces of one case in one block, however long a step takes. A piece of bursts takes as long as eight together."""


class OneFailed(Exception):
    """One side's worker has failed, or was ended from outside; the text is the reason.

    Attributes:
        place: 0 for the baseline, 1 for the candidate.
        lost: whether it was ended from outside, which tells nothing of the case.
    """

    def __init__(self, place: int, failed: WorkerFailed) -> None:
        super().__init__(str(failed))
        self.place = place
        self.lost = isinstance(failed, WorkerLost)


def answer(place: int, get: Callable[[], T]) -> T:
    """What a side's worker answers, or `OneFailed`."""
    try:
        return get()
    except WorkerFailed as failed:
        raise OneFailed(place, failed) from failed


@dataclass(frozen=True, slots=True)
class Halves:
    """Two sets of cores of one size, for workers that are measured at the same time."""

    first: tuple[int, ...]
    second: tuple[int, ...]

    def cores(self, order: int) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
        """Cores of the baseline's rounds and of the candidate's, in turns, where the first round has this order."""
        swapped = ((self.first, self.second), (self.second, self.first))
        return swapped[order], swapped[1 - order]


def measure(sides: Sides, mode: Mode, seconds: float, halves: Halves, chance: random.Random) -> PairedRounds:
    """Warm both workers up, then measure until each has some `seconds` of rounds.

    Args:
        sides: workers that have made their steps.
        mode: how.
        seconds: of counted rounds of each side.
        halves: the cores that each side has in turns where they are measured together.
        chance: for what comes first.

    Raises:
        OneFailed: one of the sides has failed or is gone.
    """
    step_s = first_rounds(sides)
    if mode == "together":
        return together(sides, seconds, step_s, halves, chance)
    return bursts(sides, seconds, step_s, chance)


def both(sides: Sides, ask: Callable[[SideWorker, int], None], first: int = 0) -> tuple[Rounds, Rounds]:
    """Ask both sides, one of them first, then wait for both.

    Raises:
        OneFailed: with the side that failed, where the other merely missed it.
    """
    for place in (first, 1 - first):
        ask(sides[place], place)
    found, failed = [], []
    for place, side in enumerate(sides):
        try:
            found.append(answer(place, side.rounds))
        except OneFailed as error:
            failed.append(error)
    if failed:
        raise min(failed, key=lambda error: LOST in str(error))
    return found[0], found[1]


def first_rounds(sides: Sides) -> float:
    """Take the rounds in which a step makes what it makes lazily; seconds of the slower side's last."""
    found = both(sides, lambda side, _: side.ask(seconds=0.0, steps_per_round=1, min_rounds=FIRST_ROUNDS))
    return max(rounds.step_time[-1] for rounds in found)


def together(sides: Sides, seconds: float, step_s: float, halves: Halves, chance: random.Random) -> PairedRounds:
    """Both at the same time, a set of cores each, swapped before every round."""

    def chunk(order: int, steps: int, rounds: int) -> tuple[Rounds, Rounds]:
        ends = socket.socketpair()

        def ask(side: SideWorker, place: int) -> None:
            together = BarrierEnd(ends[place], cores[place])
            side.ask(seconds=0.0, steps_per_round=steps, min_rounds=rounds, together=together)
            ends[place].close()  # the worker has its own: were this one open, the other would wait for a dead one

        with ends[0], ends[1]:
            cores = halves.cores(order)
            return both(sides, ask, first=chance.randrange(2))  # who is asked last finds the other waiting

    to_warm = steps_of(step_s, ROUND_S)
    step_s = warm_up(lambda: chunk(0, to_warm, rounds_in(WARM_CHUNK_S, to_warm * step_s)))
    steps = steps_of(step_s, ROUND_S)
    per_chunk = rounds_in(CHUNK_S, steps * step_s)
    kept: list[tuple[Rounds, Rounds]] = []
    orders: list[int] = []
    spent_s, order = 0.0, chance.randrange(2)
    while spent_s < seconds or len(orders) < FEWEST_PIECES["together"]:
        found = chunk(order, steps, per_chunk + 2)
        spent_s += max(sum(rounds.step_time[2:]) for rounds in found) * steps
        kept.append((found[0].drop(2), found[1].drop(2)))  # the first round of each order was taken after a pause
        orders += [(order + index) % 2 for index in range(per_chunk)]
        order = 1 - order
    return PairedRounds("together", tuple(orders), *joined(kept), steps)


def bursts(sides: Sides, seconds: float, step_s: float, chance: random.Random) -> PairedRounds:
    """In turns, baseline and candidate and candidate and baseline, or the other way round."""

    def burst(place: int, steps: int, left_out: int, rounds: int) -> Rounds:
        measure_side = partial(sides[place].measure, seconds=0.0, steps_per_round=steps, min_rounds=left_out + rounds)
        return answer(place, measure_side).drop(left_out)

    cold = burst_of(step_s)
    steps, left_out, rounds = burst_of(warm_up(lambda: (burst(0, *cold), burst(1, *cold))))
    pieces: list[tuple[Rounds, Rounds]] = []
    orders: list[int] = []
    spent_s, order = 0.0, chance.randrange(2)
    while spent_s < seconds or len(orders) < FEWEST_PIECES["bursts"]:
        parts = [burst(place, steps, left_out, rounds) for place in (order, 1 - order, 1 - order, order)]
        found = Rounds.concat((parts[0], parts[3])), Rounds.concat((parts[1], parts[2]))
        pieces.append((found[order], found[1 - order]))
        orders.append(order)
        spent_s += max(sum(rounds.step_time) for rounds in found) * steps
        order = 1 - order
    return PairedRounds("bursts", tuple(orders), *joined(pieces), steps)


def joined(pieces: Sequence[tuple[Rounds, Rounds]]) -> tuple[tuple[Series, ...], tuple[Series, ...]]:
    """The series of both sides, one piece after the other."""
    baseline, candidate = (Rounds.concat(piece[place] for piece in pieces).series for place in (0, 1))
    return baseline, candidate


def burst_of(step_s: float) -> tuple[int, int, int]:
    """Steps of a round, rounds that are left out, and counted rounds, of a burst of about `BURST_S`."""
    steps = steps_of(step_s, BURST_S / 3)
    if not step_s > 0:
        return steps, 1, 1
    return steps, math.ceil(PAUSE_S / (steps * step_s)), max(1, round(BURST_S / (steps * step_s)))


def rounds_in(seconds: float, round_s: float) -> int:
    """An even number of rounds that take about so long, 4 at least."""
    return 2 * max(2, round(seconds / round_s / 2)) if round_s > 0 else MAX_STEPS_PER_ROUND


def steps_of(step_s: float, round_s: float) -> int:
    """Steps of a round of about that length."""
    return min(MAX_STEPS_PER_ROUND, max(1, round(round_s / step_s))) if step_s > 0 else MAX_STEPS_PER_ROUND


def warm_up(chunk: Callable[[], Sequence[Rounds]]) -> float:
    """Take chunks until the step times of both sides have settled; seconds of the slower side's step in the last one.

    What a step takes at first, with both sides making what they make lazily at once, is many times as long.
    """
    before = [rounds.step_time for rounds in chunk()]
    for _ in range(WARM_CHUNKS - 1):
        now = [rounds.step_time for rounds in chunk()]
        if all(is_steady(was, is_now) for was, is_now in zip(before, now, strict=True)):
            return max(map(median, now))
        before = now
    return max(map(median, before))
