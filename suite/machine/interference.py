"""Interference from other processes, between two readings of kernel counters.

This run is a tree of processes, and those that it has in containers. Its use is that of all of them, ended ones
included, except those that ended in a container. Any other use of a core is by others, inside or outside of this
container.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from suite.machine import torchrun
from suite.machine.affinity import allowed_cores
from suite.machine.cgroups import throttled_s
from suite.machine.containers import OWN
from suite.machine.procfs import PROC, Process, all_processes, split_by_ancestor, times_of_cores
from suite.machine.readings import optional
from suite.records import Metric, Series

CORES = Path("/sys/devices/system/cpu")
LEAST_NAMED_CORES = 0.05
"""Cores' worth of time from which the busiest other process is named."""

OTHERS_CORES = Metric(
    "others_cores", "1", "lower", "Cores' worth of time, of those allowed, that other processes used in this time."
)
STOLEN = Metric(
    "stolen_share", "ratio", "lower", "Share of the allowed cores' time that the hypervisor gave to other machines."
)
THROTTLED = Metric(
    "throttled_share", "ratio", "lower", "Share of the time for which the CPU quota throttled processes."
)
CPU_PRESSURE = Metric("cpu_pressure", "ratio", "lower", "Share of the time for which some process waited for a core.")
MEMORY_PRESSURE = Metric(
    "memory_pressure", "ratio", "lower", "Share of the time for which some process waited for memory."
)
HEAT = Metric("heat_events", "count", "lower", "Times that heat lowered the clock of an allowed core in this time.")
CLOCK = Metric("core_clock", "Hz", "neither", "Clock of the fastest of the allowed cores afterwards; 0 if unknown.")
OTHERS_FAULTS = Metric("others_faults", "count", "lower", "Pages that others than this run mapped in, in a second.")
NEIGHBOUR_CORES = Metric(
    "neighbour_cores", "1", "lower", "Cores' worth of time that the busiest of the other processes used."
)
NEIGHBOUR_MEMORY = Metric("neighbour_memory", "B", "lower", "Resident set of that process, before or after.")


@dataclass(frozen=True, slots=True)
class CounterSnapshot:
    """The kernel's counters since the start of the machine; None where unreadable.

    Attributes:
        at_s: when, by the monotonic clock.
        total_s, busy_s, stolen_s: of the allowed cores together: all of their time, the used part, and the part that
            the hypervisor gave to others.
        throttled_s: for which this process's groups were throttled.
        cpu_waited_s, memory_waited_s: for which some process waited for a core or for memory.
        heat_events: times that heat lowered the clock of an allowed core.
        clock_hz: of the fastest allowed core now.
        faults: pages mapped in, by whomever.
        own_cpu_s, own_faults: of this run's processes, those that have ended included.
        others: by id and start.
    """

    at_s: float
    total_s: float | None
    busy_s: float | None
    stolen_s: float | None
    throttled_s: float | None
    cpu_waited_s: float | None
    memory_waited_s: float | None
    heat_events: int | None
    clock_hz: float | None
    faults: int | None
    own_cpu_s: float | None
    own_faults: int | None
    others: dict[tuple[int, int], Process] | None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another process, and its use of cores and memory between two readings."""

    pid: int
    name: str
    cores: float
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Interference:
    """The difference of two readings, by the metrics above; None is unknown.

    Neighbours are busiest first.
    """

    others_cores: float | None
    stolen: float | None
    throttled: float | None
    cpu_pressure: float | None
    memory_pressure: float | None
    heat_events: int | None
    clock_hz: float | None
    others_faults: float | None
    neighbours: tuple[Neighbour, ...] | None

    @property
    def busiest(self) -> str:
        """Name of the busiest neighbour; empty if none was busy."""
        first = (self.neighbours or ())[:1]
        return first[0].name if first and first[0].cores >= LEAST_NAMED_CORES else ""

    def series(self) -> tuple[Series, ...]:
        """One value of each metric that is known."""
        first = None if self.neighbours is None else (*self.neighbours, NOBODY)[0]
        values = {
            OTHERS_CORES: self.others_cores,
            STOLEN: self.stolen,
            THROTTLED: self.throttled,
            CPU_PRESSURE: self.cpu_pressure,
            MEMORY_PRESSURE: self.memory_pressure,
            HEAT: self.heat_events,
            CLOCK: self.clock_hz,
            OTHERS_FAULTS: self.others_faults,
            NEIGHBOUR_CORES: first.cores if first else None,
            NEIGHBOUR_MEMORY: first.resident_bytes if first else None,
        }
        return tuple(Series(metric, (float(value),)) for metric, value in values.items() if value is not None)


NOBODY = Neighbour(0, "", 0.0, 0)


def read_counters() -> CounterSnapshot | None:
    """Read the counters, about 20 ms for 1000 processes; None if this is no Linux."""
    if not is_linux():
        return None
    at_s = time.monotonic()
    total_s, busy_s, stolen_s = core_times() or (None, None, None)
    own_cpu_s, own_faults, others = run_and_others() or (None, None, None)
    return CounterSnapshot(
        at_s=at_s,
        total_s=total_s,
        busy_s=busy_s,
        stolen_s=stolen_s,
        throttled_s=throttled_s(),
        cpu_waited_s=waited_s("cpu"),
        memory_waited_s=waited_s("memory"),
        heat_events=heat_events(),
        clock_hz=clock_hz(),
        faults=faults(),
        own_cpu_s=own_cpu_s,
        own_faults=own_faults,
        others=others,
    )


@optional
def is_linux() -> bool:
    """Whether there is Linux's folder of processes."""
    return (PROC / "stat").is_file()


