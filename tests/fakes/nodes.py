"""Nodes for the tests: real agents of torchrun, on this host or on hosts with separate networks."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import pytest

from suite.distributed.loopback import INTERFACE_VARIABLE
from suite.records import RunRecord
from suite.records.store import read_run
from tests.conftest import Desk, processes_below

PROFILE = """
[nodes]
plugins = ["my_levels"]
structures = ["seed_cnn"{structures}]
optimizers = ["sgd", "adam"]
executions = ["cpu", "distributed", "distributed_r1"]
batch_sizes = [8]
image_sizes = [8]
passes = 2
case_seconds = {seconds}
"""
OPTIONS = ("--profiles=profiles.toml", "--profile=nodes", "--record=here", "--threads=1")


@dataclass(frozen=True, slots=True)
class Host:
    """A node's host: the interface and address by which others reach it, and its network namespace."""

    interface: str
    address: str
    namespace: str = ""

    @property
    def enter(self) -> list[str]:
        """Words before a command that runs there."""
        return ["ip", "netns", "exec", self.namespace] if self.namespace else []

    def cut(self) -> None:
        """Pull its cable."""
        ip("-n", self.namespace, "link", "set", self.interface, "down")


HERE = Host("lo", "127.0.0.1")


@contextmanager
def two_hosts() -> Iterator[list[Host]]:
    """Two network namespaces, each with a loopback interface, joined by a pair of virtual interfaces."""
    names = [f"sm{os.getpid()}{end}" for end in "ab"]
    hosts = [Host(name, f"10.77.0.{number}", name) for number, name in enumerate(names, 1)]
    with ExitStack() as undo:
        try:
            for name in names:
                ip("netns", "add", name)
                undo.callback(ip, "netns", "delete", name)
            ends = [("name", host.interface, "netns", host.namespace) for host in hosts]
            ip("link", "add", *ends[0], "type", "veth", "peer", *ends[1])
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"makes no network namespaces here: {error}")
        for host in hosts:
            ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", host.interface)
            for interface in ("lo", host.interface):
                ip("-n", host.namespace, "link", "set", interface, "up")
        yield hosts


def ip(*arguments: str) -> None:
    """Run iproute2's command."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def nodes(
    desk: Desk,
    hosts: Sequence[Host],
    ranks: int = 1,
    *,
    options: Sequence[str] = OPTIONS,
    structures: str = "",
    seconds: float = 0.2,
) -> Iterator[list[subprocess.Popen[str]]]:
    """An agent on each host, with that many ranks each, all running the same command; ended if need be."""
    (desk.folder / "profiles.toml").write_text(PROFILE.format(seconds=seconds, structures=structures))
    meeting = [f"--master-addr={hosts[0].address}", f"--master-port={free_port()}"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", *meeting, f"--nnodes={len(hosts)}"]
    agents = [
        subprocess.Popen(
            [
                *(*host.enter, *torchrun, f"--nproc-per-node={ranks}", f"--node-rank={node}"),
                *("-m", "suite.cli", "run", *options),
            ],
            cwd=desk.folder,
            env={**os.environ, INTERFACE_VARIABLE: host.interface, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node, host in enumerate(hosts)
    ]
    try:
        yield agents
    finally:
        left = [pid for agent in agents for pid in processes_below(agent.pid)]
        for agent in agents:
            agent.kill()
            agent.communicate()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def outcomes(desk: Desk) -> dict[str, RunRecord]:
    """Record of each case, by its id."""
    return {record.case.id: record for record in read_run(desk.folder / "here").cases}
