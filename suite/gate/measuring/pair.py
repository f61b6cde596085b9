"""One case: a worker of each side, measured against the other, piece by piece.

A piece is the smallest unit that yields a ratio. In mode `concurrent` it is one round of each side, taken at the same
time. In mode `alternating` it is four bursts, A B B A, of sides that alternate. The order of a piece is which side had
which cores, or which side came first. Half of the pieces have each order, so that it favours neither side.
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
from suite.gate.record.paired_rounds import PairedRounds
from suite.gate.verdict import Mode
from suite.measuring.barrier import LOST
from suite.records import Rounds, Series
from suite.runner.visit import FIRST_ROUNDS, MAX_STEPS_PER_ROUND
from suite.runner.worker_handle import BarrierEnd, WorkerFailed, WorkerLost

T = TypeVar("T")

Sides = tuple[SideWorker, SideWorker]
"""Baseline, candidate."""

ROUND_S = 0.008
"""Seconds of one round in `concurrent`. Before each, the workers meet for about 0.1 ms, which no round includes."""
CHUNK_S = 0.15
"""Seconds of rounds in one request; the weights are restored between requests."""
BURST_S = 0.03
"""Seconds of one burst: much longer than the first step after a pause, which is discarded; short against the drift."""
WARM_CHUNK_S = 0.05
"""Seconds of one chunk of warm-up."""
WARM_CHUNKS = 20
"""Most chunks of warm-up; two that agree end it."""
PAUSE_S = 0.01
"""Seconds after a pause, at least one round, that a burst discards. The threads of the other side spin for some
milliseconds before they sleep, each on a core that this side wants."""
FEWEST_PIECES = {"concurrent": 8, "alternating": 4}
"""Fewest pieces of one case in one block, for steps of any length. A piece of `alternating` takes as long as eight of
`concurrent`."""


class OneFailed(Exception):
    """The worker of one side failed or was killed; the text is the reason.

    Attributes:
        place: 0 for the baseline, 1 for the candidate.
        lost: whether the worker was killed, which is no evidence about the case.
    """

    def __init__(self, place: int, failed: WorkerFailed) -> None:
        super().__init__(str(failed))
        self.place = place
        self.lost = isinstance(failed, WorkerLost)


def answer(place: int, get: Callable[[], T]) -> T:
    """The answer of a side's worker.

    Raises:
        OneFailed: the worker failed or was killed.
    """
    try:
        return get()
    except WorkerFailed as failed:
        raise OneFailed(place, failed) from failed


@dataclass(frozen=True, slots=True)
class Halves:
    """Two sets of equally many cores, for workers measured at the same time."""

    first: tuple[int, ...]
    second: tuple[int, ...]

    def cores(self, order: int) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
        """Cores of each side, alternating from round to round; the first has `order`."""
        swapped = ((self.first, self.second), (self.second, self.first))
        return swapped[order], swapped[1 - order]


def measure(sides: Sides, mode: Mode, seconds: float, halves: Halves, chance: random.Random) -> PairedRounds:
    """Warm both workers up, then measure about `seconds` of rounds of each.

    Args:
        sides: workers that have made their steps.
        mode: `concurrent` or `alternating`.
        seconds: counted rounds of each side.
        halves: cores that the sides swap in `concurrent`.
        chance: for the order of the first piece.

    Raises:
        OneFailed: a worker failed or was killed.
    """
    step_s = first_rounds(sides)
    if mode == "concurrent":
        return measure_concurrent(sides, seconds, step_s, halves, chance)
    return measure_alternating(sides, seconds, step_s, chance)


def both(sides: Sides, ask: Callable[[SideWorker, int], None], first: int = 0) -> tuple[Rounds, Rounds]:
    """Ask both sides, `first` first, then wait for the rounds of both.

    Raises:
        OneFailed: with the side that failed, not the one that lost its partner.
    """
    for place in (first, 1 - first):
        ask(sides[place], place)
    rounds, failed = [], []
    for place, side in enumerate(sides):
        try:
            rounds.append(answer(place, side.rounds))
        except OneFailed as error:
            failed.append(error)
    if failed:
        raise min(failed, key=lambda error: LOST in str(error))
    return rounds[0], rounds[1]


def first_rounds(sides: Sides) -> float:
    """Run the rounds with lazy initialisation; the slower side's last step in s."""
    pair = both(sides, lambda side, _: side.ask(seconds=0.0, steps_per_round=1, min_rounds=FIRST_ROUNDS))
    return max(rounds.step_time[-1] for rounds in pair)


