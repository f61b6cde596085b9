"""Load during the next seconds, from two readings of the kernel's counters."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from suite import units
from suite.doctor.finding import Finding, disturbs, fine, unknown
from suite.machine import interference
from suite.machine.affinity import affinity_cores
from suite.machine.interference import Interference

WINDOW_S = 2.0
MUCH_LOAD = 0.05
"""Share of the allowed cores from which the use by others disturbs."""
MUCH_STEAL = 0.01
"""Share of the allowed cores' time from which steal by the hypervisor disturbs."""
MUCH_PRESSURE = 0.05
"""Share of the last ten seconds with a process waiting for a core from which that disturbs."""
SHOWN_PROCESSES = 3
OWN_CORES = "the cores that this process may use"
UNREADABLE = "the kernel's counters could not be read"
PRESSURE = Path("/proc/pressure/cpu")


def check_load() -> Iterator[Finding]:
    """Check load, steal, pressure and throttling over the next seconds."""
    before = interference.read_counters()
    time.sleep(WINDOW_S)
    after = interference.read_counters()
    if before is None or after is None:
        yield unknown("other load", "only Linux has the counters of load")
        return
    seen = interference.difference(before, after)
    if seen is None:
        yield unknown("other load", UNREADABLE)
        return
    yield check_other_load(seen)
    yield check_steal(seen)
    yield check_pressure()
    yield check_throttling(seen, after.throttled_s)


def check_other_load(seen: Interference) -> Finding:
    """Whether other processes use the cores that this one may use."""
    if seen.others_cores is None:
        return unknown("other load", UNREADABLE)
    share = seen.others_cores / affinity_cores()
    if share < MUCH_LOAD:
        return fine("other load", f"other processes use {units.percent_rounded(share, 1)} of {OWN_CORES}")
    most = (seen.neighbours or ())[:SHOWN_PROCESSES]
    named = ", ".join(f"{one.name} (process {one.pid}) {units.percent_rounded(one.cores)} of a core" for one in most)
    return disturbs(
        "other load",
        f"other processes use {units.percent_rounded(share)} of {OWN_CORES}{f': {named}' if named else ''}",
        "stop these processes, or wait" if named else "stop other processes and containers, or wait",
    )


def check_steal(seen: Interference) -> Finding:
    """Whether the hypervisor gives this machine's cores to others."""
    if seen.stolen is None:
        return unknown("steal", UNREADABLE)
    if seen.stolen < MUCH_STEAL:
        return fine("steal", f"{units.percent_rounded(seen.stolen, 2)} of the time of this machine's cores")
    return disturbs(
        "steal",
        f"the hypervisor gives {units.percent_rounded(seen.stolen, 1)} of the time of this machine's cores to others",
        "use a dedicated host",
    )


def check_pressure(file: Path = PRESSURE) -> Finding:
    """Whether processes wait for cores.

    Source: Linux, Documentation/accounting/psi.rst.
    """
    try:
        some = dict(part.split("=") for part in file.read_text().splitlines()[0].split()[1:])
        share = float(some["avg10"]) / 100
    except (OSError, KeyError, ValueError, IndexError):
        return unknown("CPU pressure", "the kernel has no /proc/pressure/cpu")
    decimals = 1 if share < MUCH_PRESSURE else 0
    waited = f"for {units.percent_rounded(share, decimals)} of the last ten seconds a process waited for a core"
    if share < MUCH_PRESSURE:
        return fine("CPU pressure", waited)
    return disturbs("CPU pressure", waited, "stop other processes, or wait")


def check_throttling(seen: Interference, since_start_s: float | None) -> Finding:
    """Whether the CPU quota throttled the container in this time."""
    if seen.throttled is None or since_start_s is None:
        return unknown("throttling", UNREADABLE)
    if seen.throttled == 0:
        return fine("throttling", f"none during this check; {since_start_s:.1f} s since the container started")
    return disturbs(
        "throttling",
        f"throttled by the CPU quota for {units.percent_rounded(seen.throttled)} of the time",
        "raise the quota, or request whole cores",
    )
