"""Container engines: which one is here, and how it builds, writes and runs an image."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import contents

NAMES = ("buildah", "podman", "docker")
"""Engines in the order of preference: the first builds images whose digests repeat."""
RUNNING = ("podman", "docker")
"""Engines that run an image with limits."""
TO_GET_ONE = "on Debian, `apt-get install buildah podman` brings two"
ISOLATION = "BUILDAH_ISOLATION"
"""Variable of buildah and podman: `oci` starts containers, `chroot` does not."""
BUILDKIT = re.compile(r"^\s*BuildKit(?: version)?:\s*v?(\d+)\.(\d+)", re.IGNORECASE | re.MULTILINE)
"""The version of Docker's builder, as `docker buildx inspect` writes it."""
REWRITING = (0, 13)
"""The first BuildKit that sets the times of files."""
CONTAINERD = "io.containerd.snapshotter"
"""Docker's storage where containerd keeps its images. No other one takes an archive of OCI from the builder."""


class ImageError(Exception):
    """A fault that the user can mend. The text is one sentence: what was found, and what mends it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that builds and runs images.

    Attributes:
        name: one of `NAMES`.
        program: its path.
        version: as it says.
        rewrites: whether it is a Docker whose builder sets the times of files: `rewrites_times`.
    """

    name: str
    program: str
    version: str
    rewrites: bool = False

    @property
    def repeats(self) -> bool:
        """Whether its builds repeat digests. An older Docker repeats contents alone."""
        return self.name != "docker" or self.rewrites

    def build(self, context: Path, recipe: Path, tag: str, arguments: dict[str, str], timestamp: int) -> None:
        """Build an image from scratch, without a network, and tag it.

        Args:
            context: folder with what the recipe reads.
            recipe: a Dockerfile.
            tag: name of the image, such as `localhost/stepmark:full`.
            arguments: the recipe's build arguments.
            timestamp: seconds since 1970: the time of the image and of its files.

        Raises:
            ImageError: the engine failed; its messages are on standard error.
        """
        kept_off = isolated(has_choice=self.name != "docker")
        words = ["--no-cache", *kept_off.words, "--tag", tag, "--file", str(recipe)]
        words += [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        before = [*kept_off.before, self.program]
        if self.name != "docker":
            words += ["--format", "oci", "--timestamp", str(timestamp), "--identity-label=false", "--layers=false"]
            words += ["--pull-never" if self.name == "buildah" else "--pull=never"]
            self.pull(arguments.get("BASE", ""))
            self.built(tag, *before, "build", *words, str(context))
        elif self.rewrites:
            with tempfile.TemporaryDirectory(dir=context.parent) as name:
                archive = f"{name}/image.tar"
                words += ["--build-arg", f"SOURCE_DATE_EPOCH={timestamp}", "--provenance=false", "--sbom=false"]
                words += ["--output", f"type=oci,dest={archive},rewrite-timestamp=true"]
                self.built(tag, *before, "buildx", "build", *words, str(context))
                self.said("load", "--input", archive)
        else:
            self.built(tag, *before, "build", *words, str(context))

    def built(self, tag: str, *command: str) -> None:
        """Run the command that builds an image.

        Raises:
            ImageError: it failed.
        """
        variables = {**os.environ, "DOCKER_BUILDKIT": "1"}
        if subprocess.run(command, stdout=sys.stderr, env=variables, check=False).returncode:
            raise ImageError(f"{self.name} could not build {tag}; its message stands above.")

    def pull(self, base: str) -> None:
        """Get a base that is not here, before a build that has no network.

        Raises:
            ImageError: the engine cannot get it.
        """
        if base and not self.has(base):
            if is_local(base):
                raise ImageError(f"{self.name} has no image {base}; build it, or name another base.")
            self.said("pull", base)

    def succeeds(self, *words: str) -> bool:
        """Whether a call of the engine succeeds."""
        return subprocess.run([self.program, *words], capture_output=True, check=False).returncode == 0

    def said(self, *words: str) -> str:
        """The standard output of a call of the engine.

        Raises:
            ImageError: it failed.
        """
        done = subprocess.run([self.program, *words], capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise ImageError(f"{self.name} {words[0]} failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def has(self, tag: str) -> bool:
        """Whether the engine has an image of that name."""
        kind = ["--type", "image"]
        words = ["inspect", *kind, tag] if self.name == "buildah" else ["image", "inspect", tag]
        return self.succeeds(*words)

    def config_digest(self, tag: str) -> str:
        """The digest of an image's configuration: the id that engines give an image, except a Docker with containerd.

        That one gives it the digest of its manifest.
        """
        if self.rewrites:
            with self.archive(tag) as stream:
                return contents.config_digest(stream)
        if self.name == "buildah":
            found = self.said("inspect", "--type", "image", "--format", "{{.FromImageID}}", tag)
        else:
            found = self.said("image", "inspect", "--format", "{{.Id}}", tag)
        return f"sha256:{found.removeprefix('sha256:')}"

    def manifest_digest(self, tag: str) -> str:
        """The digest of an image's manifest as the engine keeps it; empty where it says none."""
        if self.name == "buildah":
            return self.said("inspect", "--type", "image", "--format", "{{.FromImageDigest}}", tag)
        said = {"podman": "{{.Digest}}", "docker": "{{.Id}}" if self.rewrites else ""}[self.name]
        return self.said("image", "inspect", "--format", said, tag) if said else ""

    @contextmanager
    def archive(self, tag: str) -> Iterator[BinaryIO]:
        """An image as the stream that `docker save` writes.

        Raises:
            ImageError: the engine failed.
        """
        words = {
            "buildah": ["push", "--quiet", tag, f"docker-archive:/dev/stdout:{tag}"],
            "podman": ["save", "--quiet", "--format", "docker-archive", tag],
            "docker": ["save", tag],
        }
        process = subprocess.Popen([self.program, *words[self.name]], stdout=subprocess.PIPE)
        stream = cast("BinaryIO", process.stdout)
        try:
            yield stream
            stream.read()  # what a reader left
        finally:
            stream.close()
            code = process.wait()
        if code:
            raise ImageError(f"{self.name} could not write {tag}; its message stands above.")

    def remove(self, tag: str) -> None:
        """Remove an image's name, and the image if it has no other."""
        self.succeeds(*(["rmi", tag] if self.name == "buildah" else ["image", "rm", tag]))


@dataclass(frozen=True, slots=True)
class Isolation:
    """How a build is kept off the network: options of the engine, and words before its program."""

    words: Sequence[str]
    before: Sequence[str] = ()


def isolated(has_choice: bool) -> Isolation:
    """How steps of a build are kept apart from the machine and its network.

    `chroot` works where containers do not start, and knows no network but the machine's. So root starts the whole build
    in a network namespace that has none.

    Args:
        has_choice: whether the engine knows several ways.
    """
    way = os.environ.get(ISOLATION, "chroot" if os.getuid() == 0 else "")
    if not has_choice or way != "chroot":
        return Isolation([*(["--isolation", way] if has_choice and way else []), "--network", "none"])
    return Isolation(["--isolation", way], ["unshare", "--net"] if os.getuid() == 0 else [])


def is_local(name: str) -> bool:
    """Whether an image can be on this machine only."""
    return name.startswith("localhost/")


def find(wanted: str = "", names: Sequence[str] = NAMES) -> Engine:
    """The engine that the user wants, or the first that is here and answers.

    Args:
        wanted: a name or a path of a program; empty for the first that works.
        names: engines that can do what is asked.

    Raises:
        ImageError: there is none.
    """
    if wanted and Path(wanted).name not in names:
        raise ImageError(f"the engine {wanted!r} cannot do this; allowed: {', '.join(names)}.")
    reasons = []
    for program in [wanted] if wanted else names:
        found = shutil.which(program)
        version = version_of(found) if found else None
        if found and version:
            name = Path(program).name
            return Engine(name, found, version, rewrites=name == "docker" and rewrites_times(found))
        reasons.append(f"{program} {'does not answer' if found else 'is not installed'}")
    raise ImageError(f"there is no container engine here: {', '.join(reasons)}; {TO_GET_ONE}.")


def version_of(program: str) -> str | None:
    """The version that an engine answers with; None where it does not, as Docker without its service."""
    server = ["version", "--format", "{{.Server.Version}}"]
    words = server if Path(program).name == "docker" else ["--version"]
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+[.\w+~-]*", done.stdout)
    return found[0] if done.returncode == 0 and found else None


def rewrites_times(program: str) -> bool:
    """Whether a Docker's builder gives all files the time of the image: BuildKit 0.13 or later does.

    Docker loads what it writes, an archive of OCI, where containerd keeps the images.

    Source: BuildKit, docs/build-repro.md; Docker, "containerd image store".
    """
    store = subprocess.run(
        [program, "info", "--format", "{{.DriverStatus}}"], capture_output=True, text=True, check=False
    )
    builder = subprocess.run([program, "buildx", "inspect"], capture_output=True, text=True, check=False)
    found = BUILDKIT.search(builder.stdout)
    is_new = found is not None and (int(found[1]), int(found[2])) >= REWRITING
    return is_new and CONTAINERD in store.stdout


def show(engine: Engine) -> None:
    """Print the engine that is used."""
    print(f"engine    {engine.name} {engine.version}", file=sys.stderr)
