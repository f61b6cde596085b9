"""Build an image of Stepmark, prove that it repeats, and run commands inside: `make image` and others.

It needs Python's standard library, git, and an engine: buildah, podman or Docker. docs/images.md explains it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import contents
import inside
from context import BUILD, DEBIAN, HERE, RECIPE, Wanted, labels, stage, timestamp
from engines import NAMES, RUNNING, Engine, ImageError, find, show
from lockfile import VARIANTS
from wheelhouse import PROJECT, fill, hash_of

sys.path.insert(0, str(HERE / "base"))
import make as base_of_debian

NAME = "localhost/stepmark"
MOST_LINES = 40
"""Differing files that are printed."""
VIEWER = "diffoscope"
"""Program that shows how two files differ, where it is installed."""
SAME = """\
The same means: equal digests of the configuration and of each layer (diffID). The digest of the manifest may differ,
since compression is not promised to repeat."""
EQUAL = """\
{name} repeats digests only with BuildKit 0.13 or later and containerd's store. So contents are compared: path, kind,
mode, owner, size and hash of each file."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an error is one sentence and exit code 2."""
    options = parser().parse_args(arguments)
    os.umask(0o022)
    try:
        return int(options.call(options))
    except (ImageError, contents.NotAnImage) as error:
        print(f"image: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("image: interrupted.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="docker/image.py", description=__doc__)
    commands = found.add_subparsers(required=True, metavar="command")
    calls = {
        "build": (build, "build an image and print its digest"),
        "verify": (verify, "build it twice, from two folders at two times, and compare"),
        "wheels": (wheels, "download what a build needs, and nothing more"),
        "run": (run, "run a command inside: no network, a read-only root, no rights"),
    }
    for name, (call, text) in calls.items():
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(call=call)
        command.add_argument(
            "--engine", default="", help=f"{', '.join(NAMES)} or a path; default: the first that works"
        )
        command.add_argument("--variant", choices=VARIANTS, default="full", help="what is installed")
        command.add_argument("--base", default="", help=f"an image with Python, or {DEBIAN}; default: the recipe's")
        command.add_argument("--python", default="", help="version of Python of a base whose name does not have it")
        command.add_argument("--wheels", type=Path, help="folder of wheels that replace those of requirements.lock")
        command.add_argument("--recipe", type=Path, default=RECIPE, help="another Dockerfile")
        if name == "run":
            for limit in ("cores", "cpus", "memory", "gpus"):
                command.add_argument(f"--{limit}", default="", help=f"limit of the container: {limit}")
            command.add_argument("inner", nargs="+", metavar="word", help="the command, behind --")
    return found


def wanted_by(options: argparse.Namespace) -> Wanted:
    """The image that the options describe."""
    return Wanted(options.variant, options.base, options.python, options.wheels, options.recipe.resolve())


def tag_of(wanted: Wanted) -> str:
    """The name of an image."""
    return f"{NAME}:{wanted.variant}"


def wheels(options: argparse.Namespace) -> int:
    """Fill the folder of wheels."""
    folder, digest = wheels_for(wanted_by(options))
    print(f"wheels    {folder}\nhash      {digest}")
    return 0


def wheels_for(wanted: Wanted) -> tuple[Path, str]:
    """The folder of a variant's wheels, filled, and the hash of all."""
    python = wanted.python_version()
    folder = BUILD / f"wheels-{wanted.variant}-{python}{'-own' if wanted.wheels else ''}"
    return folder, fill(folder, wanted.variant, python, wanted.wheels)


def build(options: argparse.Namespace) -> int:
    """Build an image once."""
    wanted, engine = wanted_by(options), find(options.engine)
    show(engine)
    with tempfile.TemporaryDirectory(dir=made(BUILD)) as name:
        build_in(Path(name) / "context", engine, wanted, tag_of(wanted))
    print(f"image     {tag_of(wanted)}\nconfig    {engine.config_digest(tag_of(wanted))}")
    return 0


def made(folder: Path) -> Path:
    """A folder, made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build_in(context: Path, engine: Engine, wanted: Wanted, tag: str) -> None:
    """Build an image from a new folder, which is removed afterwards."""
    base = base_for(engine, wanted)
    folder, digest = wheels_for(wanted)
    stage(context, wanted, folder, digest)
    engine.build(context, wanted.recipe, tag, {"BASE": base, **labels(wanted)}, timestamp())
    shutil.rmtree(context)


def base_for(engine: Engine, wanted: Wanted) -> str:
    """The base's name; that of Debian is made where the engine lacks it."""
    if wanted.base != DEBIAN:
        return wanted.base_name()
    key = hash_of(base_of_debian.LOCK)[:12]
    tag = f"{NAME}-base:{key}"
    if not engine.has(tag):
        with tempfile.TemporaryDirectory(dir=made(BUILD)) as name:
            base_of_debian.make(Path(name) / "base.tar")
            _, epoch = base_of_debian.locked(base_of_debian.LOCK)
            engine.build(Path(name), HERE / "base" / "Dockerfile", tag, {}, epoch)
    return tag


