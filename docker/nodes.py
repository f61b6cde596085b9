"""Run cases of `distributed` over two containers on one private network, for `stepmark run` under torchrun.

    python3 docker/nodes.py [--engine podman] [--image NAME] -- --profile executions

The network has no way out. Rank 0 writes `reports/`, as `make bench-image` does. The exit code is rank 0's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import inside
from engines import RUNNING, Engine, ImageError, find, show
from suite.machine.containers import confined, user
from wheelhouse import PROJECT

SUBNETS = [f"10.89.{number}.0/29" for number in range(200, 216)]
"""Private networks to try: another one may have the first."""
PORT = 29500
VARIABLES = ("GLOO_SOCKET_IFNAME=eth0", "OMP_NUM_THREADS=1")
"""The interface that engines give a container, and what torchrun sets anyway, without its warning."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Start both containers, and wait for the first."""
    parser = argparse.ArgumentParser(prog="docker/nodes.py", description=__doc__)
    parser.add_argument("--engine", default="", help=f"{', '.join(RUNNING)} or a path; default: the first that works")
    parser.add_argument("--image", default="localhost/stepmark:full", help="its name")
    parser.add_argument("--reports", type=Path, default=PROJECT / "reports", help="folder that rank 0 writes")
    parser.add_argument("options", nargs="*", metavar="option", help="options of `stepmark run`, behind --")
    options = parser.parse_args(arguments)
    try:
        return run(find(options.engine, RUNNING), options.image, options.reports.resolve(), options.options)
    except ImageError as error:
        print(f"nodes: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("nodes: interrupted.", file=sys.stderr)
        return 130


def run(engine: Engine, image: str, reports: Path, options: Sequence[str]) -> int:
    """Run the same command on two nodes; rank 0's exit code."""
    show(engine)
    if not engine.has(image):
        raise ImageError(f"{engine.name} has no image {image}; build it with `make image ENGINE={engine.name}`.")
    digest = engine.config_digest(image)
    with private_network(engine) as (network, addresses):
        command = [engine.program, "run", *place(network, addresses[1], 1), *confined(engine.name, user())]
        second = subprocess.Popen([*command, image, *inner(addresses[0], 1, options)], stdout=subprocess.DEVNULL)
        try:
            words = place(network, addresses[0], 0)
            first = inner(addresses[0], 0, options)
            return inside.run(engine, image, digest, reports, inside.Limits(), first, words)
        finally:
            engine.succeeds("kill", f"{network}-1")
            second.wait()


@contextmanager
def private_network(engine: Engine) -> Iterator[tuple[str, tuple[str, str]]]:
    """A network without a way out: its name, and the addresses of two nodes in it.

    Raises:
        ImageError: the engine makes none.
    """
    name = f"stepmark-{os.getpid()}"
    for subnet in SUBNETS:
        if engine.succeeds("network", "create", "--internal", "--subnet", subnet, name):
            break
    else:
        engine.said("network", "create", "--internal", "--subnet", SUBNETS[0], name)  # raises, with the reason
    head = subnet.rpartition(".")[0]
    try:
        yield name, (f"{head}.2", f"{head}.3")
    finally:
        engine.succeeds("network", "rm", name)


def place(network: str, address: str, number: int) -> list[str]:
    """The engine's options of a node."""
    variables = [word for variable in VARIABLES for word in ("--env", variable)]
    return ["--network", network, "--ip", address, "--name", f"{network}-{number}", *variables]


def inner(address: str, number: int, options: Sequence[str]) -> list[str]:
    """The command inside a node.

    Args:
        address: of the first node.
        number: of this one.
        options: of `stepmark run`.
    """
    torchrun = ["python", "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    meeting = ["--node-rank", str(number), "--master-addr", address, "--master-port", str(PORT)]
    return [*torchrun, *meeting, "-m", "suite.cli", "run", "-p", "no:cacheprovider", *options]


if __name__ == "__main__":
    sys.exit(main())