@optional
def core_times() -> tuple[float, float, float] | None:
    """Seconds of the allowed cores: all, the used ones, and those given to others."""
    every = times_of_cores()
    cores = [every[core] for core in allowed_cores() if core in every]
    if not cores:
        return None
    total_s = sum(sum(one) - one.guest - one.guest_nice for one in cores)  # guests count as user too
    stolen_s = sum(one.steal for one in cores)
    return total_s, total_s - stolen_s - sum(one.idle + one.iowait for one in cores), stolen_s


@optional
def run_and_others() -> tuple[float, int, dict[tuple[int, int], Process]]:
    """CPU seconds and faults of this run (all local ranks), and the other processes."""
    root = os.getppid() if torchrun.world() else os.getpid()
    own, others = split_by_ancestor(all_processes(), root, *OWN)
    return (
        sum(one.cpu_s + one.reaped_s for one in own),
        sum(one.faults + one.reaped_faults for one in own),
        {(one.pid, one.started): one for one in others},
    )


@optional
def difference(before: CounterSnapshot, after: CounterSnapshot) -> Interference:
    """The interference between two readings; None if it cannot be computed."""
    passed_s = max(after.at_s - before.at_s, 1e-9)
    busy_s, own_s = growth(before.busy_s, after.busy_s), growth(before.own_cpu_s, after.own_cpu_s)
    mapped, own_mapped = growth(before.faults, after.faults), growth(before.own_faults, after.own_faults)
    total_s = growth(before.total_s, after.total_s)
    return Interference(
        others_cores=share(remainder(busy_s, own_s), passed_s),
        stolen=None if total_s is None else share(growth(before.stolen_s, after.stolen_s), max(total_s, 1e-9)),
        throttled=at_most_all(share(growth(before.throttled_s, after.throttled_s), passed_s)),
        cpu_pressure=share(growth(before.cpu_waited_s, after.cpu_waited_s), passed_s),
        memory_pressure=share(growth(before.memory_waited_s, after.memory_waited_s), passed_s),
        heat_events=growth(before.heat_events, after.heat_events),
        clock_hz=after.clock_hz,
        others_faults=share(remainder(mapped, own_mapped), passed_s),
        neighbours=neighbours(before.others, after.others, passed_s),
    )


Count = TypeVar("Count", int, float)


def growth(before: Count | None, after: Count | None) -> Count | None:
    """Growth of a counter; None if either value is unknown, 0 if it fell."""
    return None if before is None or after is None else max(after - before, 0)


def remainder(whole: float | None, part: float | None) -> float | None:
    """The whole without the part; None if either is unknown, at least 0.0."""
    return None if whole is None or part is None else max(whole - part, 0.0)


def share(spent_s: float | None, passed_s: float) -> float | None:
    """A counter's growth over the time that passed; None where it is unknown."""
    return None if spent_s is None else spent_s / passed_s


def at_most_all(found: float | None) -> float | None:
    """A share that is a sum over cores, as part of the time: 1.0 at most.

    The kernel counts the time of each core on which a group was throttled.
    """
    return None if found is None else min(found, 1.0)


def neighbours(
    before: dict[tuple[int, int], Process] | None, after: dict[tuple[int, int], Process] | None, passed_s: float
) -> tuple[Neighbour, ...] | None:
    """The other processes, busiest first; None if unknown."""
    if before is None or after is None:
        return None
    found = (neighbour(before.get(key), one, passed_s) for key, one in after.items())
    return tuple(sorted(found, key=lambda one: -one.cores))


def neighbour(before: Process | None, after: Process, passed_s: float) -> Neighbour:
    """A process's use of cores, and the larger of its two resident sets."""
    spent_s = after.cpu_s - (before.cpu_s if before else 0.0)
    held_bytes = max(after.resident_bytes, before.resident_bytes if before else 0)
    return Neighbour(after.pid, after.name, spent_s / passed_s, held_bytes)


@optional
def waited_s(resource: str) -> float:
    """Seconds for which some process waited for `cpu` or `memory`.

    Source: Linux, Documentation/accounting/psi.rst (`some`, `total` in microseconds).
    """
    return int((PROC / "pressure" / resource).read_text().split("total=")[1].split()[0]) / 1e6


@optional
def faults() -> int:
    """Pages mapped in on this machine, by whomever.

    Source: Linux, mm/vmstat.c, `pgfault`.
    """
    counts = dict(line.split() for line in (PROC / "vmstat").read_text().splitlines())
    return int(counts["pgfault"])


@optional
def heat_events(cores: Path = CORES) -> int | None:
    """Times that heat lowered the clock of an allowed core since the machine started.

    Source: Linux, drivers/thermal/intel/therm_throt.c, `core_throttle_count`.
    """
    files = [cores / f"cpu{core}" / "thermal_throttle" / "core_throttle_count" for core in allowed_cores()]
    found = [int(file.read_text()) for file in files if file.exists()]
    return sum(found) if found else None


@optional
def clock_hz() -> float | None:
    """Clock of the fastest of the allowed cores now."""
    every = psutil.cpu_freq(percpu=True) or []
    return max((every[core].current * 1e6 for core in allowed_cores() if core < len(every)), default=None)