def verify(options: argparse.Namespace) -> int:
    """Build an image twice and compare; 0 if both are the same."""
    wanted, engine = wanted_by(options), find(options.engine)
    show(engine)
    tags = [f"{NAME}:verify-{os.getpid()}-{number}" for number in (1, 2)]
    viewer = shutil.which(VIEWER)
    images, manifests = [], []
    with ExitStack() as stack:
        for number, (tag, place) in enumerate(zip(tags, ("first", "another/place"), strict=True), 1):
            with tempfile.TemporaryDirectory(dir=made(BUILD)) as name, ExitStack() as early:
                (stack if viewer else early).callback(engine.remove, tag)  # a viewer reads the images again
                context = Path(name) / place / "context"
                context.parent.mkdir(parents=True)
                print(f"build {number}   {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} in {context}", flush=True)
                build_in(context, engine, wanted, tag)
                with engine.archive(tag) as stream:
                    images.append(contents.read(stream))
                manifests.append(engine.manifest_digest(tag))
            time.sleep(1.1)  # so that the second build writes other times, to the second
        code = judged(engine, images[0], images[1], manifests)
        path = next(in_both(images[0], images[1]), None)
        if viewer and path and code:
            view(viewer, engine, tags, path)
    return code


def in_both(first: contents.Image, second: contents.Image) -> Iterator[str]:
    """Paths of files that both images have, with different content."""
    for path, entry in sorted(first.files.items()):
        other = second.files.get(path)
        if other and entry.kind == other.kind == "file" and entry.content != other.content:
            yield path


def view(viewer: str, engine: Engine, tags: Sequence[str], path: str) -> None:
    """Print what diffoscope says of a file that differs."""
    with tempfile.TemporaryDirectory() as name:
        names = ["first", "second"]
        for place, tag in zip(names, tags, strict=True):
            with engine.archive(tag) as stream:
                (Path(name) / place).write_bytes(contents.file_in(stream, path) or b"")
        done = subprocess.run([viewer, *names], cwd=name, capture_output=True, text=True, errors="replace", check=False)
    lines = (done.stdout or done.stderr).splitlines()
    print(f"{VIEWER} of {path}:", *lines[:MOST_LINES], sep="\n")


def judged(engine: Engine, first: contents.Image, second: contents.Image, manifests: Sequence[str]) -> int:
    """Print how two images compare; 0 if they are the same, as far as the engine can repeat it."""
    rows = [("config", first.config, second.config)]
    layers = enumerate(zip(first.layers, second.layers, strict=False), 1)
    rows += [(f"layer {number}", one, other) for number, (one, other) in layers]
    rows += [("manifest", manifests[0], manifests[1])] if all(manifests) else []
    for name, one, other in rows:
        print(f"{name:9} {one}" + ("  twice" if one == other else f"\n{'':9} {other}"))
    print(SAME if engine.repeats else EQUAL.format(name=engine.name))
    if first.config == second.config and first.layers == second.layers:
        print(f"same: config and {len(first.layers)} layers are equal")
        return 0
    found = list(contents.differences(first.files, second.files))
    if not found and not engine.repeats:
        print(f"equal: the contents of {len(first.files)} paths")
        return 0
    lines = [*contents.differing(first.settings, second.settings), *found]
    print(*lines[:MOST_LINES], sep="\n")
    print(f"different: {len(found)} of {len(first.files)} paths")
    return 1


def run(options: argparse.Namespace) -> int:
    """Run a command inside an image; its exit code."""
    wanted, engine = wanted_by(options), find(options.engine, RUNNING)
    show(engine)
    tag = tag_of(wanted)
    if not engine.has(tag):
        raise ImageError(f"{engine.name} has no image {tag}; build it with `{wanted.command()} ENGINE={engine.name}`.")
    digest = engine.config_digest(tag)
    print(f"image     {tag} {digest}", file=sys.stderr, flush=True)
    limits = inside.Limits(options.cores, options.cpus, options.memory, options.gpus)
    return inside.run(engine, tag, digest, PROJECT / "reports", limits, options.inner)


if __name__ == "__main__":
    sys.exit(main())
