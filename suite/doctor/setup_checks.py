"""How the machine is set up: what stays as it is until somebody changes it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil

from suite import units
from suite.doctor.finding import Finding, disturbs, fine, unknown
from suite.machine.affinity import allowed_cores
from suite.machine.cgroups import cpu_quota, memory_limit
from suite.machine.priority import HIGHEST
from suite.machine.readings import optional_or, positive
from suite.machine.threads import default_threads

SYSTEM = Path("/sys")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the kernel's, not a file of ours
ENOUGH_SHARED_BYTES = 1 << 30
"""Of shared memory for the batches of loader workers: Docker grants 64 MiB unless told else."""
SPARE_BYTES = 2 << 30
"""Of memory for some workers."""


@optional_or(list)
def words(file: Path) -> list[str]:
    """The words of a file of the kernel; none where there is no such file."""
    return file.read_text().split()


def governor(system: Path = SYSTEM) -> Finding:
    """Whether the cores' clock follows the load.

    Source: Linux, Documentation/admin-guide/pm/cpufreq.rst, `scaling_governor`.
    """
    found = [
        word
        for core in allowed_cores()
        for word in words(system / f"devices/system/cpu/cpu{core}/cpufreq/scaling_governor")
    ]
    if not found or not all(word.isalpha() for word in found):
        return unknown("clock governor", "not told, as on most virtual machines")
    if set(found) == {"performance"}:
        return fine("clock governor", "performance")
    return disturbs("clock governor", ", ".join(sorted(set(found))), "sudo cpupower frequency-set -g performance")


def turbo(system: Path = SYSTEM) -> Finding:
    """Whether a core may run above the clock that all of them can hold.

    Source: Linux, Documentation/admin-guide/pm/intel_pstate.rst, `no_turbo`, and cpufreq.rst, `boost`.
    """
    pstate, boost = system / "devices/system/cpu/intel_pstate/no_turbo", system / "devices/system/cpu/cpufreq/boost"
    for file, off in ((pstate, "1"), (boost, "0")):
        said = words(file)
        if said in (["0"], ["1"]):
            if said[0] == off:
                return fine("turbo", "off")
            return disturbs(
                "turbo", "on: the clock depends on heat and on other cores", f"echo {off} | sudo tee {file}"
            )
    return unknown("turbo", "not told, as on most virtual machines")


def huge_pages(system: Path = SYSTEM) -> Finding:
    """Whether the kernel makes huge pages of any memory, which it does when it finds the time.

    Source: Linux, Documentation/admin-guide/mm/transhuge.rst.
    """
    file = system / "kernel/mm/transparent_hugepage/enabled"
    chosen = next((word.strip("[]") for word in words(file) if word.startswith("[")), "")
    if not chosen:
        return unknown("transparent huge pages", "not told")
    if chosen != "always":
        return fine("transparent huge pages", chosen)
    return disturbs(
        "transparent huge pages", "always: whether a process gets them is chance", f"echo madvise | sudo tee {file}"
    )


def siblings(system: Path = SYSTEM) -> Finding:
    """Whether cores that this process may use are threads of one core, which share its units."""
    files = {core: system / f"devices/system/cpu/cpu{core}/topology/thread_siblings_list" for core in allowed_cores()}
    groups = Counter(" ".join(said) for file in files.values() if (said := words(file)))
    if not groups:
        return unknown("threads of one core", "not told")
    together = [group for group, count in groups.items() if count > 1]
    if not together:
        return fine("threads of one core", "none: each core that this process may use is one of its own")
    found = f"{len(together)} cores with two threads that this process may use: {', '.join(together[:4])}"
    firsts = ",".join(group.replace("-", ",").split(",")[0] for group in together)
    return disturbs("threads of one core", found, f"taskset -c {firsts} make bench, or --threads {len(groups)}")


def quota() -> Finding:
    """Whether a container's quota stops its processes for the rest of a period once it is used up."""
    granted, cores = cpu_quota(), len(allowed_cores())
    if granted is None:
        return fine("CPU quota", "none")
    found = f"{granted:g} cores' worth of time on {cores} cores, for {default_threads()} threads by default"
    return disturbs("CPU quota", found, "docker run --cpuset-cpus instead of --cpus, or request whole cores")


def memory() -> Finding:
    """Whether memory is left for workers, and none of it was swapped out."""
    available, swapped = positive(psutil.virtual_memory().available), psutil.swap_memory().used
    limit = memory_limit()
    held = min(available, limit) if limit else available
    found = f"{units.text(float(held), 'B', 3)} to be had, {units.text(float(swapped), 'B', 3)} swapped out"
    if held < SPARE_BYTES or swapped > SPARE_BYTES:
        return disturbs("memory", found, "end what is not needed, or measure with --interleave 1")
    return fine("memory", found)


def shared_memory(folder: Path = SHARED_MEMORY) -> Finding:
    """Whether loader workers can hand over their batches."""
    try:
        state = os.statvfs(folder)
    except OSError:
        return unknown("shared memory", f"no {folder}")
    total = float(state.f_blocks * state.f_frsize)
    if total >= ENOUGH_SHARED_BYTES:
        return fine("shared memory", f"{units.text(total, 'B', 3)} at {folder}")
    return disturbs("shared memory", f"{units.text(total, 'B', 3)} at {folder}", "docker run --shm-size=1g")


def priority() -> Finding:
    """Whether workers can go before other processes; asked in a process that ends, of a session of its own."""
    code = "from suite.machine import priority as p; p.raise_priority(); print(p.current_priority()['nice'])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True, check=False)
    if done.stdout.strip() == str(HIGHEST):
        return fine("priority", "workers may go before other processes")
    return disturbs("priority", "workers share cores with everything else", "run as root, or grant CAP_SYS_NICE")


FIXED = (governor, turbo, huge_pages, siblings, quota, memory, shared_memory, priority)
"""What is looked at, in this order."""