def measure_concurrent(
    sides: Sides, seconds: float, step_s: float, halves: Halves, chance: random.Random
) -> PairedRounds:
    """Measure both sides at the same time; they swap cores before every round."""

    def chunk(order: int, steps: int, rounds: int) -> tuple[Rounds, Rounds]:
        ends = socket.socketpair()

        def ask(side: SideWorker, place: int) -> None:
            barrier = BarrierEnd(ends[place], cores[place])
            side.ask(seconds=0.0, steps_per_round=steps, min_rounds=rounds, barrier=barrier)
            ends[place].close()  # the worker has a copy: with this one open, its partner would wait for a dead worker

        with ends[0], ends[1]:
            cores = halves.cores(order)
            return both(sides, ask, first=chance.randrange(2))  # the side asked last finds the other waiting

    to_warm = steps_of(step_s, ROUND_S)
    step_s = warm_up(lambda: chunk(0, to_warm, rounds_in(WARM_CHUNK_S, to_warm * step_s)))
    steps = steps_of(step_s, ROUND_S)
    per_chunk = rounds_in(CHUNK_S, steps * step_s)
    kept: list[tuple[Rounds, Rounds]] = []
    orders: list[int] = []
    spent_s, order = 0.0, chance.randrange(2)
    while spent_s < seconds or len(orders) < FEWEST_PIECES["concurrent"]:
        pair = chunk(order, steps, per_chunk + 2)
        spent_s += max(sum(rounds.step_time[2:]) for rounds in pair) * steps
        kept.append((pair[0].drop(2), pair[1].drop(2)))  # a pause preceded the first round of each order
        orders += [(order + index) % 2 for index in range(per_chunk)]
        order = 1 - order
    return PairedRounds("concurrent", tuple(orders), *joined(kept), steps)


def measure_alternating(sides: Sides, seconds: float, step_s: float, chance: random.Random) -> PairedRounds:
    """Measure the sides alternately: A B B A or B A A B."""

    def burst(place: int, steps: int, discarded: int, rounds: int) -> Rounds:
        measure_side = partial(sides[place].measure, seconds=0.0, steps_per_round=steps, min_rounds=discarded + rounds)
        return answer(place, measure_side).drop(discarded)

    cold = burst_of(step_s)
    steps, discarded, rounds = burst_of(warm_up(lambda: (burst(0, *cold), burst(1, *cold))))
    pieces: list[tuple[Rounds, Rounds]] = []
    orders: list[int] = []
    spent_s, order = 0.0, chance.randrange(2)
    while spent_s < seconds or len(orders) < FEWEST_PIECES["alternating"]:
        taken = [burst(place, steps, discarded, rounds) for place in (order, 1 - order, 1 - order, order)]
        pair = Rounds.concat((taken[0], taken[3])), Rounds.concat((taken[1], taken[2]))
        pieces.append((pair[order], pair[1 - order]))
        orders.append(order)
        spent_s += max(sum(side.step_time) for side in pair) * steps
        order = 1 - order
    return PairedRounds("alternating", tuple(orders), *joined(pieces), steps)


def joined(pieces: Sequence[tuple[Rounds, Rounds]]) -> tuple[tuple[Series, ...], tuple[Series, ...]]:
    """The series of both sides, with the pieces in order."""
    baseline, candidate = (Rounds.concat(piece[place] for piece in pieces).series for place in (0, 1))
    return baseline, candidate


def burst_of(step_s: float) -> tuple[int, int, int]:
    """Steps per round, discarded rounds and counted rounds of a `BURST_S` burst."""
    steps = steps_of(step_s, BURST_S / 3)
    if not step_s > 0:
        return steps, 1, 1
    return steps, math.ceil(PAUSE_S / (steps * step_s)), max(1, round(BURST_S / (steps * step_s)))


def rounds_in(seconds: float, round_s: float) -> int:
    """An even number of rounds, at least 4, that take about `seconds`."""
    return 2 * max(2, round(seconds / round_s / 2)) if round_s > 0 else MAX_STEPS_PER_ROUND


def steps_of(step_s: float, round_s: float) -> int:
    """Steps of a round of about `round_s` seconds."""
    return min(MAX_STEPS_PER_ROUND, max(1, round(round_s / step_s))) if step_s > 0 else MAX_STEPS_PER_ROUND


def warm_up(chunk: Callable[[], Sequence[Rounds]]) -> float:
    """Take chunks until both step times are steady; return the slower one in seconds.

    The first steps, in which both sides initialise lazily at the same time, take many times as long.
    """
    before = [rounds.step_time for rounds in chunk()]
    for _ in range(WARM_CHUNKS - 1):
        now = [rounds.step_time for rounds in chunk()]
        if all(is_steady(was, is_now) for was, is_now in zip(before, now, strict=True)):
            return max(map(median, now))
        before = now
    return max(map(median, before))
