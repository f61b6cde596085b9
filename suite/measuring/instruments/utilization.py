"""How busy a step keeps the machine, looked at by another process while steps run one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING

from suite.machine.affinity import allowed_cores
from suite.machine.cgroups import throttled_s
from suite.machine.sampler import Sample, Sampler, Seen
from suite.machine.threads import granted_core_time
from suite.records import Better, Case, Metric, Series
from suite.registry import EXECUTIONS

if TYPE_CHECKING:
    from suite.measuring.step import Step

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
    on_devices = EXECUTIONS[case.execution].strategy().device_type() == "cuda"
    with Sampler(devices=on_devices) as sampler:
        sampler.go()
        bare = sampler.stop().samples[-1]
        started_s, steps, seen, held_s = watched(case, sampler)
    return (
        *timelines(seen.samples, started_s),
        *totals(seen, steps),
        *each_step(THROTTLED, held_s, steps),
        *host_energy(seen, steps),
        *device_series(seen.samples, steps, case.batch_size),
        *device_memory(bare, seen.samples),
    )


def watched(case: Case, sampler: Sampler) -> tuple[float, int, Seen, float | None]:
    """Run steps for a while under the eyes of the sampler: when that began, how many, what was seen, and seconds for
    which the quota held the processes back.
    """
    from suite.measuring.modes import make_step  # what reads the samples needs no torch

    with make_step(case) as step:
        for _ in range(FIRST_STEPS):
            step()
        held_s, started_s = throttled_s(), perf_counter()
        sampler.go()
        steps = run(step, started_s + WINDOW_S)
        seen = sampler.stop()
        after_s = throttled_s()
        held_s = None if held_s is None or after_s is None else max(0.0, after_s - held_s)
        step.check()
    return started_s, steps, seen, held_s


def run(step: Step, until_s: float) -> int:
    """Run steps until the clock reads that; how many."""
    from suite.measuring.step import RESTORE_AFTER

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


def totals(seen: Seen, steps: int) -> tuple[Series, ...]:
    """What all samples together saw, and the readings around them."""
    before, after = seen.before, seen.after
    spent_s = seen.samples[-1].at_s - seen.samples[0].at_s
    return (
        Series(UTILIZATION, (utilization(seen.samples),)),
        *core_busy(before.busy_s, after.busy_s, spent_s),
        *each_step(SWITCHES, growth(before.switches, after.switches), steps),
        *each_step(FORCED, growth(before.involuntary, after.involuntary), steps),
        *each_step(READ, growth(before.read_bytes, after.read_bytes), steps),
        *each_step(WRITTEN, growth(before.written_bytes, after.written_bytes), steps),
    )


def growth(before: float | None, after: float | None) -> float | None:
    """By how much a counter has grown; None where it is unknown at either time."""
    return None if before is None or after is None else after - before


def each_step(metric: Metric, counted: float | None, steps: int) -> tuple[Series, ...]:
    """A counter's growth in one step; nothing where it is unknown."""
    return () if counted is None else (Series(metric, (counted / steps,)),)


def core_busy(before: list[float] | None, after: list[float] | None, spent_s: float) -> tuple[Series, ...]:
    """How busy each allowed core was; nothing where the kernel does not say."""
    if before is None or after is None or len(before) != len(after):
        return ()
    cores = [core for core in allowed_cores() if core < len(after)]
    shares = tuple((after[core] - before[core]) / spent_s for core in cores)
    return (Series(CORE_BUSY, shares),) if shares else ()


def host_energy(seen: Seen, steps: int) -> tuple[Series, ...]:
    """What the processors drew; nothing where they do not tell, or their counter began anew meanwhile."""
    first, last = seen.before.package_j, seen.after.package_j
    if first is None or last is None or last < first:
        return ()
    return (Series(HOST_ENERGY, ((last - first) / steps,)),)


HOST_ENERGY = Metric(
    "host_energy_of_step", "J", "lower", "Energy that the processors drew in one step, for whatever ran on them."
)


