"""`make device-kit`: the project and the wheels it needs, for a machine with a GPU and no network.

    python docs/studies/device/prepare.py [--python 3.12] [--without NAME,NAME]

It writes `dist/stepmark-device-kit.tar.gz`. On the other machine, which has Python and a torch for its GPU:

    tar xzf stepmark-device-kit.tar.gz
    python3 stepmark-device-kit/docs/studies/device/check.py

The archive has the files that git knows, as they are now, and wheels in the versions of `requirements.lock` for Linux
on x86_64. Torch and its own needs are left to the other machine.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
ARCHIVE = PROJECT / "dist" / "stepmark-device-kit.tar.gz"
TOP = "stepmark-device-kit"
WHEELS = ".device-kit"
PYTHON = "3.12"
OWN_BUILD = ("torch", "torchvision")
"""Packages of which a machine has a build for its GPU."""
MORE = ("setuptools", "hypothesis", "pytest-xdist", "scikit-learn")
"""Packages that the check needs in addition to Stepmark's own: to install it, for its tests, for learning cases."""
LOCKS = ("requirements.lock", "docker/pip.lock")
PIP = "pip"
"""It runs from its wheel, so that the other machine need not have it."""
PLATFORMS = [f"manylinux_{glibc}_x86_64" for glibc in ("2_28", "2_27", "2_26", "2_24", "2_17", "2_12", "2_5")]
PLATFORMS += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]


PINNED = re.compile(r"[\w.-]+==")
"""The beginning of a line of a lock that pins a version."""


def plain(name: str) -> str:
    """A distribution's name as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needs_of(requirements: Iterable[str]) -> Iterator[str]:
    """Names of requirements, without those of extras and other systems."""
    from packaging.requirements import Requirement

    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield plain(requirement.name)


def own_needs() -> list[str]:
    """Stepmark's own requirements, as `pyproject.toml` has them."""
    with (PROJECT / "pyproject.toml").open("rb") as file:
        needs: list[str] = tomllib.load(file)["project"]["dependencies"]
    return needs


def wanted(without: Sequence[str] = ()) -> list[str]:
    """Names of all distributions that the check needs, without torch's own needs."""
    left_out = {*map(plain, without), *OWN_BUILD}
    found: dict[str, None] = {}
    due = [*needs_of(own_needs()), *MORE]
    while due:
        name = due.pop()
        if name in found or name in left_out:
            continue
        found[name] = None
        due += needs_of(metadata.requires(name) or ())
    return sorted(found)


def pinned(names: Sequence[str], python: str = PYTHON) -> list[str]:
    """Requirements with the versions that the locks have for a version of Python.

    Raises:
        SystemExit: no lock has a version of a name.
    """
    from packaging.requirements import Requirement

    lock = "\n".join((PROJECT / name).read_text(encoding="utf-8") for name in LOCKS)
    there = {"python_version": python, "python_full_version": f"{python}.0"}
    lines = [Requirement(line.rstrip(" \\")) for line in lock.splitlines() if PINNED.match(line)]
    versions = {
        plain(one.name): str(one.specifier) for one in lines if one.marker is None or one.marker.evaluate(there)
    }
    if missing := [name for name in names if name not in versions]:
        sys.exit(f"requirements.lock has no {', '.join(missing)}; make lock writes it anew")
    return [f"{name}{versions[name]}" for name in names]


def download(requirements: Sequence[str], python: str, folder: Path) -> None:
    """Fetch wheels into a folder.

    Raises:
        SystemExit: one is not to be had.
    """
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    how = ["--only-binary=:all:", "--python-version", python, "--implementation", "cp", *platforms]
    done = subprocess.run([*pip, *how, "-d", str(folder), *requirements], check=False)
    if done.returncode:
        sys.exit(f"pip ended with {done.returncode}: the wheels are not complete")


def git(*words: str) -> str:
    """The output of git in the project."""
    return subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True).stdout


def project_files() -> list[Path]:
    """Files that git knows or would add, relative to the project."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [Path(name) for name in sorted(set(listed)) if name and (PROJECT / name).is_file()]


def revision() -> str:
    """The revision, and the number of files that differ from it."""
    changed = len(git("status", "--porcelain").splitlines())
    return f"{git('rev-parse', 'HEAD').strip()}, {changed} files changed\n"


def pack(wheels: Path, archive: Path, files: Sequence[Path]) -> None:
    """Write the archive.

    Args:
        wheels: a folder with wheels.
        archive: the file to write.
        files: of the project, relative to it.
    """
    archive.parent.mkdir(exist_ok=True)
    text = revision().encode()
    with tarfile.open(archive, "w:gz") as packed:
        for file in files:
            packed.add(PROJECT / file, Path(TOP) / file)
        for wheel in sorted(wheels.glob("*.whl")):
            packed.add(wheel, Path(TOP) / WHEELS / wheel.name)
        about = tarfile.TarInfo(f"{TOP}/{WHEELS}/REVISION")
        about.size = len(text)
        packed.addfile(about, io.BytesIO(text))


def main(arguments: Sequence[str] | None = None) -> None:
    """Fetch, pack, and print what to do next."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=PYTHON, help=f"version of the other machine's Python (default: {PYTHON})")
    parser.add_argument("--without", default="", metavar="NAMES", help="packages that the other machine has")
    options = parser.parse_args(arguments)
    requirements = pinned([*wanted([name for name in options.without.split(",") if name]), PIP], options.python)
    with tempfile.TemporaryDirectory() as folder:
        download(requirements, options.python, Path(folder))
        pack(Path(folder), ARCHIVE, project_files())
    print(
        f"{ARCHIVE}: {ARCHIVE.stat().st_size / 2**20:.0f} MiB, {len(requirements)} wheels for Python {options.python}"
    )
    print(f"then, on the machine with the GPU: tar xzf {ARCHIVE.name} && python3 {TOP}/docs/studies/device/check.py")


if __name__ == "__main__":
    main()
