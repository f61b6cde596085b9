"""A folder of wheels for an image: those of `requirements.lock` that a variant needs, each with an allowed hash.

The lock is the only source of versions and hashes. Wheels of the caller's own, such as a CPU build of torch, replace
those of the same name, with what only the replaced ones need.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Sequence
from email.parser import HeaderParser
from pathlib import Path

from engines import ImageError
from lockfile import ExtraWheel, Locked, holds, name_in, needed, normalised, parse, roots

PROJECT = Path(__file__).resolve().parent.parent
LOCK = PROJECT / "requirements.lock"
PIP_LOCK = PROJECT / "docker" / "pip.lock"
BILL_LOCK = PROJECT / "docker" / "bill.lock"
"""Packages that write the bill of materials, and stay out of the image."""
BUILD_TOOLS = ("setuptools",)
"""Packages of the lock that install the project and stay out of the image."""
WHEEL = re.compile(r"^(?P<name>[^-]+)-(?P<version>[^-]+)(?:-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl$")
OLDEST_GLIBC, NEWEST_GLIBC = 5, 36
"""Minor versions of glibc 2 whose wheels run on Debian 12."""


def extra_wheels(folder: Path | None) -> list[ExtraWheel]:
    """The wheels in a folder of the caller's own.

    Raises:
        ImageError: there is no such folder, it has no wheel, or a file is not one.
    """
    if folder is None:
        return []
    files = sorted(folder.glob("*.whl")) if folder.is_dir() else []
    if not files:
        raise ImageError(f"there is no wheel in {folder}; give a folder with at least one file *.whl.")
    return [extra_wheel(file) for file in files]


def extra_wheel(file: Path) -> ExtraWheel:
    """A wheel's name, version and needs, from its metadata."""
    matched = WHEEL.match(file.name)
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
            metadata = HeaderParser().parsestr(archive.read(names[0]).decode())
    except (OSError, IndexError, zipfile.BadZipFile) as error:
        raise ImageError(f"{file} is no wheel: {error}.") from error
    if matched is None:
        raise ImageError(f"{file.name} is not named as wheels are; allowed: NAME-VERSION-PYTHON-ABI-PLATFORM.whl.")
    required = frozenset(name_in(one) for one in metadata.get_all("Requires-Dist", []) if "extra ==" not in one)
    return ExtraWheel(file.name, normalised(metadata["Name"]), metadata["Version"], hash_of(file), required)


def hash_of(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def packages(variant: str, python: str, machine: str, extra: Sequence[ExtraWheel] = ()) -> list[Locked]:
    """The packages of a variant, in the lock's order.

    Args:
        variant: one of `lockfile.VARIANTS`.
        python: version of the image's Python, such as `3.11`.
        machine: such as `x86_64`.
        extra: wheels that replace those of the lock.
    """
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return needed(locked(LOCK, python, machine), roots(project, variant), extra)


def locked(lock: Path, python: str, machine: str) -> list[Locked]:
    """The packages of a lock that a version of Python and a machine need."""
    return [one for one in parse(lock.read_text(encoding="utf-8")) if holds(one.marker, python, machine)]


def fill(folder: Path, variant: str, python: str, own: Path | None = None) -> str:
    """Fill a folder with the wheels of a variant, and with lists for pip: `requirements.txt` and those of tools.

    Wheels that are there are kept if their hash is allowed. All others are removed.

    Args:
        folder: made where it is missing.
        variant: one of `lockfile.VARIANTS`.
        python: version of the image's Python, such as `3.11`.
        own: a folder of wheels that replace those of the lock.

    Returns:
        SHA-256 of the names and hashes of all wheels.

    Raises:
        ImageError: pip cannot get a wheel, or there is no pip.
    """
    machine, extra = platform.machine(), extra_wheels(own)
    chosen = packages(variant, python, machine, extra)
    known = {one.name: one for one in [*locked(LOCK, python, machine), *chosen]}
    tools = [known[name] for name in BUILD_TOOLS]
    bill = [known.get(one.name, one) for one in locked(BILL_LOCK, python, machine)]  # one version of each package
    folder.mkdir(parents=True, exist_ok=True)
    for name, listed in {"requirements.txt": chosen, "tools.txt": tools, "bill.txt": bill}.items():
        (folder / name).write_text("".join(f"{one.requirement()}\n" for one in listed), encoding="utf-8")
    every = {one.name: one for one in [*parse(PIP_LOCK.read_text(encoding="utf-8")), *bill, *tools, *chosen]}
    for wheel in extra:
        shutil.copyfile(Path(str(own)) / wheel.file, folder / wheel.file)
    kept = keep_allowed(folder, every.values())
    missing = [one for one in every.values() if one.name not in kept]
    if missing:
        download(folder, missing, python, machine)
        kept = keep_allowed(folder, every.values())
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(kept.values()))
    return hashlib.sha256(text.encode()).hexdigest()


def keep_allowed(folder: Path, packages: Iterable[Locked]) -> dict[str, tuple[str, str]]:
    """Remove wheels that no package allows.

    Returns:
        File and hash of each that stays, by package.
    """
    allowed = {digest: one.name for one in packages for digest in one.hashes}
    kept: dict[str, tuple[str, str]] = {}
    for file in sorted(folder.glob("*.whl")):
        digest = hash_of(file)
        if allowed.get(digest) in (None, *kept):
            file.unlink()
        else:
            kept[allowed[digest]] = (file.name, digest)
    return kept


def download(folder: Path, packages: Sequence[Locked], python: str, machine: str) -> None:
    """Have pip get wheels from the index that it is set up for."""
    number = python.replace(".", "")
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC, OLDEST_GLIBC - 1, -1)]
    platforms += [f"{old}_{machine}" for old in ("manylinux2014", "manylinux2010", "manylinux1")]
    wanted = folder / "missing.txt"
    wanted.write_text("".join(f"{one.requirement()}\n" for one in packages), encoding="utf-8")
    command = [*pip_command(), "download", "--quiet", "--disable-pip-version-check", "--dest", str(folder), "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
    command += [word for abi in (f"cp{number}", "abi3", "none") for word in ("--abi", abi)]
    command += [word for one in platforms for word in ("--platform", one)]
    done = subprocess.run([*command, "--requirement", str(wanted)], check=False)
    wanted.unlink()
    if done.returncode:
        raise ImageError(f"pip could not download {len(packages)} wheels to {folder}; its message stands above.")


def pip_command() -> list[str]:
    """The pip of this Python, or of an environment made for it."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return [sys.executable, "-m", "pip"]
    tools = PROJECT / "build" / "image" / "pip"
    made = subprocess.run([sys.executable, "-m", "venv", str(tools)], capture_output=True, text=True, check=False)
    if made.returncode:
        raise ImageError(f"{sys.executable} has no pip; on Debian, `apt-get install python3-venv` brings one.")
    return [str(tools / "bin" / "python"), "-m", "pip"]


def link(folder: Path, into: Path) -> None:
    """Put the files of a folder into a new one, without copies where the file system allows it."""
    into.mkdir(parents=True)
    for file in sorted(folder.iterdir()):
        try:
            (into / file.name).hardlink_to(file)
        except OSError:
            shutil.copyfile(file, into / file.name)
