"""A base of Debian 12 with Python, made by mmdebstrap of the packages in `packages.lock`.

`make.py tar FILE` writes it as an archive, `make.py twice` makes it twice and compares the hashes, `make.py lock`
writes the list of packages anew. apt has to be set up for Debian 12; the list names no server.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from engines import ImageError  # noqa: E402 - the folder above has to be on the path first

LOCK = HERE / "packages.lock"
DEBS = HERE.parent.parent / "build" / "image" / "debs"
WANTED = ("python3", "libstdc++6", "usr-is-merged")
"""Packages besides the essential ones; libstdc++ is for wheels."""
SUITE = "bookworm"
EPOCH = re.compile(r"^# time (\d+)$", re.MULTILINE)
LINE = re.compile(r"^(\S+) (\S+) (\S+) ([0-9a-f]{64})$", re.MULTILINE)
PRINTED = re.compile(r"^'[^']+' (\S+)_(\S+)_(\w+)\.deb \d+ SHA256:([0-9a-f]{64})$", re.MULTILINE)
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*")
KEPT = ("/usr/share/doc/*/copyright",)
PARTICULAR = ("etc/hostname", "etc/resolv.conf", "etc/apt/sources.list", "etc/machine-id")
"""Files that mmdebstrap copies from this machine, or that name a folder of it."""
MERGED = "/usr/share/mmdebstrap/hooks/merged-usr"
"""Hooks of mmdebstrap that make `/bin`, `/lib` and `/sbin` links into `/usr` before anything is installed."""
TO_GET_IT = "mmdebstrap is not installed; on Debian, `apt-get install mmdebstrap` brings it."


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the lock, with the hash of its file."""

    name: str
    version: str
    architecture: str
    digest: str


def locked(lock: Path) -> tuple[list[Package], int]:
    """The packages of a lock, and the time of all files, in seconds since 1970.

    Raises:
        ImageError: the file is no lock.
    """
    text = lock.read_text(encoding="utf-8")
    found, epoch = [Package(*fields) for fields in LINE.findall(text)], EPOCH.search(text)
    if not found or epoch is None:
        raise ImageError(f"{lock} is no list of packages; `make.py lock` writes one.")
    return found, int(epoch[1])


