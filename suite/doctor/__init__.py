"""What on this machine disturbs a measurement, and what to do about each. It reads and measures, and changes nothing.

finding.py       what an examination comes to
setup_checks.py  how the machine is set up: clocks, memory, limits
load_checks.py   what goes on right now: load, steal, pressure
gpu_checks.py    the same of NVIDIA devices
experiments.py   what is measured: the allocator's part in a step, and the noise floor
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from suite.doctor.finding import Finding, unknown
from suite.doctor.gpu_checks import devices
from suite.doctor.load_checks import moment
from suite.doctor.setup_checks import FIXED
from suite.machine.readings import NOTES, known_or


def examine() -> Iterator[Finding]:
    """Every finding, as soon as it is known: what is read first, then what takes a second, then what is measured.

    Raises:
        StepmarkError: no worker starts.
    """
    from suite.doctor.experiments import TRIALS

    for check in FIXED:
        yield known_or(name_of(check), check, partial(unreadable, name_of(check)))
    yield from devices()
    yield from moment()
    for trial in TRIALS:
        yield trial()


def name_of(check: Callable[[], Finding]) -> str:
    """A check's name in words."""
    return check.__name__.replace("_", " ")


def unreadable(name: str) -> Finding:
    """The finding of a check that failed."""
    return unknown(name, f"could not be read: {NOTES.get(name, 'the kernel has no such file')}")
