"""The build context of an image: wheels, the project's files, and facts about both.

Everything in it is decided by the commit, the lock and the base: file modes are set, and no file of this machine that
git does not know gets in.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines import ImageError
from wheelhouse import LOCK, PROJECT, hash_of, link

HERE = Path(__file__).resolve().parent
BUILD = PROJECT / "build" / "image"
RECIPE = HERE / "Dockerfile"
FILES = ("stepmark_pytest.py", "setup.py", "MANIFEST.in", "pyproject.toml", "requirements.lock", "README.md")
MEASURING = re.compile(rf"^(?:suite/|cases/|(?:{'|'.join(map(re.escape, FILES))})$)")
"""Files of the project in an image that is not for tests."""
DEBIAN = "debian"
"""The base that `docker/base` makes."""
PYTHON_OF_DEBIAN = "3.11"
OF_RECIPE = re.compile(r"^ARG BASE=(\S+)$", re.MULTILINE)
PYTHON_IN_NAME = re.compile(r"python:(\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image to build.

    Attributes:
        variant: one of `lockfile.VARIANTS`.
        base: `debian`, or the name of an image; empty for the recipe's.
        python: version of the base's Python; empty if the base's name has it.
        wheels: a folder of wheels that replace those of the lock; None for no such folder.
        recipe: the Dockerfile.
    """

    variant: str = "full"
    base: str = ""
    python: str = ""
    wheels: Path | None = None
    recipe: Path = RECIPE

    def base_name(self) -> str:
        """The base, from the recipe if it is not given."""
        found = OF_RECIPE.search(RECIPE.read_text(encoding="utf-8"))
        return self.base or (found[1] if found else "")

    def python_version(self) -> str:
        """The version of the base's Python, such as `3.12`.

        Raises:
            ImageError: the base's name does not have it.
        """
        found = PYTHON_IN_NAME.search(self.base_name())
        version = self.python or (PYTHON_OF_DEBIAN if self.base == DEBIAN else found[1] if found else "")
        if not version:
            raise ImageError(
                f"the name of the base {self.base!r} does not have its version of Python; add --python, such as 3.12."
            )
        return version

    def command(self) -> str:
        """The command that builds the same image."""
        words = ["make", "image", f"VARIANT={self.variant}"]
        words += [f"BASE_IMAGE={self.base}"] if self.base else []
        words += ["WHEELS=FOLDER"] if self.wheels else []  # its path is the machine's, and must not get into an image
        return shlex.join(words)


def git(*words: str) -> str:
    """The output of a git command in the project.

    Raises:
        ImageError: it says nothing.
    """
    command = ["git", "-C", str(PROJECT), *words]
    done = subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", check=False)
    if done.returncode:
        raise ImageError(f"an image is built from a checkout, and git says of {PROJECT}: {done.stderr.strip()}")
    return done.stdout


def commit() -> dict[str, Any]:
    """The project's commit, and the hash of the changes to it, in the form of a record's `commit`."""
    changes = git("diff", "HEAD", "--binary", "--no-ext-diff", "--no-color")
    return {
        "revision": git("rev-parse", "HEAD").strip(),
        "branch": None,
        "dirty": bool(changes),
        "diff_sha256": hashlib.sha256(os.fsencode(changes)).hexdigest() if changes else None,
    }


def timestamp() -> int:
    """Seconds since 1970: the time of the image and its files, which is that of the commit.

    Raises:
        ImageError: `SOURCE_DATE_EPOCH` is no number.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct").strip()
    if not text.isdigit():
        raise ImageError(f"SOURCE_DATE_EPOCH is {text!r}; allowed: seconds since 1970.")
    return int(text)


def labels(wanted: Wanted) -> dict[str, str]:
    """Build arguments that become labels of the image."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = commit()
    changes = f"-dirty-{known['diff_sha256'][:12]}" if known["dirty"] else ""
    return {
        "REVISION": f"{known['revision']}{changes}",
        "VERSION": project["version"],
        "LOCK_SHA256": hash_of(LOCK),
        "VARIANT": wanted.variant,
    }


def stage(folder: Path, wanted: Wanted, wheels: Path, wheels_sha256: str) -> None:
    """Fill an empty folder with everything that the recipe reads.

    Args:
        folder: is made.
        wanted: the image.
        wheels: folder of the wheels.
        wheels_sha256: hash of their names and hashes.
    """
    link(wheels, folder / "wheels")
    names = [name for name in git("ls-files", "-z").split("\0") if name]
    for name in sorted(names):
        if wanted.variant == "test" or MEASURING.match(name):
            copy(PROJECT / name, folder / "project" / name)
    for name in ("install.sh", "bytecode.py"):
        copy(HERE / name, folder / name)
    (folder / "project" / "commit.json").write_text(json.dumps(commit()) + "\n", encoding="utf-8")
    facts = {
        "variant": wanted.variant,
        "base": wanted.base_name(),
        "lock_sha256": hash_of(LOCK),
        "wheels_sha256": wheels_sha256,
        "built_by": f"git checkout {commit()['revision']} && {wanted.command()}",
    }
    (folder / "image.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")
    for made in (folder / "image.json", folder / "project" / "commit.json"):
        made.chmod(0o644)
    for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        inner.chmod(0o755)


def copy(source: Path, target: Path) -> None:
    """Copy a file with the mode that git knows; one that was removed is left out."""
    if not source.exists() or source.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
