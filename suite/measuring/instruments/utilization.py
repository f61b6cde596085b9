"""Utilization of the machine by running steps, sampled from another process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING

from suite.machine.affinity import allowed_cores
from suite.machine.cgroups import throttled_s
from suite.machine.sampler import Observation, Sample, Sampler
from suite.machine.threads import granted_core_time
from suite.records import Better, Case, Metric, Series
from suite.registry import EXECUTIONS, TASKS

if TYPE_CHECKING:
    from suite.contracts.execution import Execution
    from suite.measuring.step import Step

FIRST_STEPS = 4
WINDOW_S = 1.0
"""Seconds for which steps run and are sampled."""
DEVICE_WINDOW_S = 5.0
"""The same if devices are sampled, too. Their power may be a mean over the last second: 1 s after they were idle it is
still rising."""
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
    "throttled_time",
    "s",
    "lower",
    "Time in one step for which the quota of the container held processes back, that of all cores added up.",
)


def measure(case: Case) -> tuple[Series, ...]:
    """Sample timelines and totals of a case's steps, all their processes together."""
    on_devices = EXECUTIONS[case.execution].strategy.device_type() == "cuda"
    with Sampler(devices=on_devices) as sampler:
        sampler.go()
        before = sampler.stop().samples[-1]
        window = sample_steps(case, sampler, DEVICE_WINDOW_S if on_devices else WINDOW_S)
    steps, samples = window.steps, window.seen.samples
    return (
        *timelines(samples, window.started_s),
        *totals(window.seen, steps),
        *per_step(THROTTLED, window.throttled_s, steps),
        *host_energy(window.seen, steps),
        *device_series(samples, window, case.batch_size, of_images=TASKS[case.task].strategy.has_images),
        *device_memory(before, samples, window.devices),
    )


@dataclass(frozen=True, slots=True)
class Window:
    """Sampled steps.

    Attributes:
        started_s: begin of the first step, by `time.perf_counter`.
        steps: number of steps that ran.
        seen: all samples.
        throttled_s: time that the CPU quota held the processes back; None if unknown.
        devices: indices of the sampled devices that took part in the steps.
    """

    started_s: float
    steps: int
    seen: Observation
    throttled_s: float | None
    devices: tuple[int, ...] = ()


def sample_steps(case: Case, sampler: Sampler, window_s: float) -> Window:
    """Run steps for some seconds while the sampler looks at their processes.

    The devices are idle at both ends: what was sampled is the work of these steps, and all of it.
    """
    from suite.measuring.modes import make_step  # readers of the samples need no torch

    with make_step(case) as step:
        for _ in range(FIRST_STEPS):
            step()
        throttled_before_s, started_s = throttled_s(), step.clock.read_s()
        sampler.go()
        steps = run_until(step, started_s + window_s)
        step.clock.read_s()
        seen = sampler.stop()
        throttled = growth(throttled_before_s, throttled_s())
        step.check()
        devices = devices_used(step.execution)
    return Window(started_s, steps, seen, None if throttled is None else max(0.0, throttled), devices)


def devices_used(execution: Execution) -> tuple[int, ...]:
    """Indices of the devices that compute; each rank of this node has one."""
    if execution.device_type() == "cpu":
        return ()
    own = {device.index or 0 for device in execution.devices()}
    return tuple(sorted(own | set(range(execution.ranks_here if execution.ranks > 1 else 0))))


def run_until(step: Step, until_s: float) -> int:
    """Run steps until the clock reads `until_s`; return their number."""
    from suite.measuring.step import RESTORE_AFTER

    steps = 0
    while steps < FEWEST_STEPS or perf_counter() < until_s:
        if steps % RESTORE_AFTER == 0:
            step.rewind()
        step()
        steps += 1
    return steps


def timelines(samples: Sequence[Sample], started_s: float) -> tuple[Series, ...]:
    """Time, cores used and resident sets of each sample after the first."""
    used = ((after.cpu_s - before.cpu_s) / (after.at_s - before.at_s) for before, after in pairwise(samples))
    return (
        Series(SAMPLE_TIME, tuple(sample.at_s - started_s for sample in samples[1:])),
        Series(CORES_USED, tuple(used)),
        Series(RESIDENT, tuple(sample.resident_bytes for sample in samples[1:])),
    )


def totals(seen: Observation, steps: int) -> tuple[Series, ...]:
    """Utilization, busy cores, context switches and storage over all samples."""
    before, after = seen.before, seen.after
    seconds = seen.samples[-1].at_s - seen.samples[0].at_s
    return (
        Series(UTILIZATION, (utilization(seen.samples),)),
        *core_busy(before.busy_s, after.busy_s, seconds),
        *per_step(SWITCHES, growth(before.switches, after.switches), steps),
        *per_step(FORCED, growth(before.involuntary, after.involuntary), steps),
        *per_step(READ, growth(before.read_bytes, after.read_bytes), steps),
        *per_step(WRITTEN, growth(before.written_bytes, after.written_bytes), steps),
    )


def growth(before: float | None, after: float | None) -> float | None:
    """Growth of a counter; None if it is unknown at either time."""
    return None if before is None or after is None else after - before


def per_step(metric: Metric, growth: float | None, steps: int) -> tuple[Series, ...]:
    """A counter's growth in one step; no series if it is unknown."""
    return () if growth is None else (Series(metric, (growth / steps,)),)


