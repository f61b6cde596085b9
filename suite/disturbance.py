"""What others did to this machine while a case was measured: two looks at the kernel's counters, before and after.

This run is a tree of processes; what they use, and what those of them used that have ended, is its own. All else that
kept a core busy was others', in this container or beside it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from suite import torchrun
from suite.cgroups import throttled_s
from suite.cores import allowed_cores
from suite.processes import PROC, Process, every_process, parted
from suite.records import Metric, Series

CORES = Path("/sys/devices/system/cpu")
NAMED_FROM = 0.05
"""Cores' worth of time from which the busiest of the other processes is named."""

OTHERS_CORES = Metric(
    "others_cores", "1", "lower", "Cores' worth of time, of those allowed, that others than this run used meanwhile."
)
STOLEN = Metric(
    "stolen_share", "ratio", "lower", "Share of the allowed cores' time that the hypervisor gave to other machines."
)
HELD_BACK = Metric(
    "throttled_share", "ratio", "lower", "Share of the time for which the quota of the container held processes back."
)
CPU_PRESSURE = Metric("cpu_pressure", "ratio", "lower", "Share of the time for which some process waited for a core.")
MEMORY_PRESSURE = Metric(
    "memory_pressure", "ratio", "lower", "Share of the time for which some process waited for memory."
)
HEAT = Metric("heat_events", "count", "lower", "Times that heat lowered the clock of an allowed core meanwhile.")
CLOCK = Metric("core_clock", "Hz", "neither", "Clock of the fastest of the allowed cores afterwards; 0 where not told.")
OTHERS_FAULTS = Metric("others_faults", "count", "lower", "Pages that others than this run mapped in, in a second.")
NEIGHBOUR_CORES = Metric(
    "neighbour_cores", "1", "lower", "Cores' worth of time that the busiest of the other processes used."
)
NEIGHBOUR_MEMORY = Metric("neighbour_memory", "B", "lower", "Resident set of that process, before or after.")


@dataclass(frozen=True, slots=True)
class Look:
    """The kernel's counters at one time, all since the machine started.

    Attributes:
        at_s: when, by the monotonic clock.
        total_s, busy_s, stolen_s: of the allowed cores together: all of their time, what somebody used, and what the
            hypervisor gave to others.
        throttled_s: for which this process's groups were held back.
        cpu_waited_s, memory_waited_s: for which some process waited for a core or for memory.
        heat_events: times that heat lowered the clock of an allowed core.
        clock_hz: of the fastest allowed core now; 0.0 where the kernel does not tell.
        faults: pages mapped in, by whomever.
        own_cpu_s, own_faults: of this run's processes, those that have ended included.
        others: by id and start.
    """

    at_s: float
    total_s: float
    busy_s: float
    stolen_s: float
    throttled_s: float
    cpu_waited_s: float
    memory_waited_s: float
    heat_events: int
    clock_hz: float
    faults: int
    own_cpu_s: float
    own_faults: int
    others: dict[tuple[int, int], Process]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A process of somebody else, and what it used between two looks."""

    pid: int
    name: str
    cores: float
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What happened between two looks; see the metrics above. Neighbours are busiest first."""

    others_cores: float
    stolen: float
    throttled: float
    cpu_pressure: float
    memory_pressure: float
    heat_events: int
    clock_hz: float
    others_faults: float
    neighbours: tuple[Neighbour, ...]

    @property
    def busiest(self) -> str:
        """Name of the busiest neighbour; empty where none did much."""
        first = self.neighbours[:1]
        return first[0].name if first and first[0].cores >= NAMED_FROM else ""

    def series(self) -> tuple[Series, ...]:
        """One value of each metric."""
        first = self.neighbours[0] if self.neighbours else Neighbour(0, "", 0.0, 0)
        values = {
            OTHERS_CORES: self.others_cores,
            STOLEN: self.stolen,
            HELD_BACK: self.throttled,
            CPU_PRESSURE: self.cpu_pressure,
            MEMORY_PRESSURE: self.memory_pressure,
            HEAT: float(self.heat_events),
            CLOCK: self.clock_hz,
            OTHERS_FAULTS: self.others_faults,
            NEIGHBOUR_CORES: first.cores,
            NEIGHBOUR_MEMORY: float(first.resident_bytes),
        }
        return tuple(Series(metric, (value,)) for metric, value in values.items())


