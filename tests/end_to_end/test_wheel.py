"""A wheel is whole: it has each file of the package and the cases, and every command works without a checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import PROJECT, Done

SOURCES = ("suite", "cases", "setup.py", "MANIFEST.in", "pyproject.toml", "README.md", "stepmark_pytest.py")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
NOT_LINKED = ("stepmark", "suite", "__editable__", "__pycache__", "torchvision", "sklearn", "scikit_learn", "pygal")
"""Beginnings of names in the environment of the tests that the wheel's environment does not have."""
CASE = "seed_cnn-sgd_momentum-cpu-b16"
QUICK = ("--passes", "1", "--case-seconds", "0.2", "--warmup-seconds", "0.2", "--surveys", "none", "--threads", "1")

pytestmark = pytest.mark.slow


def built(kind: str, source: Path, into: Path) -> Path:
    """Build `sdist` or `wheel` by the project's backend."""
    command = [sys.executable, "-c", BUILD.format(kind=kind), str(into)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = into.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that is built from the sdist, as `make dist` builds it."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, source / name)
    sdist = built("sdist", source, made)
    with tarfile.open(sdist) as file:
        file.extractall(made, filter="data")
    return built("wheel", made / sdist.name.removesuffix(".tar.gz"), made)


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, but without checkout, git, torchvision, scikit-learn and pygal."""

    packages: Path
    programs: Path

    def stepmark(self, folder: Path, *arguments: str) -> Done:
        """Run the command in a folder, to its end."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
        done = subprocess.run(
            [str(self.programs / "stepmark"), *arguments],
            cwd=folder,
            env={**own, "PATH": str(self.programs)},
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def files(self) -> set[str]:
        """Names of the installation's files, without bytecode."""
        return {str(path) for path in self.packages.rglob("*") if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in a fresh environment, which has the packages of this one as links."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for one in dict.fromkeys(Path(one) for one in sys.path if Path(one).name == "site-packages"):
        for item in one.iterdir():
            is_there = (packages / item.name).exists()
            if not is_there and item.suffix != ".pth" and not item.name.startswith(NOT_LINKED):
                (packages / item.name).symlink_to(item)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    options = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *options, str(wheel)], check=True)
    return Installed(packages, folder / "bin")


def test_the_wheel_has_each_file_of_the_package_and_of_the_cases(wheel: Path) -> None:
    package = {str(path.relative_to(PROJECT)) for path in (PROJECT / "suite").rglob("*") if path.is_file()}
    cases = {f"suite/{path.relative_to(PROJECT)}" for path in (PROJECT / "cases").rglob("*") if path.is_file()}
    expected = {name for name in {*package, *cases, "stepmark_pytest.py"} if "__pycache__" not in name}
    with zipfile.ZipFile(wheel) as file:
        assert {name for name in file.namelist() if ".dist-info/" not in name} == expected


@pytest.fixture(scope="module")
def dependencies(wheel: Path) -> list[Requirement]:
    """Requirements of the wheel without those of an extra."""
    with zipfile.ZipFile(wheel) as file:
        (metadata,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        texts = Parser().parsestr(file.read(metadata).decode()).get_all("Requires-Dist", [])
    return [one for one in map(Requirement, texts) if one.marker is None]


def test_the_wheel_asks_for_lowest_versions_and_pins_none(dependencies: list[Requirement]) -> None:
    assert {one.operator for requirement in dependencies for one in requirement.specifier} == {">="}
    assert all(len(requirement.specifier) == 1 for requirement in dependencies)


def test_nothing_that_the_wheel_asks_for_needs_a_torch(dependencies: list[Requirement]) -> None:
    """Such a package, as torchvision, fits one release of torch: pip would replace the user's torch."""
    needed = {requirement.name: requires(requirement.name) or [] for requirement in dependencies}
    assert "torch" in needed
    assert {name for name, texts in needed.items() if "torch" in {Requirement(text).name for text in texts}} == set()


def test_every_command_works_from_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    before = installed.files()
    run = installed.stepmark(tmp_path, "run", "--profile", "smoke", "-k", CASE, *QUICK)
    assert run.code == 0, run.out + run.err
    assert (
        f"cases/test_training_step.py::test_training_step[{CASE}]"
        in installed.stepmark(tmp_path, "run", "--profile", "smoke", "--co", "-q").out.splitlines()
    )
    (record,) = (tmp_path / "reports" / "runs").glob("*-smoke/record.jsonl")
    assert record.with_name("report.html").stat().st_size > 10_000
    folder = str(record.parent)
    assert installed.stepmark(tmp_path, "report", folder, "-o", "page.html").code == 0
    assert CASE in installed.stepmark(tmp_path, "export", folder, "--format", "csv").out
    assert CASE in installed.stepmark(tmp_path, "compare", folder, folder).out
    header = json.loads(record.read_text().splitlines()[0])
    assert header["environment"]["commit"]["reason"] == "there is no git on the PATH"
    gate = installed.stepmark(tmp_path, "gate", "--baseline", "rev:HEAD", "--candidate", "dir:.")
    assert (gate.code, gate.err) == (
        2,
        "stepmark: revision 'HEAD' cannot be found: there is no git on the PATH.\n",
    )
    drawn = installed.stepmark(tmp_path, "run", "--benchmark-histogram")
    assert drawn.code == 2
    assert "needs pygal, which is not installed; pip install 'stepmark[histogram]'." in drawn.out + drawn.err
    assert installed.files() == before


def test_a_level_that_needs_a_missing_package_is_listed_with_the_reason(installed: Installed, tmp_path: Path) -> None:
    for profile, reason in (
        ("quick", "resnet18 needs torchvision, which is not installed; install the release that fits your torch"),
        ("inputs", "augment_w0 needs torchvision, which is not installed; install the release that fits your torch"),
        ("learning", "mode learn needs scikit-learn, which is not installed; pip install 'stepmark[learning]'"),
    ):
        done = installed.stepmark(tmp_path, "list", "--profile", profile)
        assert done.code == 0, done.err
        assert reason in done.out
    assert "runs here" in installed.stepmark(tmp_path, "list", "--profile", "quick", "-k", "seed_cnn and cpu").out
