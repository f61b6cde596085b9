"""Containers without rights: options of podman and Docker, and processes inside.

It needs the standard library alone: the scripts of `docker/` import it, too.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ENGINES = ("podman", "docker")
"""Programs that run images, in the order of preference."""
USER = 10001
"""User of the image, for a caller who is root: nothing inside runs as root."""
NO_NETWORK = ("--network", "none")
SELINUX = Path("/sys/fs/selinux/enforce")

OWN: set[int] = set()
"""Ids, as this process sees them, of processes of this run in containers. Their parents are processes of an engine."""


@dataclass(frozen=True, slots=True)
class Container:
    """An image, and the engine that starts containers of it.

    Attributes:
        engine: one of `ENGINES`.
        program: path of the engine.
        image: digest of the image's configuration, by which the engine finds it though its name moves on.
    """

    engine: str
    program: str
    image: str

    def run(self, *options: str) -> list[str]:
        """The command that starts a container without a network, up to its program.

        Args:
            options: more options of the engine.
        """
        words = [*NO_NETWORK, *confined(self.engine, user()), *options]
        return [self.program, "run", *words, self.image.removeprefix("sha256:")]


def user() -> tuple[int, int]:
    """User and group inside: the caller's own, or `USER` for root."""
    return (os.getuid(), os.getgid()) if os.getuid() != 0 else (USER, USER)


def give(path: Path) -> None:
    """Let the user inside own a file or folder of the caller's."""
    if os.getuid() == 0:
        os.chown(path, USER, USER)


def confined(engine: str, whom: tuple[int, int]) -> list[str]:
    """Options of a container with a read-only root and without rights.

    The engine removes it when it ends.

    Args:
        engine: one of `ENGINES`.
        whom: user and group inside.
    """
    is_mapped = engine == "podman" and os.getuid() != 0
    return [
        *("--rm", "--read-only"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--tmpfs", "/tmp:rw,exec,nosuid,nodev,mode=1777", "--shm-size", "1g"),  # noqa: S108 - the container's folder
        *(["--userns", "keep-id"] if is_mapped else []),
        *("--user", f"{whom[0]}:{whom[1]}"),
        *ulimits(),
    ]


def ulimits() -> Iterator[str]:
    """Options that give a container this process's limit on open files.

    It may have no more processes than files. Engines raise both limits otherwise, which fails without the right to.
    Podman without it lowers its limit on processes to that on files.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(one for one in (hard, resource.getrlimit(resource.RLIMIT_NPROC)[1]) if one > 0)
        yield from ("--ulimit", f"nofile={hard}:{hard}", "--ulimit", f"nproc={most}:{most}")
