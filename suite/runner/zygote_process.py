"""The process of a zygote: on this machine, or in a container. Imports no torch."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from suite.machine import containers, temp_dirs
from suite.machine.affinity import allowed_cores
from suite.machine.allocators import ALLOCATORS
from suite.machine.worker_environment import worker_environment
from suite.protocol import Closed, Link
from suite.runner import container_entry
from suite.runner.code_origin import Origin

POLL_S = 0.05
"""Seconds between two looks at an engine while its container starts."""
END_S = 5.0
"""Seconds in which a container ends once its link is closed; then the engine kills it."""
KILLED = 128 + signal.SIGKILL
"""Exit code of an engine whose container was killed."""
SHARED = "/mnt"
"""Folder inside a container in which it finds the socket and its workers their temporary files. Its path is short, as
`temp_dirs.LONGEST` asks for."""
CREDENTIALS = struct.Struct("3i")
"""Process, user and group at the other end of a socket (unix(7), SO_PEERCRED)."""


class ZygoteProcess(Protocol):
    """A zygote that was started, until `end`.

    Attributes:
        pid: as this process sees it; 0 if unknown.
    """

    pid: int

    def is_running(self) -> bool:
        """Whether it has not ended."""
        ...

    def was_killed(self) -> bool:
        """Wait for its end; whether it was killed."""
        ...

    def connect(self, timeout_s: float) -> Link:
        """The link to it, which a container opens when it has started.

        Raises:
            Closed: it ended before.
            TimeoutError: it did not open a link in time.
        """
        ...

    def new_folder(self) -> tuple[str, str]:
        """A new folder for a worker's temporary files: its path here, and for it."""
        ...

    def end(self) -> None:
        """End it, and with it every worker. Its link is closed."""
        ...


def variables_of(origin: Origin, allocator: str) -> dict[str, str]:
    """Variables of a zygote: the allocator's, the origin's, and this process's.

    The last ones do not get into a container, which has those of its image.
    """
    own = ALLOCATORS[allocator] if origin.container else worker_environment(allocator)
    return {**own, **origin.variables}


class Here:
    """A zygote that is a child of this process.

    Args:
        program: its command line, without its arguments.
        arguments: its last argument.
        variables: of its environment.
        open_files: numbers of the files that it has to have open.
        output: file for what it prints.
        start: folder in which it starts; None for that of this process.

    Raises:
        OSError: the interpreter does not start.
    """

    def __init__(
        self,
        program: Sequence[str],
        arguments: str,
        variables: Mapping[str, str],
        open_files: Sequence[int],
        output: IO[bytes],
        start: Path | None = None,
    ) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [*program, str(theirs.fileno()), arguments],
                    env=variables,
                    pass_fds=[theirs.fileno(), *open_files],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    cwd=start,
                )
            except OSError:
                ours.close()
                raise
        self.pid = self._process.pid
        self._link = Link(ours)

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def was_killed(self) -> bool:
        """Wait for its end; whether it was killed."""
        return self._process.wait() == -signal.SIGKILL

    def connect(self, timeout_s: float) -> Link:  # noqa: ARG002 - the link is open
        """The link to it."""
        return self._link

    def new_folder(self) -> tuple[str, str]:
        """A new folder for a worker's temporary files, twice the same path."""
        folder = temp_dirs.create()
        return folder, folder

    def end(self) -> None:
        """Kill it and its process group."""
        self._link.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


class InContainer:
    """A zygote in a container that an engine starts.

    The container ends with its first process, the zygote. This ends once the link is closed, also because this
    process was killed. So no container is left behind.

    Args:
        container: the image and its engine.
        suite: folder of the package in the image.
        arguments: the zygote's last argument.
        variables: added to those of the image.
        output: file for what the engine and the zygote print.

    Raises:
        OSError: the engine does not start.
    """

    def __init__(
        self,
        container: containers.Container,
        suite: Path,
        arguments: str,
        variables: Mapping[str, str],
        output: IO[bytes],
    ) -> None:
        self._engine = container.program
        self._folder = temp_dirs.create()
        self._name = Path(self._folder).name
        self._shared = Path(self._folder) / "shared"
        self.pid = 0
        self._shared.mkdir()
        entry = Path(container_entry.__file__)
        (self._shared / entry.name).write_bytes(entry.read_bytes())
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(self._shared / container_entry.SOCKET))
        self._listener.listen(1)
        for path in (self._shared, *self._shared.iterdir()):
            containers.give(path)
        apart = ["--security-opt", "label=disable"] if containers.SELINUX.exists() else []  # else it may not connect
        settings = {
            "cores": list(allowed_cores()),
            "variables": dict(variables),
            "suite": os.fspath(suite),
            "arguments": arguments,
        }
        command = container.run("--name", self._name, *apart, "--volume", f"{self._shared}:{SHARED}")
        inner = ["python", "-P", f"{SHARED}/{entry.name}", container_entry.ZYGOTE, json.dumps(settings)]
        try:
            self._process = subprocess.Popen(
                [*command, *inner], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        except OSError:
            self._forget()
            raise

    def is_running(self) -> bool:
        """Whether its engine has not seen it end."""
        return self._process.poll() is None

    def was_killed(self) -> bool:
        """Wait for its end; whether it was killed."""
        return self._process.wait() == KILLED

    def connect(self, timeout_s: float) -> Link:
        """Wait for its connection; its process then counts as one of this run."""
        until_s = time.monotonic() + timeout_s
        while not select.select([self._listener], [], [], POLL_S)[0]:
            if not self.is_running():
                raise Closed("the container ended")
            if time.monotonic() > until_s:
                raise TimeoutError("the container opened no link")
        end, _ = self._listener.accept()
        self.pid, _, _ = CREDENTIALS.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
        if self.pid:  # 0 where the engine runs on another kernel than this process
            containers.OWN.add(self.pid)
        return Link(end)

    def new_folder(self) -> tuple[str, str]:
        """A new folder for a worker's temporary files: its path here, and its path inside."""
        folder = Path(tempfile.mkdtemp(dir=self._shared))
        containers.give(folder)
        return os.fspath(folder), f"{SHARED}/{folder.name}"

    def end(self) -> None:
        """Wait until it has ended by its closed link, or kill it."""
        self._listener.close()
        try:
            self._process.wait(END_S if self.pid else 0)
        except subprocess.TimeoutExpired:
            subprocess.run([self._engine, "kill", self._name], capture_output=True, check=False)
            self._wait_for_engine()
        containers.OWN.discard(self.pid)
        self._forget()

    def _wait_for_engine(self) -> None:
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:  # the container never came to be: its program finds no socket, and ends
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _forget(self) -> None:
        self._listener.close()
        temp_dirs.remove(self._folder)
