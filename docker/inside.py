"""Commands inside an image: no network, a root that cannot be written, no rights, and the limits that the user sets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engines import Engine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from suite.machine.containers import NO_NETWORK, SELINUX, USER, confined, user


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a container; an empty text is no limit.

    Attributes:
        cores: which ones, such as `0,1` or `2-5`.
        cpus: how many cores' time, such as `1.5`.
        memory: with its unit, such as `4g`; swap is none on top.
        gpus: `all` for NVIDIA devices.
    """

    cores: str = ""
    cpus: str = ""
    memory: str = ""
    gpus: str = ""

    def words(self, engine: str) -> list[str]:
        """The engine's options for them."""
        devices = ["--gpus", self.gpus] if engine == "docker" else ["--device", f"nvidia.com/gpu={self.gpus}"]
        return [
            *(["--cpuset-cpus", self.cores] if self.cores else []),
            *(["--cpus", self.cpus] if self.cpus else []),
            *(["--memory", self.memory, "--memory-swap", self.memory] if self.memory else []),
            *(devices if self.gpus else []),
        ]


def command(
    engine: Engine,
    image: str,
    digest: str,
    reports: Path,
    limits: Limits,
    inner: Sequence[str],
    whom: tuple[int, int],
    network: Sequence[str] = NO_NETWORK,
) -> list[str]:
    """The command that starts another one inside.

    Args:
        engine: podman or docker.
        image: its name.
        digest: of its configuration; the record gets it.
        reports: folder of this machine that the command may write.
        limits: of the container.
        inner: the command.
        whom: user and group inside.
        network: the engine's options for it.
    """
    label = ":z" if SELINUX.exists() else ""
    return [
        *(engine.program, "run", *network, *confined(engine.name, whom)),
        *limits.words(engine.name),
        *("--volume", f"{reports}:/stepmark/reports{label}"),
        *("--env", f"STEPMARK_IMAGE={image}", "--env", f"STEPMARK_IMAGE_DIGEST={digest}"),
        *(image, *inner),
    ]


def run(
    engine: Engine,
    image: str,
    digest: str,
    reports: Path,
    limits: Limits,
    inner: Sequence[str],
    network: Sequence[str] = NO_NETWORK,
) -> int:
    """Run a command inside; files that it writes below `reports` belong to the caller.

    Returns:
        The command's exit code.
    """
    reports.mkdir(exist_ok=True)
    if os.getuid() != 0:
        line = command(engine, image, digest, reports, limits, inner, user(), network)
        return called(line)
    with tempfile.TemporaryDirectory(dir=reports, prefix=".image-") as name:
        folder = Path(name)
        os.chown(folder, USER, USER)
        line = command(engine, image, digest, folder, limits, inner, (USER, USER), network)
        try:
            return called(line)
        finally:  # after an interruption, too: the record can be resumed or read
            hand_over(folder, reports)


def called(line: Sequence[str]) -> int:
    """The exit code of an engine's command.

    It runs in an empty folder: podman's monitor writes a file `oom` where it is, once memory runs out.
    """
    with tempfile.TemporaryDirectory() as empty:
        return subprocess.run(line, cwd=empty, check=False).returncode


def hand_over(folder: Path, reports: Path) -> None:
    """Move everything that was written into the caller's folder, as the caller's."""
    for above, _, names in os.walk(folder):
        into = reports / Path(above).relative_to(folder)
        into.mkdir(exist_ok=True)
        for name in names:
            os.chown(Path(above) / name, os.getuid(), os.getgid(), follow_symlinks=False)
            shutil.move(Path(above) / name, into / name)
