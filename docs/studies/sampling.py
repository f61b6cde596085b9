"""Cost of sampling: steps with the sampler or a stopwatch against steps without.

The kinds take turns in one worker's process. The sampler runs at its default interval, the stopwatch around each phase.
The CPU time of the sampling process is measured too.

Prints, for each case, the median of the ratios of neighbouring stretches, and their middle half; asserts nothing, since
machines differ. `python docs/studies/sampling.py [PAIRS]`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import torch

from suite.machine.sampler import INTERVAL_S, Sampler
from suite.machine.threads import default_threads
from suite.measuring.instruments.breakdown import Stopwatch
from suite.measuring.modes import make_step
from suite.measuring.step import Step
from suite.records import Case
from suite.registry import load_levels

STRETCH_S = 1.0
"""As long as the survey of utilization looks."""
STRUCTURES = ("seed_cnn", "resnet18")


def main(pairs: int = 20) -> None:
    """Measure and print both tables."""
    load_levels()
    print(f"ratios of step times, {pairs} pairs of stretches of {STRETCH_S} s, median [middle half]")
    for structure in STRUCTURES:
        for threads in dict.fromkeys((1, default_threads())):
            show(Case(structure, "sgd_momentum", "cpu"), threads, pairs)


def show(case: Case, threads: int, pairs: int) -> None:
    """Measure a case in a new process, which forks before it has threads."""
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(threads)
        print(f"{case.id:<34} {threads} threads  {ratios_of(case, pairs)}", flush=True)
        os._exit(0)
    os.waitpid(pid, 0)


def ratios_of(case: Case, pairs: int) -> str:
    """Ratios of step times: sampling to none, and stopwatch to none."""
    stopwatch = Stopwatch(perf_counter)
    with Sampler() as sampler, make_step(case, hook=stopwatch.wrap_phase) as step:
        stretch(step)
        before_s, started_s = used_s(sampler.pid), perf_counter()
        sampled = ratios(lambda: looked_at(step, sampler), lambda: stretch(step), pairs)
        share = 2 * (used_s(sampler.pid) - before_s) / (perf_counter() - started_s)  # it looks for half of the time
        watched = ratios(lambda: timed(step, stopwatch), lambda: stretch(step), pairs)
    return f"sampled every {INTERVAL_S:g} s {sampled}, by {share:.2%} of a core  stopwatch {watched}"


def used_s(pid: int) -> float:
    """CPU time of a process by the scheduler; ticks would be too coarse."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def ratios(looking: Callable[[], float], bare: Callable[[], float], pairs: int) -> str:
    """Ratios of neighbours, each stretch with looking between two without, as text."""
    plain = [bare()]
    looked = []
    for _ in range(pairs):
        looked.append(looking())
        plain.append(bare())
    found = [one / ((before + after) / 2) for one, (before, after) in zip(looked, pairwise(plain), strict=True)]
    low, _, high = quantiles(found, n=4)
    return f"{median(found):.4f} [{low:.4f}, {high:.4f}]"


def looked_at(step: Step, sampler: Sampler) -> float:
    """A stretch with the sampler at work."""
    sampler.go()
    found = stretch(step)
    sampler.stop()
    return found


def timed(step: Step, stopwatch: Stopwatch) -> float:
    """A stretch with a stopwatch around each phase."""
    return stretch(step, lambda: stopwatch.time_step(step))


def stretch(step: Step, run: Callable[[], object] | None = None) -> float:
    """Mean seconds of a stretch's steps. A median would hide the few samples."""
    step.rewind()
    steps, start = 0, perf_counter()
    while steps < 2 or perf_counter() < start + STRETCH_S:
        (run or step)()
        steps += 1
    return (perf_counter() - start) / steps


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
