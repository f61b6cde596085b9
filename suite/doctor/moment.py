"""What goes on right now: two looks at the kernel's counters, a little while apart."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from suite.cgroups import throttled_s
from suite.cores import allowed_cores
from suite.doctor.findings import Finding, disturbs, fine, unknown

WINDOW_S = 2.0
MUCH_LOAD = 0.05
"""Share of the allowed cores that others use from which they are in the way."""
MUCH_STEAL = 0.01
"""Share of the allowed cores that the hypervisor gives to others from which it is in the way."""
MUCH_PRESSURE = 0.05
"""Share of the time for which some process waited for a core, over the last ten seconds."""
SHOWN_PROCESSES = 3
PRESSURE = Path("/proc/pressure/cpu")


@dataclass(frozen=True, slots=True)
class Look:
    """The kernel's counters at one time.

    Attributes:
        at_s: when.
        total_s, busy_s, stolen_s: of the allowed cores together: all of their time, what somebody used, and what the
            hypervisor gave to others.
        throttled_s: for which this process's groups were held back.
        used_s: time on cores of each process, by its id.
    """

    at_s: float
    total_s: float
    busy_s: float
    stolen_s: float
    throttled_s: float
    used_s: dict[int, float]


def look() -> Look:
    """Read them."""
    every = psutil.cpu_times(percpu=True)
    cores = [every[core] for core in allowed_cores() if core < len(every)]
    total_s = sum(sum(one) - one.guest - one.guest_nice for one in cores)
    stolen_s = sum(one.steal for one in cores)
    used_s: dict[int, float] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            times = process.cpu_times()
            used_s[process.pid] = times.user + times.system
    return Look(
        at_s=time.perf_counter(),
        total_s=total_s,
        busy_s=total_s - stolen_s - sum(one.idle + one.iowait for one in cores),
        stolen_s=stolen_s,
        throttled_s=throttled_s(),
        used_s=used_s,
    )


def moment() -> Iterator[Finding]:
    """What is in the way over the next seconds."""
    before = look()
    time.sleep(WINDOW_S)
    after = look()
    yield load(before, after)
    yield steal(before, after)
    yield pressure()
    yield throttling(before, after)


def load(before: Look, after: Look) -> Finding:
    """Whether other processes use the cores that this one may use."""
    passed_s = after.at_s - before.at_s
    share = (after.busy_s - before.busy_s) / max(after.total_s - before.total_s, 1e-9)
    if share < MUCH_LOAD:
        return fine("other load", f"{share:.1%} of the cores that this process may use")
    spent = {pid: used_s - before.used_s.get(pid, 0.0) for pid, used_s in after.used_s.items() if pid != os.getpid()}
    most = sorted(spent, key=lambda pid: -spent[pid])[:SHOWN_PROCESSES]
    named = ", ".join(f"{name_of(pid)} (process {pid}) {spent[pid] / passed_s:.0%} of a core" for pid in most)
    return disturbs("other load", f"{share:.0%} of the cores that this process may use: {named}", "end it, or wait")


def name_of(pid: int) -> str:
    """A process's name; a question mark where it has ended."""
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return "?"


def steal(before: Look, after: Look) -> Finding:
    """Whether the hypervisor gives this machine's cores to others."""
    share = (after.stolen_s - before.stolen_s) / max(after.total_s - before.total_s, 1e-9)
    if share < MUCH_STEAL:
        return fine("steal", f"{share:.2%} of the time of its cores")
    return disturbs("steal", f"{share:.1%} of the time of its cores goes to other machines", "a host of its own")


def pressure(file: Path = PRESSURE) -> Finding:
    """Whether processes wait for cores.

    Source: Linux, Documentation/accounting/psi.rst.
    """
    try:
        some = dict(part.split("=") for part in file.read_text().splitlines()[0].split()[1:])
        share = float(some["avg10"]) / 100
    except (OSError, KeyError, ValueError, IndexError):
        return unknown("CPU pressure", "not told")
    if share < MUCH_PRESSURE:
        return fine("CPU pressure", f"{share:.1%} of the last ten seconds")
    return disturbs(
        "CPU pressure", f"for {share:.0%} of the last ten seconds a process waited for a core", "as of load"
    )


def throttling(before: Look, after: Look) -> Finding:
    """Whether the quota of the container was used up meanwhile."""
    held_s = after.throttled_s - before.throttled_s
    if held_s == 0:
        return fine("throttling", f"none now; {after.throttled_s:.1f} s since the container began")
    return disturbs("throttling", f"held back for {held_s:.2f} s of {WINDOW_S:g}", "a larger quota, or whole cores")
