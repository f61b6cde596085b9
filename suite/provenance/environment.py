"""Facts about host, software, container and commit, as plain values."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

import suite
from suite.machine import device_facts, torchrun
from suite.machine.allocators import ALLOCATORS
from suite.machine.cgroups import cpu_quota, memory_limit
from suite.machine.readings import NOTES, known, known_or, optional, positive
from suite.machine.threads import cores_of, granted_cores
from suite.machine.worker_environment import worker_environment
from suite.provenance import code_identity, environment_variables, image, plugin_identity
from suite.provenance.installation import IS_CHECKOUT
from suite.records import WorkerSettings

PROJECT = Path(suite.__file__).resolve().parent.parent
PACKAGES = ("torch", "torchvision", "numpy", "pytest", "pytest-benchmark", "psutil", "nvidia-ml-py")
"""Distributions whose version is recorded."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
"""Variables that change how torch uses cores; recorded where they are set."""
CONTAINER_MARKS = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}


def facts(
    workers: WorkerSettings,
    order_seed: int,
    torch: dict[str, Any],
    priority: dict[str, int | None],
    allocator: str | None = None,
    plugins: Iterable[str] = (),
) -> dict[str, Any]:
    """Everything that a reader needs to judge a number or to measure it again.

    Args:
        workers: their settings.
        order_seed: of the run or the gate.
        torch: facts of the zygote about its torch.
        priority: the nice values that the zygote was given.
        allocator: which it has in effect (`suite.machine.allocators.in_effect`); None where it did not say.
        plugins: names of the modules that add levels.
    """
    return {
        "machine": machine(),
        "software": software(torch),
        "container": container(),
        **code(plugins),
        "threads": {
            "torch": workers.threads,
            **{name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        },
        "allocator": {"name": workers.allocator, "effective": allocator, **ALLOCATORS[workers.allocator]},
        "variables": environment_variables.moving_steps(worker_environment("default")),
        "torchrun": ranks(),
        "priority": {"wanted": workers.priority, **priority},
        "seed": order_seed,
        "load_before": load(),
        "not_read": dict(NOTES),
    }


def ranks() -> dict[str, int] | None:
    """Number of ranks and nodes of torchrun; None without torchrun."""
    world = torchrun.world()
    return {"ranks": world.ranks, "local_ranks": world.local_ranks, "nodes": world.nodes} if world else None


def machine() -> dict[str, Any]:
    """Host, cores, memory, kernel and devices; None for what the system does not say."""
    return {name: known(f"environment.{name}", read) for name, read in MACHINE.items()}


def processor() -> str:
    """The processor's name as the kernel gives it."""
    cpuinfo = known_or("environment.cpuinfo", Path("/proc/cpuinfo").read_text, str)
    match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return match[1] if match else platform.processor()


def available_bytes() -> int:
    """Memory that processes can have without others losing theirs."""
    return positive(int(psutil.virtual_memory().available))


MACHINE: dict[str, Callable[[], Any]] = {
    "host": platform.node,
    "system": platform.system,
    "kernel": platform.release,
    "architecture": platform.machine,
    "processor": processor,
    "cores_logical": partial(cores_of, logical=True),
    "cores_physical": partial(cores_of, logical=False),
    "cores_usable": granted_cores,
    "memory_bytes": lambda: positive(int(psutil.virtual_memory().total)),
    "page_bytes": lambda: positive(os.sysconf("SC_PAGE_SIZE")),
    "devices": device_facts.facts_of_devices,
    "device_uuids": device_facts.uuids,
}
"""Fact about the machine -> what reads it."""


def software(torch: dict[str, Any]) -> dict[str, Any]:
    """Python, the packages, the lock that they come from, and the build of torch."""
    return {
        "stepmark": suite.__version__,
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "libc": known("environment.libc", lambda: " ".join(platform.libc_ver()).strip()),
        **{name: version(name) for name in PACKAGES},
        "torch_build": torch,
        "lock_sha256": code_identity.of_lock(PROJECT),
    }


@optional
def version(distribution: str) -> str | None:
    """The installed version of a distribution; None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def container() -> dict[str, Any]:
    """Kind and limits of the container that this is; its image if Stepmark built that."""
    kind = os.environ.get("container") or known("environment.container", kind_by_mark)  # noqa: SIM112 - systemd's spelling
    limits = {"cpu_quota_cores": cpu_quota(), "memory_limit_bytes": memory_limit()}
    ours = image.image()
    return {"inside": bool(kind is not None or ours), "kind": kind, **limits, "image": ours}


def kind_by_mark() -> str | None:
    """The kind of container whose mark is there."""
    return next((name for mark, name in CONTAINER_MARKS.items() if Path(mark).exists()), None)


def code(plugins: Iterable[str]) -> dict[str, Any]:
    """Facts that identify the measured code: its commit and changes, and its plug-ins."""
    return {"commit": commit(), "plugins": plugin_identity.of_plugins(plugins)}


def code_of_run(plugins: Sequence[str]) -> dict[str, Any]:
    """The same of a run, whose plug-ins import modules of their repositories."""
    found = code(plugins)
    return {**found, "plugins": {**found["plugins"], **plugin_identity.of_projects(plugins, PROJECT)}}


def commit() -> dict[str, Any]:
    """Commit and changes of the measured code: `code_identity.of_checkout`.

    It is that of Stepmark's checkout, or of its files in an image, or that of the current folder if Stepmark was
    installed from a wheel.
    """
    if not IS_CHECKOUT:
        return code_identity.of_checkout(Path.cwd())
    found = code_identity.of_checkout(PROJECT)
    return found if found["revision"] else image.commit_of(PROJECT) or found


def load() -> dict[str, Any]:
    """Load averages, steal since boot and free memory; None where unknown."""
    return {name: known(f"environment.{name}", read) for name, read in LOAD.items()}


def steal_since_boot() -> float:
    """Share of all cores' time that the hypervisor gave to others since boot."""
    times = psutil.cpu_times()
    total_s = sum(times)
    return getattr(times, "steal", 0.0) / total_s if total_s else 0.0


LOAD: dict[str, Callable[[], float]] = {
    "load_1min": lambda: os.getloadavg()[0],
    "load_5min": lambda: os.getloadavg()[1],
    "steal_since_boot_share": steal_since_boot,
    "memory_available_bytes": available_bytes,
}
"""Fact about the present load -> what reads it."""