def look() -> Look | None:
    """Read the counters; None where this is no Linux. A thousand processes take some 20 ms."""
    if not (PROC / "stat").is_file():
        return None
    every = psutil.cpu_times(percpu=True)
    cores = [every[core] for core in allowed_cores() if core < len(every)]
    total_s = sum(sum(one) - one.guest - one.guest_nice for one in cores)  # guests count as user too
    stolen_s = sum(one.steal for one in cores)
    own, others = parted(every_process(), os.getppid() if torchrun.world() else os.getpid())
    return Look(
        at_s=time.monotonic(),
        total_s=total_s,
        busy_s=total_s - stolen_s - sum(one.idle + one.iowait for one in cores),
        stolen_s=stolen_s,
        throttled_s=throttled_s(),
        cpu_waited_s=waited_s("cpu"),
        memory_waited_s=waited_s("memory"),
        heat_events=heat_events(),
        clock_hz=clock_hz(),
        faults=faults(),
        own_cpu_s=sum(one.cpu_s + one.reaped_s for one in own),
        own_faults=sum(one.faults + one.reaped_faults for one in own),
        others={(one.pid, one.started): one for one in others},
    )


def between(before: Look, after: Look) -> Disturbance:
    """What happened from one look to the next."""
    passed_s = max(after.at_s - before.at_s, 1e-9)
    own_s = after.own_cpu_s - before.own_cpu_s
    neighbours = [neighbour(before.others.get(key), one, passed_s) for key, one in after.others.items()]
    return Disturbance(
        others_cores=max(0.0, after.busy_s - before.busy_s - own_s) / passed_s,
        stolen=(after.stolen_s - before.stolen_s) / max(after.total_s - before.total_s, 1e-9),
        throttled=(after.throttled_s - before.throttled_s) / passed_s,
        cpu_pressure=(after.cpu_waited_s - before.cpu_waited_s) / passed_s,
        memory_pressure=(after.memory_waited_s - before.memory_waited_s) / passed_s,
        heat_events=after.heat_events - before.heat_events,
        clock_hz=after.clock_hz,
        others_faults=max(0, after.faults - before.faults - after.own_faults + before.own_faults) / passed_s,
        neighbours=tuple(sorted(neighbours, key=lambda one: -one.cores)),
    )


def neighbour(before: Process | None, after: Process, passed_s: float) -> Neighbour:
    """What a process used, and the most that it was seen to hold. It may be new."""
    spent_s = after.cpu_s - (before.cpu_s if before else 0.0)
    held_bytes = max(after.resident_bytes, before.resident_bytes if before else 0)
    return Neighbour(after.pid, after.name, spent_s / passed_s, held_bytes)


def waited_s(resource: str) -> float:
    """Seconds for which some process waited for `cpu` or `memory`; 0.0 where the kernel does not tell.

    Source: Linux, Documentation/accounting/psi.rst (`some`, `total` in microseconds).
    """
    with suppress(OSError, ValueError, IndexError):
        return int((PROC / "pressure" / resource).read_text().split("total=")[1].split()[0]) / 1e6
    return 0.0


def faults() -> int:
    """Pages mapped in on this machine, by whomever; 0 where the kernel does not tell.

    Source: Linux, mm/vmstat.c, `pgfault`.
    """
    with suppress(OSError):
        for line in (PROC / "vmstat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "pgfault":
                return int(count)
    return 0


def heat_events(cores: Path = CORES) -> int:
    """Times that heat lowered the clock of an allowed core since the machine started; 0 where the kernel does not tell.

    Source: Linux, drivers/thermal/intel/therm_throt.c, `core_throttle_count`.
    """
    found = 0
    for core in allowed_cores():
        with suppress(OSError, ValueError):
            found += int((cores / f"cpu{core}" / "thermal_throttle" / "core_throttle_count").read_text())
    return found


def clock_hz() -> float:
    """Clock of the fastest of the allowed cores now; 0.0 where the kernel does not tell."""
    every = psutil.cpu_freq(percpu=True) or []
    return max((every[core].current * 1e6 for core in allowed_cores() if core < len(every)), default=0.0)
