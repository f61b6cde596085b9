"""Nothing that one side's code does reaches the other side, and neither runs code of a third place."""

import pytest

from suite.gate.arms.arm import make_both_ready
from suite.gate.arms.code_ownership import known_by
from suite.gate.arms.spec import parse
from tests.fakes.layouts import EXTRA, PROFILE, Laid, Layout, environment
from tests.fakes.repositories import git, repository, write
from tests.gate.test_code_ownership import loaded

SETTING = """
import os
{setting}

from torch import nn
from suite.registry import STRUCTURES

@STRUCTURES.register("mine", depth=1)
def mine(num_classes, image_size):
    more = [nn.Linear(64, 64) for _ in range({layers})]
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size * image_size, 64), *more, nn.Linear(64, num_classes))
"""
"""A plug-in that changes its process when it is imported, and makes as many layers as that says."""
SETTINGS = {
    "variable": ('os.environ["LAYERS"] = "6"', 'int(os.environ.get("LAYERS", "0"))'),
    "umask": ("os.umask(6)", "os.umask(0) % 8"),
    "limit": (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1006, resource.getrlimit(7)[1]))",
        'max(0, 7 - abs(__import__("resource").getrlimit(7)[0] - 1007))',
    ),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name == "variable" else pytest.mark.nightly) for name in SETTINGS],
)
def test_settings_that_a_plug_in_makes_at_import_do_not_reach_the_other_side(name, tmp_path):
    setting, layers = SETTINGS[name]
    states = [
        {"bench/my_levels.py": SETTING.format(setting=one, layers=layers), "bench/profiles.toml": PROFILE}
        for one in ("", setting)
    ]
    own = Laid(repository(tmp_path / "own", *states), environment(tmp_path / "environment"), "")
    done = own.gate("--baseline", "rev:HEAD~1", "--metric", "allocations", "--out", "out")
    assert done.returncode == 10, done.stdout + done.stderr


def test_sides_that_start_in_a_subfolder_of_the_repository_own_all_of_it(tmp_path, monkeypatch):
    files = ("shared.py", "packages/x/levels.py")
    here = repository(tmp_path / "own", dict.fromkeys(files, "")) / "packages" / "x"
    monkeypatch.chdir(here)
    for side in make_both_ready(parse("rev:HEAD"), parse("dir:."), here, here):
        watched = side.origin.watched
        assert watched is not None
        assert [file for file in files if known_by(watched).is_stray(f"{watched['own']}/{file}")] == []


def test_a_folder_without_git_owns_its_code_though_no_arm_names_it(tmp_path):
    for name, extra in (("one", 1), ("two", 2)):
        write(tmp_path / name, Layout().state(extra))
    own = Laid(tmp_path / "two", environment(tmp_path / "environment", tmp_path / "two" / "src"), "")
    assert loaded(own, "mynet", tmp_path, "dir:../one", "env:A=1") == [(1, ""), (2, "")]


@pytest.mark.parametrize("here", ["repository", "folder"])
def test_a_clone_of_an_arm_s_checkout_is_not_code_of_that_arm_wherever_the_user_is(here, tmp_path):
    """The user is in a folder for benchmarks, and the library's working tree is installed in place."""
    library = repository(tmp_path / "library", *map(Layout().state, EXTRA))
    git(tmp_path, "clone", "--quiet", str(library), str(tmp_path / "old"))
    git(tmp_path / "old", "checkout", "--quiet", "HEAD~1")
    bench = Layout().state(0)
    bench.pop("src/mynet/__init__.py")
    if here == "repository":
        repository(tmp_path / "benchmarks", bench)
    else:
        write(tmp_path / "benchmarks", bench)
    own = Laid(tmp_path / "benchmarks", environment(tmp_path / "environment", library / "src"), "")
    assert loaded(own, "mynet", tmp_path, "dir:../old", "dir:../library") == [(EXTRA[0], ""), (EXTRA[1], "")]
    (baseline, _), _ = loaded(own, "mynet", tmp_path, "dir:../old", "env:A=1")
    assert baseline == EXTRA[0]


def test_an_installed_release_of_the_project_is_no_arm_s_code_wherever_the_user_is(tmp_path):
    described = {"pyproject.toml": '[project]\nname = "mynet"\n'}
    for name, extra in (("old", EXTRA[0]), ("library", EXTRA[1])):
        write(tmp_path / name, Layout(more=described).state(extra))
    write(tmp_path / "benchmarks", {"bench/profiles.toml": PROFILE})
    own = Laid(tmp_path / "benchmarks", environment(tmp_path / "environment"), "")
    packages = next((tmp_path / "environment").glob("lib/python*/site-packages"))
    meta = {"METADATA": "Name: MyNet\nVersion: 0.9\n", "RECORD": "mynet/__init__.py,,\n"}
    write(packages / "mynet-0.9.dist-info", meta)
    write(packages / "mynet", {"__init__.py": "EXTRA = 9\n"})
    file = str(packages / "mynet" / "__init__.py")
    assert loaded(own, "mynet", tmp_path, "dir:../old", "dir:../library") == [(9, file)] * 2


ASKS = """
import subprocess, sys
from torch import nn
from suite.registry import STRUCTURES

@STRUCTURES.register("mine", depth=1)
def mine(num_classes, image_size):
    command = [sys.executable, "-c", "import mynet; print(mynet.EXTRA)"]
    number = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    more = [nn.Linear(64, 64) for _ in range(number)]
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size * image_size, 64), *more, nn.Linear(64, num_classes))
"""
"""A plug-in that asks another process for the number that differs between the commits."""


@pytest.mark.nightly
def test_a_process_that_a_step_starts_runs_the_code_of_its_side(tmp_path):
    """The package is installed in place, from the working tree."""
    states = [{**Layout().state(extra), "bench/my_levels.py": ASKS} for extra in EXTRA]
    top = repository(tmp_path / "own", *states)
    own = Laid(top, environment(tmp_path / "environment", top / "src"), "")
    done = own.gate("--baseline", "rev:HEAD~1", "--metric", "allocations", "--out", "out")
    assert done.returncode == 10, done.stdout + done.stderr
