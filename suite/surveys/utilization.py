"""How busy a step keeps the machine, looked at by another process while steps run one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from time import perf_counter

from suite.cgroups import cpu_quota, throttled_s
from suite.cores import allowed_cores, usable_cores
from suite.records import Case, Metric, Series
from suite.sampler import Sample, Sampler
from suite.step import RESTORE_AFTER, Step
from suite.training import make_step

FIRST_STEPS = 4
WINDOW_S = 1.0
"""Seconds for which steps run and are looked at."""
FEWEST_STEPS = 2

SAMPLE_TIME = Metric("sample_time", "s", "neither", "When a sample was taken, from the first of the steps on.")
CORES_USED = Metric(
    "cores_used", "1", "neither", "Cores' worth of time that the step's processes used, from sample to sample."
)
RESIDENT = Metric("resident_memory", "B", "lower", "Resident sets of the step's processes together at each sample.")
UTILIZATION = Metric("utilization", "ratio", "higher", "Share of the cores granted to the step that it used.")
CORE_BUSY = Metric("core_busy", "ratio", "neither", "Share of the time for which each core was busy, with whatever.")
SWITCHES = Metric("context_switches", "count", "lower", "Context switches in one step, in all of its processes.")
FORCED = Metric("forced_switches", "count", "lower", "Context switches in one step that the kernel forced.")
READ = Metric("storage_read", "B", "lower", "Bytes read from storage in one step.")
WRITTEN = Metric("storage_written", "B", "lower", "Bytes written to storage in one step.")
THROTTLED = Metric(
    "throttled_time", "s", "lower", "Time in one step for which the quota of the container held processes back."
)


def survey(case: Case) -> tuple[Series, ...]:
    """Timelines and totals of a case's steps, all their processes together."""
    with Sampler() as sampler, make_step(case) as step:
        for _ in range(FIRST_STEPS):
            step()
        held_s, started_s = throttled_s(), perf_counter()
        sampler.go()
        steps = run(step, started_s + WINDOW_S)
        samples = sampler.stop()
        held_s = throttled_s() - held_s
        step.check()
    return (*timelines(samples, started_s), *totals(samples, steps), Series(THROTTLED, (held_s / steps,)))


def run(step: Step, until_s: float) -> int:
    """Run steps until the clock reads that; how many."""
    steps = 0
    while steps < FEWEST_STEPS or perf_counter() < until_s:
        if steps % RESTORE_AFTER == 0:
            step.rewind()
        step()
        steps += 1
    return steps


def timelines(samples: Sequence[Sample], started_s: float) -> tuple[Series, ...]:
    """What each sample but the first saw, and when."""
    used = ((after.cpu_s - before.cpu_s) / (after.at_s - before.at_s) for before, after in pairwise(samples))
    return (
        Series(SAMPLE_TIME, tuple(one.at_s - started_s for one in samples[1:])),
        Series(CORES_USED, tuple(used)),
        Series(RESIDENT, tuple(one.resident_bytes for one in samples[1:])),
    )


def totals(samples: Sequence[Sample], steps: int) -> tuple[Series, ...]:
    """What all samples together saw."""
    first, last = samples[0], samples[-1]
    spent_s = last.at_s - first.at_s
    busy_s = [after - before for before, after in zip(first.busy_s, last.busy_s, strict=True)]
    return (
        Series(UTILIZATION, (utilization(samples),)),
        Series(CORE_BUSY, tuple(busy_s[core] / spent_s for core in allowed_cores() if core < len(busy_s))),
        Series(SWITCHES, ((last.switches - first.switches) / steps,)),
        Series(FORCED, ((last.involuntary - first.involuntary) / steps,)),
        Series(READ, ((last.read_bytes - first.read_bytes) / steps,)),
        Series(WRITTEN, ((last.written_bytes - first.written_bytes) / steps,)),
    )


def utilization(samples: Sequence[Sample]) -> float:
    """Share of the time of the cores granted to this process, by affinity and quota, that was used."""
    first, last = samples[0], samples[-1]
    granted = min(float(usable_cores()), cpu_quota() or float("inf"))
    return (last.cpu_s - first.cpu_s) / (last.at_s - first.at_s) / granted
