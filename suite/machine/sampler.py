"""A process that samples another and its children at an interval. No torch.

What it reads is stamped by the monotonic clock, which all processes of a machine share: by it samples and steps are
set side by side.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import psutil

from suite.machine import nvml
from suite.machine.child import fork_child
from suite.machine.procfs import descendants, read_process, times_of_cores
from suite.machine.readings import optional, optional_or

INTERVAL_S = 0.1
"""Seconds between two looks."""
POWERCAP = Path("/sys/class/powercap")
GO, STOP, QUIT = b"g", b"s", b"q"
READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Sample:
    """One look, as cheap as can be: it takes a core from the step while it lasts.

    Attributes:
        at_s: when, by the monotonic clock (`time.perf_counter`).
        cpu_s: time on cores of all processes looked at, since they started, and of their ended children.
        resident_bytes: their resident sets added up; pages that several share count for each.
        devices: readings of each NVIDIA device (`nvml.READINGS`, and the memory that these processes hold); empty if
            none was asked for, or is there.
    """

    at_s: float
    cpu_s: float
    resident_bytes: float
    devices: list[dict[str, float | None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Totals:
    """Counters that are read before the first sample and after the last one.

    Attributes (None for what could not be read):
        switches, involuntary: changes of context of all processes looked at, all and those that the kernel forced.
        read_bytes, written_bytes: what they had of storage.
        busy_s: seconds for which each core of the machine was busy since it started, whoever it was.
        package_j: energy of the processors since some time; None if this user may not read it.
    """

    switches: float | None
    involuntary: float | None
    read_bytes: float | None
    written_bytes: float | None
    busy_s: list[float] | None
    package_j: float | None


@dataclass(frozen=True, slots=True)
class Observation:
    """All samples between `go` and `stop`, at least two, and the totals around them."""

    samples: list[Sample]
    before: Totals
    after: Totals


class Sampler:
    """Samples this process and its children between `go` and `stop`. A context.

    A separate process does it.

    Make it before anything has started a thread: its process is forked.

    Args:
        interval_s: seconds between two looks.
        devices: whether to look at NVIDIA devices too.

    Attributes:
        pid: of the process that looks.
    """

    def __init__(self, interval_s: float = INTERVAL_S, *, devices: bool = False) -> None:
        child = fork_child(partial(serve, os.getpid(), interval_s, devices=devices))
        self.pid, self._commands, self._answers = child.pid, child.commands, child.answers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def go(self) -> None:
        """Look from now on."""
        os.write(self._commands, GO)

    def stop(self) -> Observation:
        """Look once more, and return all that was seen since `go`."""
        os.write(self._commands, STOP)
        text = b""
        while not text.endswith(b"\n"):
            piece = os.read(self._answers, READ_BYTES)
            if not piece:
                raise ChildProcessError("the process that samples has ended")
            text += piece
        found = json.loads(text)
        samples = [Sample(**one) for one in found["samples"]]
        return Observation(samples, Totals(**found["before"]), Totals(**found["after"]))

    def close(self) -> None:
        """End the sampling process by a command.

        Closing its pipe is not enough: later forks hold it open too.
        """
        os.write(self._commands, QUIT)
        os.close(self._commands)
        os.close(self._answers)
        os.waitpid(self.pid, 0)


def serve(watched: int, interval_s: float, commands: int, answers: int, *, devices: bool) -> None:
    """Look at a process on command, in the child, until the command to quit."""
    with nvidia_devices(wanted=devices) as seen:
        run_commands(ProcessTree(watched, seen), interval_s, commands, answers)


@contextmanager
def nvidia_devices(*, wanted: bool) -> Iterator[list[Any]]:
    """The NVIDIA devices that this process sees, if wanted; none without a driver."""
    with ExitStack() as stack:
        yield open_devices(stack) if wanted else []


@optional_or(list)
def open_devices(stack: ExitStack) -> list[Any]:
    """The devices of a driver that stays open as long as the stack."""
    stack.enter_context(nvml.driver())
    return nvml.handles()


def run_commands(tree: ProcessTree, interval_s: float, commands: int, answers: int) -> None:
    """Sample from each command to go until the next one, and send the samples."""
    while os.read(commands, 1) == GO:
        before = tree.totals()
        samples = collect(tree.look, interval_s, commands)
        os.write(answers, json.dumps(asdict(Observation(samples, before, tree.totals()))).encode() + b"\n")


def collect(look: Callable[[], Sample], interval_s: float, commands: int) -> list[Sample]:
    """A sample now, one each interval, and a last one at the next command."""
    samples = [look()]
    due_s = samples[0].at_s + interval_s
    while True:
        ready = select.select([commands], [], [], max(0.0, due_s - time.perf_counter()))[0]
        samples.append(look())
        if ready:
            os.read(commands, 1)
            return samples
        due_s += interval_s


class ProcessTree:
    """A process and its descendants, but not the one that looks, and devices."""

    def __init__(self, pid: int, devices: list[Any]) -> None:
        self._root = pid
        self._devices = devices

    def look(self) -> Sample:
        """CPU time and memory of all of them now.

        An ended process has no memory; its CPU time stays with the parent that has waited for it.
        """
        now_s, members = time.perf_counter(), self._members()
        found = [one for one in map(read_process, members) if one]
        seen = [{**nvml.read(device), "own_memory_bytes": nvml.memory_of(device, members)} for device in self._devices]
        spent_s, resident_bytes = (one.cpu_s + one.reaped_s for one in found), (one.resident_bytes for one in found)
        return Sample(now_s, sum(spent_s), sum(resident_bytes), seen)

    def totals(self) -> Totals:
        """Counters that are read twice, not at each interval."""
        members = self._members()
        switches, involuntary = sum_pairs(map(switches_of, members))
        read_bytes, written_bytes = sum_pairs(map(storage_of, members))
        return Totals(switches, involuntary, read_bytes, written_bytes, busy_s(), package_j())

    def _members(self) -> list[int]:
        return [pid for pid in descendants(self._root) if pid != os.getpid()]


Pair = tuple[float, float]
NO_USE: Pair = (0.0, 0.0)


def sum_pairs(found: Iterable[Pair | None]) -> Pair | tuple[None, None]:
    """The sum over processes; nothing where one of them could not be read."""
    pairs = list(found)
    known = [pair for pair in pairs if pair is not None]
    if len(known) < len(pairs):
        return None, None
    return sum(first for first, _ in known), sum(second for _, second in known)


@optional
def switches_of(pid: int) -> Pair:
    """Context switches of a process, all and forced ones; zeros if it has ended."""
    try:
        switches = psutil.Process(pid).num_ctx_switches()
    except psutil.NoSuchProcess:
        return NO_USE
    return switches.voluntary + switches.involuntary, switches.involuntary


@optional
def storage_of(pid: int) -> Pair:
    """Bytes that a process has read from storage and written; zeros if it has ended."""
    try:
        storage = psutil.Process(pid).io_counters()
    except psutil.NoSuchProcess:
        return NO_USE
    return storage.read_bytes, storage.write_bytes


@optional
def busy_s() -> list[float]:
    """Busy seconds of each core, without idle time, waits for storage and steal.

    A core's number is its place; one that is offline was never busy.
    """
    unused = ("idle", "iowait", "steal", "guest", "guest_nice")  # guests count as user too
    every = times_of_cores()
    spent_s = {core: sum(one) - sum(getattr(one, name) for name in unused) for core, one in every.items()}
    return [spent_s.get(core, 0.0) for core in range(1 + max(spent_s))]


@optional
def package_j(folder: Path = POWERCAP) -> float | None:
    """Energy of all processor packages; None if it cannot be read.

    Source: Linux, Documentation/power/powercap/powercap.rst.
    """
    domains = [domain for domain in folder.glob("intel-rapl:*") if is_package(domain)]
    drawn_uj = [int((domain / "energy_uj").read_text()) for domain in domains]
    return sum(drawn_uj) / 1e6 if drawn_uj else None


def is_package(domain: Path) -> bool:
    """Whether a domain of power is a whole package.

    Others are a part of one (`intel-rapl:0:1`), or the whole platform (`psys`), in which packages are counted again.
    """
    name = domain / "name"
    return domain.name.count(":") == 1 and (not name.exists() or name.read_text().startswith("package"))
