"""Settings of the machine that disturb measurements: clocks, memory, limits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from suite import units
from suite.doctor.finding import Finding, disturbs, fine, unknown
from suite.machine.affinity import allowed_cores
from suite.machine.cgroups import cpu_quota, memory_limit
from suite.machine.priority import HIGHEST
from suite.machine.readings import optional_or, positive
from suite.machine.threads import default_threads
from suite.provenance.installation import PACKAGE

SYSTEM = Path("/sys")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the kernel's, not a file of ours
ENOUGH_SHARED_BYTES = 1 << 30
"""Of shared memory for the batches of loader workers: Docker grants 64 MiB by default."""
SHOWN_CORES = 4
"""Physical cores that a finding names."""
SPARE_BYTES = 2 << 30
"""Memory that some workers need."""


@optional_or(list)
def read_words(file: Path) -> list[str]:
    """The words of a file of the kernel; none if there is no such file."""
    return file.read_text().split()


def check_governor(system: Path = SYSTEM) -> Finding:
    """Whether the cores' clock follows the load.

    Source: Linux, Documentation/admin-guide/pm/cpufreq.rst, `scaling_governor`.
    """
    found = [
        word
        for core in allowed_cores()
        for word in read_words(system / f"devices/system/cpu/cpu{core}/cpufreq/scaling_governor")
    ]
    if not found or not all(word.isalpha() for word in found):
        return unknown("clock governor", "the kernel does not report it, as on most virtual machines")
    if set(found) == {"performance"}:
        return fine("clock governor", "performance")
    return disturbs("clock governor", ", ".join(sorted(set(found))), "sudo cpupower frequency-set -g performance")


def check_turbo(system: Path = SYSTEM) -> Finding:
    """Whether a core may run above the clock that all of them can hold.

    Source: Linux, Documentation/admin-guide/pm/intel_pstate.rst, `no_turbo`, and cpufreq.rst, `boost`.
    """
    pstate, boost = system / "devices/system/cpu/intel_pstate/no_turbo", system / "devices/system/cpu/cpufreq/boost"
    for file, off in ((pstate, "1"), (boost, "0")):
        said = read_words(file)
        if said in (["0"], ["1"]):
            if said[0] == off:
                return fine("turbo", "off")
            return disturbs(
                "turbo", "on: the clock depends on temperature and on other cores", f"echo {off} | sudo tee {file}"
            )
    return unknown("turbo", "the kernel does not report it, as on most virtual machines")


def check_huge_pages(system: Path = SYSTEM) -> Finding:
    """Whether the kernel makes huge pages of any memory, at times of its choice.

    Source: Linux, Documentation/admin-guide/mm/transhuge.rst.
    """
    file = system / "kernel/mm/transparent_hugepage/enabled"
    chosen = next((word.strip("[]") for word in read_words(file) if word.startswith("[")), "")
    if not chosen:
        return unknown("transparent huge pages", "the kernel does not report it")
    if chosen != "always":
        return fine("transparent huge pages", chosen)
    return disturbs(
        "transparent huge pages",
        "always: chance decides whether a process gets them",
        f"echo madvise | sudo tee {file}",
    )


def check_siblings(system: Path = SYSTEM) -> Finding:
    """Whether allowed cores are hardware threads of one physical core."""
    groups: dict[str, list[int]] = {}
    for core in allowed_cores():
        said = read_words(system / f"devices/system/cpu/cpu{core}/topology/thread_siblings_list")
        if said:
            groups.setdefault(" ".join(said), []).append(core)
    if not groups:
        return unknown("threads of one core", "the kernel does not report it")
    together = [group for group, cores in groups.items() if len(cores) > 1]
    if not together:
        return fine("threads of one core", "none: this process may use one thread of each physical core")
    found = (
        f"this process may use several threads of {len(together)} physical "
        f"{'core' if len(together) == 1 else 'cores'}: threads {' and '.join(together[:SHOWN_CORES])}"
    )
    one_each = ",".join(str(cores[0]) for cores in groups.values())
    return disturbs("threads of one core", found, f"run under taskset -c {one_each}, or with --threads {len(groups)}")


def check_quota() -> Finding:
    """Whether a CPU quota can throttle the processes of this container."""
    granted, cores = cpu_quota(), len(allowed_cores())
    if granted is None:
        return fine("CPU quota", "none")
    found = f"{granted:g} cores' worth of time, on {cores} cores; workers have {default_threads()} threads by default"
    return disturbs("CPU quota", found, "use docker run --cpuset-cpus instead of --cpus, or request whole cores")


def check_memory() -> Finding:
    """Whether memory is free for workers, and none is swapped out."""
    available, swapped = positive(psutil.virtual_memory().available), psutil.swap_memory().used
    limit = memory_limit()
    held = min(available, limit) if limit else available
    found = f"{units.text(float(held), 'B', 3)} free, {units.text(float(swapped), 'B', 3)} swapped out"
    if held < SPARE_BYTES or swapped > SPARE_BYTES:
        return disturbs("memory", found, "stop other processes, or measure with --interleave 1")
    return fine("memory", found)


def check_shared_memory(folder: Path = SHARED_MEMORY) -> Finding:
    """Whether shared memory has room for the batches of loader workers."""
    try:
        state = os.statvfs(folder)
    except OSError:
        return unknown("shared memory", f"there is no {folder}")
    total = float(state.f_blocks * state.f_frsize)
    if total >= ENOUGH_SHARED_BYTES:
        return fine("shared memory", f"{units.text(total, 'B', 3)} at {folder}")
    return disturbs("shared memory", f"{units.text(total, 'B', 3)} at {folder}", "use docker run --shm-size=1g")


def check_priority() -> Finding:
    """Whether workers may run before other processes.

    A short-lived process in a new session tries it.
    """
    code = "from suite.machine import priority as p; p.raise_priority(); print(p.current_priority()['nice'])"
    path = f"import sys; sys.path.append({str(PACKAGE.parent)!r})"
    command = [sys.executable, "-P", "-c", f"{path}; {code}"]  # -P: the user's folder may contain another `suite`
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True, check=False)
    if done.stdout.strip() == str(HIGHEST):
        return fine("priority", "workers run before other processes")
    found = "workers have no higher priority than other processes"
    return disturbs("priority", found, "run as root, or grant CAP_SYS_NICE")


SETUP_CHECKS = (
    check_governor,
    check_turbo,
    check_huge_pages,
    check_siblings,
    check_quota,
    check_memory,
    check_shared_memory,
    check_priority,
)
"""Checks in the order in which they run."""