def device_series(samples: Sequence[Sample], steps: int, images: int) -> tuple[Series, ...]:
    """What the devices told: a timeline of each reading that a device had to the end, and the energy of all of them.

    Args:
        samples: at least two.
        steps: that ran between the first sample and the last.
        images: of one step, N.
    """
    if not samples[0].devices:
        return ()
    found: list[Series] = []
    drawn_j: list[float] = []
    for index in range(len(samples[0].devices)):
        told = [one.devices[index] for one in samples]
        for name, (quantity, unit, better, meaning) in OF_A_DEVICE.items():
            values = tuple(value for one in told[1:] if (value := one[name]) is not None)
            if len(values) == len(told) - 1:
                metric = Metric(f"gpu{index}_{quantity}", unit, better, f"{meaning} of device {index} at each sample.")
                found.append(Series(metric, values))
        drawn_j += [energy] if (energy := energy_j(samples, index)) is not None else []
    if len(drawn_j) < len(samples[0].devices):
        return tuple(found)
    return (
        *found,
        Series(ENERGY_OF_STEP, (sum(drawn_j) / steps,)),
        Series(ENERGY_OF_IMAGE, (sum(drawn_j) / steps / images,)),
    )


OF_A_DEVICE: dict[str, tuple[str, str, Better, str]] = {
    "utilization": (
        "utilization",
        "ratio",
        "higher",
        "Share of the driver's window in which any kernel ran",
    ),
    "memory_bytes": ("memory", "B", "lower", "Memory used, by whatever runs there"),
    "power_w": ("power", "W", "lower", "Power drawn"),
    "clock_hz": ("clock", "Hz", "neither", "Clock"),
    "temperature_c": ("temperature", "degC", "lower", "Temperature"),
    "slowed": ("slowed", "1", "lower", "Whether heat or power lowered the clock"),
}
"""Reading -> what its timeline is called, its unit, which way is better, and what it is."""
BY_PROCESS = Metric(
    "device_memory_by_process", "B", "lower", "Most memory of all devices that the driver told of the step's processes."
)
BY_DIFFERENCE = Metric(
    "device_memory_by_difference",
    "B",
    "lower",
    "Most memory used of all devices above what was used before the step was made: the driver does not tell processes "
    "apart here, as in a container.",
)
ENERGY_OF_STEP = Metric("energy_of_step", "J", "lower", "Energy that the devices drew in one step.")
ENERGY_OF_IMAGE = Metric("energy_of_image", "J", "lower", "Energy that the devices drew for one image.")


def device_memory(bare: Sample, samples: Sequence[Sample]) -> tuple[Series, ...]:
    """What the step's processes have of the devices' memory, libraries' own included: as the driver tells it, or else
    what is used more than before.
    """
    own = [[device["own_memory_bytes"] for device in one.devices] for one in samples]
    if known := [sum(value or 0.0 for value in devices) for devices in own if any(devices)]:
        return (Series(BY_PROCESS, (max(known),)),)
    held = [[device["memory_bytes"] for device in one.devices] for one in (bare, *samples)]
    if not bare.devices or any(value is None for devices in held for value in devices):
        return ()
    before, *used = (sum(value or 0.0 for value in devices) for devices in held)
    return (Series(BY_DIFFERENCE, (max(0.0, max(used) - before),)),)


def energy_j(samples: Sequence[Sample], index: int) -> float | None:
    """What a device drew between the first sample and the last: by its counter, else power over time; None where it
    told neither.
    """
    first, last = samples[0].devices[index]["energy_j"], samples[-1].devices[index]["energy_j"]
    if first is not None and last is not None:
        return last - first
    drawn = 0.0
    for before, after in pairwise(samples):
        power_w = after.devices[index]["power_w"]
        if power_w is None:
            return None
        drawn += power_w * (after.at_s - before.at_s)
    return drawn


def utilization(samples: Sequence[Sample]) -> float:
    """Share of the time of the cores granted to this process, by affinity and quota, that was used."""
    first, last = samples[0], samples[-1]
    return (last.cpu_s - first.cpu_s) / (last.at_s - first.at_s) / granted_core_time()