def hash_of(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_lock(lock: Path) -> None:
    """Write the list of today's packages: what apt would install on an empty system.

    Raises:
        ImageError: apt cannot say.
    """
    with tempfile.TemporaryDirectory() as name:  # apt does not print what it has in its cache, so it gets an empty one
        settings = ["Dir::State::status=/dev/null", f"Dir::Cache::archives={name}", "Debug::NoLocking=1"]
        settings += ["Acquire::ForceHash=SHA256"]
        command = ["apt-get", *(word for one in settings for word in ("-o", one)), "--print-uris", "--yes"]
        command += ["--no-install-recommends", "--quiet=2", "install", "?essential", *WANTED]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(PRINTED.findall(done.stdout))
    if done.returncode or not found:
        raise ImageError(f"apt cannot say what Debian 12 consists of: {done.stderr.strip()}; try `apt-get update`.")
    lines = [f"{name} {version.replace('%3a', ':')} {kind} {digest}" for name, version, kind, digest in found]
    midnight = int(time.time()) // 86400 * 86400
    head = ["# Debian 12 with Python: package, version, architecture, SHA-256 of its file. `make.py lock` writes it."]
    lock.write_text("\n".join([*head, f"# time {midnight}", *lines, ""]), encoding="utf-8")


def fetch(packages: Iterable[Package], folder: Path) -> list[Path]:
    """The files of packages, downloaded by apt where they are missing, and checked.

    Raises:
        ImageError: apt has no such version, or another file of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {package.digest: package for package in packages}
    here = {hash_of(file): file for file in folder.glob("*.deb")}
    missing = [package for digest, package in wanted.items() if digest not in here]
    if missing:
        names = [f"{one.name}={one.version}" for one in missing]
        done = subprocess.run(
            ["apt-get", "--quiet=2", "download", *names], cwd=folder, capture_output=True, text=True, check=False
        )
        here = {hash_of(file): file for file in folder.glob("*.deb")}
        absent = [f"{one.name} {one.version}" for one in missing if one.digest not in here]
        if absent:
            said = done.stderr.strip().splitlines()
            raise ImageError(
                f"apt does not have {len(absent)} of {len(wanted)} locked packages, such as {absent[0]} "
                f"({said[-1] if said else 'their hashes differ'}); set apt to a snapshot of Debian from the lock's "
                "time, or run `make.py lock`."
            )
    return [here[digest] for digest in wanted]


def index(files: Iterable[Path], folder: Path, epoch: int) -> None:
    """Make a folder an archive of packages that apt reads: links, and the files `Packages` and `Release`."""
    entries = []
    for file in files:
        (folder / file.name).symlink_to(file)
        fields = subprocess.run(["dpkg-deb", "--field", str(file)], capture_output=True, text=True, check=True).stdout
        own = f"Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {hash_of(file)}\n"
        entries.append(fields.rstrip("\n") + "\n" + own)
    packages = folder / "Packages"
    packages.write_text("\n".join(entries), encoding="utf-8")
    date = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime(epoch))
    lines = [f"Suite: {SUITE}", f"Codename: {SUITE}", f"Date: {date}"]  # mmdebstrap asks apt for the suite's packages
    lines += ["SHA256:", f" {hash_of(packages)} {packages.stat().st_size} {packages.name}", ""]
    (folder / "Release").write_text("\n".join(lines), encoding="utf-8")


def make(target: Path, lock: Path = LOCK, debs: Path = DEBS) -> str:
    """Write the base as an archive.

    Returns:
        The archive's SHA-256.

    Raises:
        ImageError: there is no mmdebstrap, it failed, or packages cannot be had.
    """
    if shutil.which("mmdebstrap") is None:
        raise ImageError(TO_GET_IT)
    packages, epoch = locked(lock)
    files = fetch(packages, debs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        index(files, folder, epoch)
        command = ["mmdebstrap", "--variant=essential", "--format=tar", f"--hook-directory={MERGED}"]
        command += [f"--include={','.join(package.name for package in packages)}"]
        command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
        command += [f"--dpkgopt=path-include={pattern}" for pattern in KEPT]
        command += [f"--customize-hook={hook}" for hook in hooks()]
        command += [SUITE, str(target), f"deb [trusted=yes] copy://{folder} ./"]
        done = subprocess.run(
            command, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise ImageError(f"mmdebstrap failed: {' '.join(done.stderr.strip().splitlines()[-3:])}")
    return hash_of(target)


def hooks() -> list[str]:
    """Commands on the finished system: nothing of this machine stays, and no byte code, which would differ."""
    return [
        "".join(["rm -f", *(f' "$1/{name}"' for name in PARTICULAR)]),
        'rm -f "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"',
        'find "$1/usr" -name __pycache__ -prune -exec rm -r {} +',
        'rm -rf "$1"/var/log/* "$1"/var/cache/* "$1"/var/lib/apt/lists "$1"/usr/share/locale',
    ]


def twice() -> int:
    """Make the base twice and compare; 0 if the hashes are equal."""
    with tempfile.TemporaryDirectory() as name:
        first, second = Path(name) / "first.tar", Path(name) / "second.tar"
        digests = [make(target) for target in (first, second)]
    print(*digests, "equal" if digests[0] == digests[1] else "different", sep="\n")
    return 0 if digests[0] == digests[1] else 1


def main() -> int:
    """Run the command; an error is one sentence and exit code 2."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("tar", "twice", "lock"))
    parser.add_argument("file", nargs="?", type=Path, help="the archive, or another lock to write")
    options = parser.parse_args()
    os.umask(0o022)
    try:
        if options.command == "twice":
            return twice()
        if options.command == "lock":
            write_lock(options.file or LOCK)
        elif options.file is None:
            parser.error("tar needs the name of a file")
        else:
            print(make(options.file))
    except ImageError as error:
        print(f"base: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
