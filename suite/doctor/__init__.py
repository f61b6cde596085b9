"""Checks for disturbances of measurements, with advice. They change nothing.

finding.py       result of one check
setup_checks.py  settings of the machine: clocks, memory, limits
load_checks.py   load during the next seconds: other processes, steal, pressure
gpu_checks.py    settings and load of NVIDIA devices
experiments.py   measurements: the allocator's share of a step, and the noise floor
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from suite.configuration.values import NOTHING
from suite.doctor.finding import Finding, unknown
from suite.doctor.gpu_checks import check_devices
from suite.doctor.load_checks import check_load
from suite.doctor.setup_checks import SETUP_CHECKS
from suite.machine.readings import NOTES, known_or
from suite.records import WorkerSettings


def examine(workers: WorkerSettings | None = None, structures: str = "") -> Iterator[Finding]:
    """Yield each finding when it is known, the fastest checks first.

    Args:
        workers: settings of the experiments' workers; None for those of a run without options.
        structures: the text of `--structure`: structures of the experiments, in place of Stepmark's own.

    Raises:
        StepmarkError: no worker starts, or a structure is not known.
    """
    from suite.doctor.experiments import EXPERIMENTS, examined
    from suite.runner.settings import workers_here

    chosen = examined(structures)
    for check in SETUP_CHECKS:
        yield known_or(name_of(check), check, partial(unreadable, name_of(check)))
    yield from check_devices()
    yield from check_load()
    for one in chosen:
        for experiment in EXPERIMENTS:
            yield experiment(workers or workers_here(NOTHING), one)


def name_of(check: Callable[[], Finding]) -> str:
    """The name of a check in words."""
    return check.__name__.removeprefix("check_").replace("_", " ")


def unreadable(name: str) -> Finding:
    """The finding of a check that raised an error."""
    return unknown(name, f"could not be read: {NOTES.get(name, 'the kernel has no such file')}")
