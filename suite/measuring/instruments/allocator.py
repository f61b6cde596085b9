"""Cost of glibc's default allocator: step times with it and with the steady one.

fork; the child's allocator becomes the steady one, this process keeps the default one
each makes the step, and warms it up
alternately, some times:
    a turn of rounds here
    a turn of rounds in the child
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from suite.machine import process_memory, torchrun
from suite.machine.child import Child, fork_child
from suite.measuring.recorder import record_rounds
from suite.records import Case, Metric, Series

WARMUP_S = 0.3
TURN_S = 0.1
TURNS = 8
FEWEST = 3
"""Rounds of a turn; the first belongs to the warm-up."""
GO = b"g"
TURN_BYTES = 200
"""Longest answer of the child; a pipe takes that much at once."""

Turn = tuple[float, float]
"""Mean seconds of a step, and mean pages that it mapped in."""

USUAL_TIME = Metric("usual_allocator_step_time", "s", "lower", "Time of one step with the allocator's usual settings.")
STEADY_TIME = Metric("steady_allocator_step_time", "s", "lower", "The same with steady settings, right afterwards.")
USUAL_FAULTS = Metric("usual_allocator_faults", "count", "lower", "Pages mapped in during a step with usual settings.")
STEADY_FAULTS = Metric("steady_allocator_faults", "count", "lower", "The same with steady settings.")


def measure(case: Case) -> tuple[Series, ...]:
    """Measure step times and faults with both allocators, turn by turn.

    No series under torchrun, whose ranks take part in one step, not in two.
    """
    if torchrun.world() is not None:
        return ()
    with steady_child(case) as child:
        read_answer(child)  # its allocator is steady
        rows = [(*turn, *steady_turn(child)) for turn in turns(case)]
    columns = zip(*rows, strict=True)
    metrics = (USUAL_TIME, USUAL_FAULTS, STEADY_TIME, STEADY_FAULTS)
    return tuple(Series(metric, values) for metric, values in zip(metrics, columns, strict=True))


@contextmanager
def steady_child(case: Case) -> Iterator[Child]:
    """Fork a child with the steady allocator, which takes a turn at each command.

    Fork it before this process starts a thread. It ends with the context.
    """
    child = fork_child(partial(serve, case))
    try:
        yield child
    finally:
        os.close(child.commands)
        os.close(child.answers)
        os.waitpid(child.pid, 0)


def serve(case: Case, commands: int, answers: int) -> None:
    """In the child: become steady, then take a turn at each command."""
    process_memory.keep_freed_memory()
    os.write(answers, GO)
    taken = turns(case)
    while os.read(commands, 1):
        os.write(answers, json.dumps(next(taken)).encode())


def steady_turn(child: Child) -> Turn:
    """One turn of the child."""
    os.write(child.commands, GO)
    seconds, faults = json.loads(read_answer(child))
    return seconds, faults


def read_answer(child: Child) -> bytes:
    """Read an answer of the child.

    Raises:
        ChildProcessError: it has ended.
    """
    answer = os.read(child.answers, TURN_BYTES)
    if not answer:
        raise ChildProcessError("the process with the steady allocator has ended")
    return answer


def turns(case: Case) -> Iterator[Turn]:
    """Make the step, warm it up, and take a turn at each request."""
    from suite.measuring.modes import make_step  # readers of the metrics need no torch

    with make_step(case) as step:
        record_rounds(step, seconds=WARMUP_S, steps_per_round=1, min_rounds=FEWEST)
        for _ in range(TURNS):
            rounds = record_rounds(step, seconds=TURN_S, steps_per_round=1, min_rounds=FEWEST).drop(1)
            yield mean(rounds.step_time), mean(rounds.values("minor_faults"))


def mean(values: tuple[float, ...]) -> float:
    """The mean, not the median: steps that map in many pages may be few."""
    return sum(values) / len(values)
