"""Whether two runs have the same code, machine and software."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

CODE = ("commit", "plugins")
"""Parts of the environment that say what code was measured: the same when a run is resumed, others when runs are
compared, which is what a comparison is for."""
NOT_CODE = ("commit.branch", "commit.dirty", "commit.reason")
"""Facts of those that do not identify the code: the commit and the hash of its changes do."""
TO_RESUME = ("machine", "software", "container", "torchrun", "variables")
"""Parts of the environment that have to be the same for a run to be resumed."""
TO_COMPARE = ("machine", "software", "container", "threads", "allocator", "priority", "variables")
"""Parts that have to be the same for two runs to be compared."""
IGNORED = (
    *("machine.host", "software.stepmark", "software.lock_sha256"),
    *("variables.LD_LIBRARY_PATH", "container.image", "machine.device_uuids"),
    *("variables.CUDA_VISIBLE_DEVICES", "variables.NVIDIA_VISIBLE_DEVICES", "variables.HIP_VISIBLE_DEVICES"),
    "variables.CUDA_DEVICE_ORDER",
)
"""Facts of those that may differ all the same when runs are compared: a container has a new host's name each time, and
two images are compared as two revisions are. The devices of a run are facts, however they were chosen among others
(docs/decisions/0040)."""
NEARLY = {"machine.memory_bytes": 0.01}
"""Facts that are measured, and by how much two of the same may differ, relative to the larger: the kernel sets memory
aside for itself, some pages more or less at each start. All other facts are settings, counts or names."""
ADDED = (
    *("plugins", "variables", "commit.diff_sha256", "allocator.effective", "container.image"),
    *("machine.devices", "machine.device_uuids", "software.torch_build.cudnn"),
)
"""Facts that older records do not have. Such a record says nothing of them, which is no difference."""
UNREAD = (
    *("machine.host", "machine.kernel", "machine.processor", "machine.cores_logical", "machine.cores_physical"),
    *("machine.memory_bytes", "machine.page_bytes", "software.libc", "priority.nice", "allocator.effective"),
    "software.torch_build.cudnn",
)
"""Facts that are None where a run could not read them, which is no difference."""
UNREAD_OF_DEVICES = re.compile(r"machine\.devices\.\d+\.\w+")
"""The same of facts about a device."""
UNKNOWN: Any = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that differs between two environments, under its full name."""

    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        """`machine.host: a, now b`."""
        return f"{self.name}: {self.before}, now {self.after}"


def differences(
    before: dict[str, Any], after: dict[str, Any], parts: Collection[str], *, ignore: Collection[str] = ()
) -> list[str]:
    """Facts that differ between two environments, as `machine.host: a, now b`.

    Args:
        before: one of them.
        after: the other.
        parts: their parts that are looked at.
        ignore: facts that may differ.
    """
    return [str(found) for found in differing_facts(before, after, parts, ignore=ignore)]


def differing_facts(
    before: dict[str, Any], after: dict[str, Any], parts: Collection[str], *, ignore: Collection[str] = ()
) -> list[Difference]:
    """The same as values, in the order of their names."""
    found: list[Difference] = []
    for part in sorted(parts):
        old, new = before.get(part, missing(part)), after.get(part, missing(part))
        if part == "commit" and not (has_commit(old) and has_commit(new)):
            continue
        found += differing(old, new, part, ignore)
    return found


def names_of_facts(value: Any, name: str) -> set[str]:
    """Full names of all facts within a part of an environment that hold no others."""
    if not isinstance(value, dict) or not value:
        return set() if value is UNKNOWN or value is None or value == {} else {name}
    return set().union(*(names_of_facts(inner, f"{name}.{key}") for key, inner in value.items()))


def has_commit(commit: Any) -> bool:
    """Whether the code's commit is known.

    It is unknown outside a checkout, and where git refused.
    """
    return isinstance(commit, dict) and commit.get("revision") is not None


def not_known(environment: dict[str, Any], parts: Collection[str]) -> list[str]:
    """Facts in these parts that an environment of an older record lacks."""
    names = [name for name in ADDED if name.split(".")[0] in parts]
    return [name for name in names if fact(environment, name) is UNKNOWN]


def fact(environment: Any, name: str) -> Any:
    """The fact of that name, such as `commit.diff_sha256`, or `UNKNOWN`."""
    for key in name.split("."):
        environment = environment.get(key, UNKNOWN) if isinstance(environment, dict) else UNKNOWN
    return environment


def missing(name: str) -> Any:
    """The value that stands for a missing fact."""
    return UNKNOWN if name in ADDED else None


def differing(old: Any, new: Any, name: str, ignore: Collection[str]) -> list[Difference]:
    """Differences within one fact, which may hold others."""
    if old == new or name in ignore or UNKNOWN in (old, new) or (is_unread(name) and None in (old, new)):
        return []
    if are_near(old, new, NEARLY.get(name, 0.0)):
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        inner = ((f"{name}.{key}", key) for key in keys)
        return [
            found
            for full, key in inner
            for found in differing(old.get(key, missing(full)), new.get(key, missing(full)), full, ignore)
        ]
    return [Difference(name, old, new)]


def is_unread(name: str) -> bool:
    """Whether a fact of that name is None where a run could not read it."""
    return name in UNREAD or UNREAD_OF_DEVICES.fullmatch(name) is not None


def are_near(old: Any, new: Any, share: float) -> bool:
    """Whether two numbers differ by no more than that share of the larger."""
    if not share or not isinstance(old, int | float) or not isinstance(new, int | float):
        return False
    return abs(new - old) <= share * max(abs(old), abs(new))
