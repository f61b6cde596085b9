"""The number of threads of torch, within every limit from outside this program.

Imports no torch. A limit of OpenMP's is hard: torch and oneDNN wait for as many threads as they have asked for, so that
a backward pass hangs where OpenMP starts fewer. Cores, quota and wishes bound the default alone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import psutil

from suite.machine import affinity, torchrun
from suite.machine.cgroups import cpu_quota
from suite.machine.readings import known, optional, positive

CPUS = Path("/sys/devices/system/cpu")
SIBLINGS = "topology/thread_siblings_list"
TRUE = "true"
WISHES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables by which a user asks for a number of threads.

Source: PyTorch, aten/src/ATen/ParallelCommon.cpp, `intraop_default_num_threads`.
"""


def granted_core_time() -> float:
    """Cores' worth of time that affinity (taskset, cpuset) and CPU quota grant."""
    return min(float(affinity.affinity_cores()), cpu_quota() or math.inf)


def granted_cores() -> int:
    """Whole cores within `granted_core_time`, at least one."""
    return max(1, int(granted_core_time()))


def default_threads() -> int:
    """Default threads of torch: one for each physical core, within all limits."""
    granted = granted_cores()
    physical = physical_cores() or known("environment.cores_physical", partial(cores_of, logical=False))
    return min(granted, physical or granted, *wishes(), *openmp_limits().values())


@optional
def physical_cores() -> int:
    """Physical cores among those that this process may use; None if unknown.

    Both threads of one may be granted, and no other.

    Source: Linux, Documentation/admin-guide/cputopology.rst, `thread_siblings_list`, an older name of `core_cpus_list`.
    """
    granted = affinity.allowed_cores()
    return positive(len({(CPUS / f"cpu{core}" / SIBLINGS).read_text().strip() for core in granted}))


def cores_of(*, logical: bool) -> int | None:
    """Cores of the machine, or the threads of all of them (`logical`)."""
    found = psutil.cpu_count(logical=logical)
    return None if found is None else positive(int(found))


def wishes() -> Iterator[int]:
    """The numbers of threads that the environment asks for.

    Under torchrun a number is for each rank, and 1 means nothing: torchrun sets it where the user did not.

    Source: PyTorch, torch/distributed/run.py, `config_from_args`.
    """
    world = torchrun.world()
    for name in WISHES:
        count = number(os.environ.get(name, ""))
        if count and not (world and world.local_ranks > 1 and count == 1):
            yield count * (world.local_ranks if world else 1)


def openmp_limits(variables: Mapping[str, str] | None = None) -> dict[str, int]:
    """Threads that OpenMP can start in any case, by the setting that limits them.

    Args:
        variables: of the environment; those of this process by default.

    Source: OpenMP 5.2, chapter 21; GNU libgomp manual, "Environment Variables" and `omp_set_dynamic`, by which libgomp
        starts fewer threads where the load average is high.
    """
    found = os.environ if variables is None else variables
    limits = {}
    if limit := number(found.get("OMP_THREAD_LIMIT", "")):
        limits[f"OMP_THREAD_LIMIT={limit}"] = limit
    if found.get("OMP_DYNAMIC", "").strip().lower() == TRUE:
        limits[f"OMP_DYNAMIC={TRUE}"] = 1
    if found.get("OMP_MAX_ACTIVE_LEVELS", "").strip() == "0":
        limits["OMP_MAX_ACTIVE_LEVELS=0"] = 1
    return limits


def refusal(threads: int, variables: Mapping[str, str] | None = None) -> str:
    """Reason why torch would hang with so many threads, and a remedy; or empty."""
    for setting, limit in openmp_limits(variables).items():
        if threads > limit:
            name = setting.partition("=")[0]
            return (
                f"{threads} threads are asked for, and with {setting} OpenMP may start no more than {limit}, so that "
                f"torch would hang; ask for {limit} (--threads {limit}), or unset {name}"
            )
    return ""


def number(text: str) -> int:
    """The first whole number of an OpenMP variable such as `4` or `4,2`; else 0."""
    first = text.split(",")[0].strip()
    return int(first) if first.isdecimal() else 0
