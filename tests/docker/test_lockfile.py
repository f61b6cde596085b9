"""An image's wheels are those of requirements.lock that its variant needs, and no others."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import lockfile
import wheelhouse
from engines import ImageError
from tests.conftest import HAS_LOCKED_PACKAGES
from tests.docker import SCRIPTS

LOCKED = lockfile.parse(wheelhouse.LOCK.read_text(encoding="utf-8"))
TABLE = tomllib.loads((wheelhouse.PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SMALL = """\
torch==2.11.0 \\
    --hash=sha256:{} \\
    --hash=sha256:{}
    # via
    #   stepmark (pyproject.toml)
    #   torchvision
torchvision==0.26.0 \\
    --hash=sha256:{}
    # via stepmark (pyproject.toml)
nvidia-cudnn==9.1 ; sys_platform == 'linux' \\
    --hash=sha256:{}
    # via torch
sympy==1.14 \\
    --hash=sha256:{}
    # via torch
""".format(*(digit * 64 for digit in "01234"))


def names(variant: str, python: str = "3.11") -> set[str]:
    """Packages of a variant by the project's lock."""
    here = [one for one in LOCKED if lockfile.holds(one.marker, python, "x86_64")]
    return {one.name for one in lockfile.needed(here, lockfile.roots(TABLE, variant))}


def wheel(folder: Path, name: str = "torch", version: str = "2.11.0+cpu", *required: str) -> Path:
    """A small wheel on disk."""
    file = folder / f"{name}-{version}-cp311-cp311-linux_x86_64.whl"
    metadata = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in required)]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(metadata) + "\n")
    return file


def test_every_package_of_the_lock_is_read_with_its_hashes():
    text = wheelhouse.LOCK.read_text(encoding="utf-8")
    assert len(LOCKED) == text.count("==") - text.count(" == '")
    assert all(one.hashes and one.via for one in LOCKED)


def test_the_full_image_has_what_the_project_needs_and_no_tools():
    full = names("full")
    assert {lockfile.name_in(one) for one in TABLE["dependencies"]} <= full
    assert {"torch", "markupsafe", "pluggy"} <= full
    assert not {"mypy", "ruff", "uv", "hypothesis", "pre-commit"} & full


def test_the_image_of_the_tests_has_the_tools_as_well():
    assert names("full") < names("test")
    assert {"hypothesis", "pytest-xdist"} <= names("test")


def test_the_image_that_reads_records_has_no_torch():
    found = names("reading")
    assert {"jinja2", "markupsafe", "altair", "vl-convert-python", "msgspec"} <= found
    assert not {"torch", "numpy", "pytest"} & found


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_condition_of_the_lock_is_known(python, machine):
    assert [one.name for one in LOCKED if not isinstance(lockfile.holds(one.marker, python, machine), bool)] == []


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ("sys_platform == 'win32'", False),
        ("python_full_version < '3.12'", True),
        ("python_full_version >= '3.9'", True),
        ("(platform_machine == 'aarch64' or platform_machine == 'x86_64') and sys_platform == 'linux'", True),
    ],
)
def test_a_condition_holds_as_pip_would_say(marker, holds):
    assert lockfile.holds(marker, "3.11", "x86_64") is holds


def test_an_unknown_condition_is_one_sentence():
    with pytest.raises(ImageError, match=r"extra == 'x'.*is not known"):
        lockfile.holds("extra == 'x'", "3.11", "x86_64")


def test_a_wheel_of_the_caller_replaces_the_package_and_what_only_that_needed(tmp_path):
    own = wheelhouse.extra_wheels(wheel(tmp_path, "torch", "2.11.0+cpu", "sympy>=1", "numpy; extra == 'x'").parent)
    found = {one.name: one for one in lockfile.needed(lockfile.parse(SMALL), {"torch", "torchvision"}, own)}
    assert set(found) == {"torch", "torchvision", "sympy"}
    assert found["torch"].requirement() == f"torch==2.11.0+cpu --hash=sha256:{own[0].digest}"
    assert found["sympy"].hashes == ("4" * 64,)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda _: None, "there is no wheel in"),
        (lambda folder: (folder / "torch-1-py3-none-any.whl").write_text("?"), "is no wheel"),
        (lambda folder: wheel(folder, "tensorflow"), "replaces no package of requirements.lock"),
    ],
)
def test_a_folder_without_usable_wheels_is_one_sentence(make, sentence, tmp_path):
    make(tmp_path)
    with pytest.raises(ImageError, match=sentence):
        lockfile.needed(lockfile.parse(SMALL), {"torch"}, wheelhouse.extra_wheels(tmp_path))


def test_wheels_that_the_lock_does_not_allow_are_removed(tmp_path):
    kept, other = wheel(tmp_path), wheel(tmp_path, "torch", "2.10.0")
    allowed = lockfile.Locked("torch", "2.11.0+cpu", "", (wheelhouse.hash_of(kept),), ())
    assert wheelhouse.keep_allowed(tmp_path, [allowed]) == {"torch": (kept.name, wheelhouse.hash_of(kept))}
    assert kept.exists()
    assert not other.exists()


def test_the_tool_of_the_bill_of_materials_has_the_versions_of_the_lock():
    """Both are installed from one folder of wheels."""
    known = {one.name: one.version for one in LOCKED}
    tools = lockfile.parse(wheelhouse.BILL_LOCK.read_text(encoding="utf-8"))
    assert "cyclonedx-bom" in {one.name for one in tools}
    assert all(one.hashes for one in tools)
    assert [one.name for one in tools if one.version != known.get(one.name, one.version)] == []


def test_packages_of_the_image_are_listed_with_their_licences():
    """NVIDIA's `cuda-toolkit` contains nothing and names none."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "licences.py"), "full"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert {name for name, *_ in lines} == names("full", f"{sys.version_info.major}.{sys.version_info.minor}")
    if HAS_LOCKED_PACKAGES:
        assert {name for name, _, licence in lines if licence == "not named"} <= {"cuda-toolkit"}


def test_licences_of_an_unknown_variant_are_refused():
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "licences.py"), "none"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "allowed: full, reading, test" in done.stderr
