"""What glibc's usual allocator costs a step where workers keep it: turns with it, and with the steady one, one by one.

fork; the child's allocator becomes the steady one, this process keeps the usual one
each makes the step, and warms it up
one after the other, some times:
    a turn of rounds here
    a turn of rounds in the child
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import NoReturn

from suite.machine import process_memory, torchrun
from suite.machine.process_lifetime import die_with_parent
from suite.measuring.recorder import record_rounds
from suite.records import Case, Metric, Series

WARMUP_S = 0.3
TURN_S = 0.1
TURNS = 8
FEWEST = 3
"""Rounds of a turn; the first belongs to the warm-up."""

Turn = tuple[float, float]
"""Mean seconds of a step, and mean pages that it mapped in."""

USUAL_TIME = Metric("usual_allocator_step_time", "s", "lower", "Time of one step with the allocator's usual settings.")
STEADY_TIME = Metric("steady_allocator_step_time", "s", "lower", "The same with steady settings, right afterwards.")
USUAL_FAULTS = Metric("usual_allocator_faults", "count", "lower", "Pages mapped in during a step with usual settings.")
STEADY_FAULTS = Metric("steady_allocator_faults", "count", "lower", "The same with steady settings.")


def survey(case: Case) -> tuple[Series, ...]:
    """Step times and faults of both, turn by turn. Nothing under torchrun, whose ranks attend one step, not two."""
    if torchrun.world() is not None:
        return ()
    with twin(case) as steady:
        steady.recv()
        rows = [(*here, *steady_turn(steady)) for here in turns(case)]
    columns = zip(*rows, strict=True)
    metrics = (USUAL_TIME, USUAL_FAULTS, STEADY_TIME, STEADY_FAULTS)
    return tuple(Series(metric, values) for metric, values in zip(metrics, columns, strict=True))


@contextmanager
def twin(case: Case) -> Iterator[Connection]:
    """A forked process with the steady allocator, which takes a turn at each word and ends with the context.

    Fork before anything has started a thread.
    """
    ours, theirs = multiprocessing.Pipe()
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        die_with_parent(parent)
        ours.close()
        serve(case, theirs)
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        os.waitpid(pid, 0)


def serve(case: Case, words: Connection) -> NoReturn:
    """The life of the twin. Whatever ends it closes the connection, which the other side sees."""
    try:
        process_memory.keep_all()
        words.send("ready")
        words.recv()
        for turn in turns(case):
            words.send(turn)
            words.recv()
    finally:
        os._exit(0)


def steady_turn(steady: Connection) -> Turn:
    """One turn of the twin."""
    steady.send("go")
    turn: Turn = steady.recv()
    return turn


def turns(case: Case) -> Iterator[Turn]:
    """Make the step, warm it up, and take a turn whenever one is asked for."""
    from suite.measuring.modes import make_step  # who reads what was found needs no torch

    with make_step(case) as step:
        record_rounds(step, seconds=WARMUP_S, steps_per_round=1, min_rounds=FEWEST)
        for _ in range(TURNS):
            found = record_rounds(step, seconds=TURN_S, steps_per_round=1, min_rounds=FEWEST)
            rounds = {one.metric.name: one.values[1:] for one in found}
            yield mean(rounds["step_time"]), mean(rounds["minor_faults"])


def mean(values: tuple[float, ...]) -> float:
    """Their mean: a step that maps in much need not be one of many."""
    return sum(values) / len(values)