def core_busy(before: list[float] | None, after: list[float] | None, seconds: float) -> tuple[Series, ...]:
    """Share of the time that each allowed core was busy; no series if it is unknown.

    The readings are sums, whose rounding may make an idle core's difference less than nothing.
    """
    if before is None or after is None or len(before) != len(after):
        return ()
    cores = [core for core in allowed_cores() if core < len(after)]
    shares = tuple(max(0.0, after[core] - before[core]) / seconds for core in cores)
    return (Series(CORE_BUSY, shares),) if shares else ()


def host_energy(seen: Observation, steps: int) -> tuple[Series, ...]:
    """Energy of the processors; no series if it is unknown or their counter was reset."""
    first, last = seen.before.package_j, seen.after.package_j
    if first is None or last is None or last < first:
        return ()
    return (Series(HOST_ENERGY, ((last - first) / steps,)),)


HOST_ENERGY = Metric(
    "host_energy_of_step", "J", "lower", "Energy that the processors drew in one step, for whatever ran on them."
)


def device_series(
    samples: Sequence[Sample], window: Window, images: int, *, of_images: bool = True
) -> tuple[Series, ...]:
    """Timelines of each device that took part, and the energy of all of them.

    A reading that a device lost before the end has no timeline.

    Args:
        samples: at least two.
        window: the steps between the first sample and the last, and their devices.
        images: of one step, N; or other examples.
        of_images: whether examples are images, by which the energy of one is named.
    """
    devices = [index for index in window.devices if index < len(samples[0].devices)]
    if not devices:
        return ()
    steps = window.steps
    series = [timeline for index in devices for timeline in device_timelines(samples, index)]
    energies_j = [energy for index in devices if (energy := energy_j(samples, index)) is not None]
    if len(energies_j) < len(devices):
        return tuple(series)
    return (
        *series,
        Series(ENERGY_OF_STEP, (sum(energies_j) / steps,)),
        Series(ENERGY_OF_IMAGE if of_images else ENERGY_OF_EXAMPLE, (sum(energies_j) / steps / images,)),
    )


def device_timelines(samples: Sequence[Sample], index: int) -> Iterator[Series]:
    """Timelines of one device's readings, of those that it had to the end."""
    readings = [sample.devices[index] for sample in samples[1:]]
    for name, (quantity, unit, better, meaning) in DEVICE_READINGS.items():
        values = tuple(value for reading in readings if (value := reading[name]) is not None)
        if len(values) == len(readings):
            metric = Metric(f"gpu{index}_{quantity}", unit, better, f"{meaning} of device {index} at each sample.")
            yield Series(metric, values)


DEVICE_READINGS: dict[str, tuple[str, str, Better, str]] = {
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
"""Reading -> name of its timeline, its unit, which direction is better, and its meaning."""
BY_PROCESS = Metric(
    "device_memory_by_process",
    "B",
    "lower",
    "Most memory of all devices that the driver reports for the step's processes.",
)
BY_DIFFERENCE = Metric(
    "device_memory_by_difference",
    "B",
    "lower",
    "Most memory used of all devices above the memory used before the step was made: the driver does not report "
    "processes here, as in a container.",
)
SENSORS = ", by sensors that may be 10 % off"
"""Source: Yang et al. 2023, as `suite.machine.nvml`; a comparison on one device is closer."""
ENERGY_OF_STEP = Metric("energy_of_step", "J", "lower", f"Energy that the devices drew in one step{SENSORS}.")
ENERGY_OF_IMAGE = Metric("energy_of_image", "J", "lower", f"Energy that the devices drew for one image{SENSORS}.")
ENERGY_OF_EXAMPLE = Metric("energy_of_example", "J", "lower", f"Energy that the devices drew for one example{SENSORS}.")


def device_memory(before: Sample, samples: Sequence[Sample], devices: Sequence[int]) -> tuple[Series, ...]:
    """Memory of devices in use by the step's processes, with that of libraries.

    As the driver reports it, or else the increase since before.
    """
    indices = [index for index in devices if index < len(before.devices)]
    own = [[sample.devices[index]["own_memory_bytes"] for index in indices] for sample in samples]
    if known := [sum(value or 0.0 for value in row) for row in own if any(row)]:
        return (Series(BY_PROCESS, (max(known),)),)
    used = [[sample.devices[index]["memory_bytes"] for index in indices] for sample in (before, *samples)]
    if not indices or any(value is None for row in used for value in row):
        return ()
    used_before, *used_later = (sum(value or 0.0 for value in row) for row in used)
    return (Series(BY_DIFFERENCE, (max(0.0, max(used_later) - used_before),)),)


def energy_j(samples: Sequence[Sample], index: int) -> float | None:
    """Energy of a device from the first sample to the last; None if it is unknown.

    By its counter, else its power over time, also if the counter began anew.
    """
    first, last = samples[0].devices[index]["energy_j"], samples[-1].devices[index]["energy_j"]
    if first is not None and last is not None and last >= first:
        return last - first
    energy = 0.0
    for before, after in pairwise(samples):
        power_w = after.devices[index]["power_w"]
        if power_w is None:
            return None
        energy += power_w * (after.at_s - before.at_s)
    return energy


def utilization(samples: Sequence[Sample]) -> float:
    """Share used of the core time granted to this process, by affinity and quota."""
    first, last = samples[0], samples[-1]
    return (last.cpu_s - first.cpu_s) / (last.at_s - first.at_s) / granted_core_time()
