"""A user's own repository in every layout in which a package is measured, with a real environment for each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import suite
from tests.fakes.repositories import repository, write

ROOT = Path(suite.__file__).parent.parent
EXTRA = (0, 6)
"""Linear layers more, in the first commit and in the second: each costs time and allocations in every step."""
SLOWER = (12, 16)
"""The same of a step that takes about 30 % longer in the second commit."""
NETWORK = """
EXTRA = {extra}

def build(num_classes, image_size):
    from torch import nn
    more = [nn.Linear(64, 64) for _ in range(EXTRA)]
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size * image_size, 64), *more, nn.Linear(64, num_classes))
"""
LEVELS = """
import {module} as measured
from suite.registry import STRUCTURES
STRUCTURES.register("mine", depth=1)(measured.build)
"""
PROFILE = """
[mine]
plugins = ["my_levels"]
structures = ["mine"]
optimizers = ["sgd"]
executions = ["cpu"]
image_sizes = [8]
batch_sizes = [4]
"""
NOTHING = '[project]\nname = "{name}"\nversion = "1.0"\n'
SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n' + NOTHING
HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n' + NOTHING
UV = '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n' + NOTHING
FLIT = '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n' + NOTHING


@dataclass(frozen=True)
class Layout:
    """The place of a package, and how an interpreter finds it.

    Attributes:
        package: path of the module that makes the network.
        module: its name.
        project: folder of `pyproject.toml`.
        toml: its text; empty where nothing is installed.
        options: of `pip install`, before the project's folder; `-e` where left out.
        search: `PYTHONPATH`, from the repository's top.
    """

    package: str = "src/mynet/__init__.py"
    module: str = "mynet"
    project: str = "."
    toml: str = ""
    options: tuple[str, ...] = ("-e",)
    search: str = ""
    more: dict[str, str] = field(default_factory=dict)

    def state(self, extra: int) -> dict[str, str]:
        """Files of one commit."""
        bench = {"bench/my_levels.py": LEVELS.format(module=self.module), "bench/profiles.toml": PROFILE}
        toml = {f"{self.project}/pyproject.toml": self.toml.format(name="mynet")} if self.toml else {}
        return {
            self.package: NETWORK.format(extra=extra),
            ".gitignore": "build/\n__pycache__/\n",
            "notes.txt": str(extra),
            **bench,
            **toml,
            **self.more,
        }


STRICT = ("--config-settings", "editable_mode=strict", "-e")
COMPATIBLE = ("--config-settings", "editable_mode=compat", "-e")
FOUND = '[tool.setuptools.packages.find]\nwhere = ["src"]\nnamespaces = true\n'
RENAMED = '[tool.setuptools]\npackages = ["mynet"]\n[tool.setuptools.package-dir]\nmynet = "library/code"\n'
SEPARABLE = {
    "flat": Layout("mynet/__init__.py"),
    "flat-setuptools-finder": Layout(
        "mynet/__init__.py", toml=SETUPTOOLS + '[tool.setuptools]\npackages = ["mynet"]\n'
    ),
    "src-path": Layout(search="src"),
    "src-setuptools-pth": Layout(toml=SETUPTOOLS),
    "src-setuptools-compat": Layout(toml=SETUPTOOLS, options=COMPATIBLE),
    "renamed-setuptools-finder": Layout("library/code/__init__.py", toml=SETUPTOOLS + RENAMED),
    "namespace-setuptools": Layout("src/space/mynet/__init__.py", "space.mynet", toml=SETUPTOOLS + FOUND),
    "namespace-flat-finder": Layout(
        "space/mynet/__init__.py",
        "space.mynet",
        toml=SETUPTOOLS + '[tool.setuptools]\npackages = ["space.mynet"]\n',
    ),
    "src-hatchling": Layout(toml=HATCHLING),
    "src-uv": Layout(toml=UV),
    "src-flit": Layout(toml=FLIT + 'description = "d"\n'),
    "monorepo-hatchling": Layout("packages/x/src/mynet/__init__.py", project="packages/x", toml=HATCHLING),
    "monorepo-same-name": Layout("mynet/src/mynet/__init__.py", project="mynet", toml=SETUPTOOLS),
    "monorepo-path": Layout("packages/x/src/mynet/__init__.py", search="packages/x/src"),
}
INSEPARABLE = {
    "ignored-by-git": Layout("build/mynet.py", search="build"),
    "hard-links": Layout(toml=SETUPTOOLS, options=STRICT),
    "copied": Layout(toml=SETUPTOOLS, options=()),
}
"""Layouts in which the baseline has no code of the package: where it is, no commit keeps it apart."""
BACKENDS = {HATCHLING: "hatchling", UV: "uv_build", FLIT: "flit_core"}
"""Project text -> what has to be fetched for it; matched by its beginning."""


@dataclass(frozen=True)
class Laid:
    """A repository with two commits and the interpreter that knows its package."""

    top: Path
    python: Path
    search: str

    def run(self, *arguments: str, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a program of the interpreter in the repository, as a user who is there does."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHON"))}
        search = {"PYTHONPATH": str(self.top / self.search)} if self.search else {}
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.top,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={**own, **search},
        )

    def gate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `stepmark gate` over its profile."""
        return self.run("-m", "suite.cli", "gate", "--profiles", "bench/profiles.toml", "--profile", "mine", *arguments)


def environment(folder: Path, *more: Path) -> Path:
    """The interpreter of a fresh environment that has the packages of this one, and Stepmark, by a `.pth` file."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    shared = [one for one in sys.path if Path(one).name == "site-packages"]
    (packages / "shared.pth").write_text("\n".join(map(str, [*more, *shared, ROOT])) + "\n")
    return folder / "bin" / "python"


def laid(layout: Layout, folder: Path, backend: Callable[[str], Path], extras: tuple[int, int] = EXTRA) -> Laid:
    """A layout in a repository of two commits, installed as it wants to be.

    Args:
        layout: which.
        folder: an empty one.
        backend: (name of a distribution) -> the folder in which it is, to build with.
        extras: layers more in each commit.
    """
    top = repository(folder / "own", *(layout.state(extra) for extra in extras))
    write(top, layout.state(extras[1]))  # what git ignores is there too
    needed = [name for text, name in BACKENDS.items() if layout.toml.startswith(text)]
    python = environment(folder / "environment", *map(backend, needed))
    if layout.toml:
        programs = os.pathsep.join(str(backend(name) / "bin") for name in needed)
        installed(python, *layout.options, str(top / layout.project), programs=programs)
    return Laid(top, python, layout.search)


def installed(python: Path, *arguments: str, programs: str = "") -> None:
    """Install without fetching anything; a backend may need programs in further folders."""
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        *arguments,
    ]
    found = {**os.environ, "PATH": os.pathsep.join([os.environ["PATH"], programs])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=found)
    assert done.returncode == 0, done.stderr
