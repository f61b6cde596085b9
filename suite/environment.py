"""Facts about host, software, container and commit, as nested plain values. Imports no torch."""

from __future__ import annotations

import os
import platform
import re
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

import suite
from suite import code_identity, cores, torchrun
from suite.allocators import ALLOCATORS
from suite.cgroups import cpu_quota, memory_limit
from suite.records import Plan

PROJECT = Path(suite.__file__).resolve().parent.parent
PACKAGES = ("torch", "torchvision", "numpy", "pytest", "pytest-benchmark", "psutil", "nvidia-ml-py")
"""Distributions whose version is recorded."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
"""Variables that change how torch uses cores; recorded where they are set."""
CONTAINER_MARKS = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
WORKER_BYTES = 3 * 2**28
"""Memory set aside for one worker beside what it shares with the others: a resnet18 with Adam takes half of it."""
MOST_ABREAST = 32
"""Workers side by side, at most: their turns are then some ten seconds apart, as far as the drift of a machine asks."""


def now() -> str:
    """The present moment as the record writes it: ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def facts(plan: Plan, torch: dict[str, Any], priority: dict[str, int]) -> dict[str, Any]:
    """Everything that a reader needs to judge a number, or to measure it again.

    Args:
        plan: for threads, allocator and priority.
        torch: what the zygote said of its torch.
        priority: what it said of the nice values that it was given.
    """
    return {
        "machine": machine(),
        "software": software(torch),
        "container": container(),
        "commit": commit(),
        "threads": {
            "torch": plan.threads,
            **{name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        },
        "allocator": {"name": plan.allocator, **ALLOCATORS[plan.allocator]},
        "torchrun": ranks(),
        "priority": {"wanted": plan.priority, **priority},
        "seed": plan.order_seed,
        "load_before": load(),
    }


def ranks() -> dict[str, int] | None:
    """The ranks that torchrun started, in all, on this node, and on how many; None without torchrun."""
    among = torchrun.world()
    return {"ranks": among.ranks, "local_ranks": among.local_ranks, "nodes": among.nodes} if among else None


def machine() -> dict[str, Any]:
    """Host, cores, memory and kernel."""
    return {
        "host": platform.node(),
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processor": processor(),
        "cores_logical": psutil.cpu_count(),
        "cores_physical": psutil.cpu_count(logical=False),
        "cores_usable": usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "page_bytes": os.sysconf("SC_PAGE_SIZE"),
    }


def processor() -> str:
    """The processor's name as the kernel tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else None
    return match[1] if match else platform.processor()


def usable_cores() -> int:
    """Cores that this process may use: its affinity, and the quota of its container, whichever is less."""
    allowed = cores.usable_cores()
    quota = cpu_quota()
    return max(1, min(allowed, int(quota))) if quota else allowed


def defaults() -> dict[str, int]:
    """What a plan takes from the machine."""
    return {"threads": default_threads(), "abreast": default_abreast()}


def default_threads() -> int:
    """Threads of torch unless the user says else: one for each physical core that this process may use."""
    return min(usable_cores(), psutil.cpu_count(logical=False) or usable_cores())


def default_abreast() -> int:
    """Workers that live side by side unless the user says else: as many as memory holds, and not more than help."""
    available: int = psutil.virtual_memory().available
    held = min(available, memory_limit() or available) // WORKER_BYTES
    return max(1, min(MOST_ABREAST, held))


def software(torch: dict[str, Any]) -> dict[str, Any]:
    """Python, the packages, the lock that they come from, and the build of torch."""
    return {
        "stepmark": suite.__version__,
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "libc": " ".join(platform.libc_ver()).strip(),
        **{name: version(name) for name in PACKAGES},
        "torch_build": torch,
        "lock_sha256": code_identity.of_lock(PROJECT),
    }


def version(distribution: str) -> str | None:
    """The installed version of a distribution; None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def container() -> dict[str, Any]:
    """Whether this is a container, of which kind, and the limits it sets."""
    kind = os.environ.get("container") or next(  # noqa: SIM112 - systemd and podman spell it so
        (name for mark, name in CONTAINER_MARKS.items() if Path(mark).exists()), None
    )
    limits = {"cpu_quota_cores": cpu_quota(), "memory_limit_bytes": memory_limit()}
    return {"inside": kind is not None, "kind": kind, **limits}


def commit() -> dict[str, Any]:
    """The commit that is measured, and how the working tree differs from it (`suite.code_identity.of_checkout`)."""
    return code_identity.of_checkout(PROJECT)


def load() -> dict[str, Any]:
    """How busy the machine is now: load averages, share of time lost to the hypervisor since boot, free memory."""
    times = psutil.cpu_times()
    total = sum(times)
    return {
        "load_1min": os.getloadavg()[0],
        "load_5min": os.getloadavg()[1],
        "steal_since_boot_share": getattr(times, "steal", 0.0) / total if total else 0.0,
        "memory_available_bytes": psutil.virtual_memory().available,
    }
