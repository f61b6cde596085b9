"""The state that a process passes on to those that it starts.

A plug-in may set an environment variable when it is imported, change the folder, or bind the process to a core. In the
process that starts both sides of a gate, that would reach both sides.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from suite.machine.affinity import allowed_cores, bind_all

LIMITS = sorted(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))
"""Numbers of the limits that this system has."""


@contextmanager
def kept_state() -> Iterator[None]:
    """Restore variables, folder, cores, umask and limits when the context ends.

    A limit that was lowered for good stays, and so does a higher nice value.
    """
    variables, folder, cores = dict(os.environ), Path.cwd(), allowed_cores()
    limits = {number: resource.getrlimit(number) for number in LIMITS}
    umask = os.umask(0)
    os.umask(umask)
    try:
        yield
    finally:
        os.umask(umask)
        for number, limit in limits.items():
            with suppress(OSError, ValueError):
                resource.setrlimit(number, limit)
        if allowed_cores() != cores:
            bind_all(cores)
        with suppress(OSError):
            os.chdir(folder)
        for name in [name for name in os.environ if name not in variables]:
            del os.environ[name]
        os.environ.update({name: value for name, value in variables.items() if os.environ.get(name) != value})
