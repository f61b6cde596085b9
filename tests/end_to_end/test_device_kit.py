"""The check for a machine with a GPU is in step with the code: names, options, profiles, items that a CPU can run."""

import argparse
import ast
import importlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from suite.frontend import cli_options
from suite.matrix.cases import cases_of
from suite.matrix.profiles import load_profile
from suite.measuring.instruments import INSTRUMENTS
from suite.options import OPTIONS, add_options
from suite.records import Case
from suite.registry import EXECUTIONS, INPUTS, OPTIMIZERS, STRUCTURES, TUNINGS, load_levels
from tests.conftest import HAS_LOCKED_PACKAGES, PROJECT

KIT = PROJECT / "docs" / "studies" / "device"
SCRIPTS = sorted(KIT.glob("*.py"))
OPTIONS_OF_PYTEST = {"-p", "-q", "-k"}


@pytest.fixture
def kit(monkeypatch):
    """Imports a script by its name, as Python does for a script that it starts."""
    monkeypatch.syspath_prepend(str(KIT))
    yield importlib.import_module
    for script in SCRIPTS:
        sys.modules.pop(script.stem, None)


@pytest.fixture
def commands(kit, tmp_path) -> dict[str, tuple[str, ...]]:
    """The words of each step."""
    return {step.name: step.words for step in kit("check").steps(tmp_path / "out", tmp_path / "work")}


def own_imports(script: Path):
    """`(module, name)` for each name of the project that a script imports, anywhere in its text."""
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "suite":
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_name_that_a_script_imports_exists(script):
    for module, name in own_imports(script):
        assert hasattr(importlib.import_module(module), name) or importlib.import_module(f"{module}.{name}")


def test_every_level_of_an_item_exists(kit):
    load_levels()
    items = kit("items")
    assert {*items.TUNINGS, *items.INFERRING} <= set(TUNINGS)
    assert set(items.INPUTS) <= set(INPUTS)
    assert set(items.INSTRUMENTS) == set(INSTRUMENTS) - {"allocator"}
    texts = [ast.parse((KIT / name).read_text()) for name in ("items.py", "bare.py")]
    words = {node.value for text in texts for node in ast.walk(text) if isinstance(node, ast.Constant)}
    for registry, names in (
        (STRUCTURES, {"seed_cnn", "resnet18", "residual_d4w32"}),
        (OPTIMIZERS, {"sgd", "sgd_momentum", "adam", "adam_fused"}),
        (EXECUTIONS, {"cpu", "cuda", "data_parallel", "model_parallel"}),
    ):
        assert names <= words & {*registry}


def test_every_tuning_for_devices_alone_is_among_the_items(kit):
    """A new one that no item runs would be tried on a device by nobody."""
    load_levels()
    items = kit("items")
    cases = {name: Case("seed_cnn", "sgd", "cpu", tuning=name) for name in TUNINGS}
    only = {name for name, case in cases.items() if "CUDA" in TUNINGS[name].strategy.refusal(case, "cpu")}
    assert only <= {*items.tunings(), *items.INFERRING}


@pytest.mark.parametrize("name", ["slice", "pages", "torchrun"])
def test_every_option_and_profile_of_a_run_exists(commands, name):
    words = commands[name]
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_options(parser.add_argument, OPTIONS)
    given, others = parser.parse_known_args(words[words.index("suite.cli") + 2 :])
    assert {word for word in others if word.startswith("-")} <= OPTIONS_OF_PYTEST
    assert cases_of(load_profile(given.stepmark_profile, given.stepmark_profiles))


def test_every_option_and_the_profile_of_the_gate_exist(commands):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    cli_options.add_gate(parser)
    words = commands["gate"]
    given = parser.parse_args(words[words.index("gate") + 1 :])
    (case,) = cases_of(load_profile(given.stepmark_profile, given.stepmark_profiles))
    assert case.execution == "cuda"


def test_every_file_that_a_step_names_exists(commands):
    named = {word for words in commands.values() for word in words if word.endswith((".py", ".toml"))}
    assert len(named) >= 4
    assert all((PROJECT / word).exists() for word in named)


def test_the_check_ends_within_nine_minutes_and_has_time_for_its_first_steps(kit):
    check = kit("check")
    assert check.SECONDS == 540
    limits = [max(step.most_s for step in group) for group in check.groups(check.steps(Path(), Path()))]
    assert sum(limits[:4]) <= check.SECONDS - check.LEAST_S


def test_a_step_that_takes_too_long_is_killed_and_named_and_the_next_one_runs(kit, tmp_path):
    check = kit("check")
    made = check.Check(tmp_path, seconds=60.0)
    made.take([check.Step("sleeps", 1, ("-c", "import time; time.sleep(60)"))], tmp_path)
    made.take([check.Step("ends", 30, ("-c", "pass"))], tmp_path)
    made.seconds = 0.0
    made.take([check.Step("late", 30, ("-c", "pass"))], tmp_path)
    assert [line.split(" after ")[0] for line in (tmp_path / "summary.txt").read_text().splitlines()] == [
        "-- sleeps: exit None",
        "-- ends: exit 0",
        "-- late: not reached",
    ]


def test_steps_that_judge_no_times_run_at_the_same_time(kit, tmp_path):
    check = kit("check")
    meets = (
        "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch()\n"
        "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.01)\n"
        "print('met')"
    )
    one, other = (str(tmp_path / name) for name in ("one", "other"))
    steps = [
        check.Step("a", 30, ("-c", meets, one, other)),
        check.Step("b", 30, ("-c", meets, other, one), with_previous=True),
    ]
    check.Check(tmp_path, seconds=60.0).take(steps, tmp_path)
    assert [(tmp_path / f"{name}.log").read_text() for name in ("a", "b")] == ["met\n"] * 2
    names = [[step.name for step in group] for group in check.groups(check.steps(Path(), Path()))]
    assert names[:2] == [["first", "tests", "levels"], ["bare"]]


def test_a_step_that_does_not_exist_is_refused_with_those_that_do():
    command = [sys.executable, KIT / "check.py", "frist"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 2
    assert "no step frist; allowed: first, tests, levels, bare, " in done.stderr


def test_the_archive_has_the_project_and_the_wheels(kit, tmp_path):
    prepare = kit("prepare")
    (tmp_path / "some-1.0-py3-none-any.whl").write_text("a wheel")
    archive = tmp_path / "out" / "kit.tar.gz"
    prepare.pack(tmp_path, archive, [Path("suite/cli.py"), Path("docs/studies/device/check.py")])
    with tarfile.open(archive) as packed:
        names = set(packed.getnames())
        revision = packed.extractfile(f"{prepare.TOP}/{prepare.WHEELS}/REVISION").read().decode()
    own = ("suite/cli.py", "docs/studies/device/check.py", f"{prepare.WHEELS}/some-1.0-py3-none-any.whl")
    assert {f"{prepare.TOP}/{name}" for name in own} < names
    assert revision.endswith(" files changed\n")
    assert kit("check").WHEELS == PROJECT / prepare.WHEELS
    files = set(map(str, prepare.project_files()))
    assert {"pyproject.toml", "requirements.lock", "tests/conftest.py", "cases/profiles.toml", "suite/cli.py"} <= files


@pytest.mark.skipif(not HAS_LOCKED_PACKAGES, reason="the kit packs the locked packages, and others are here")
def test_wheels_are_those_of_all_needs_but_torchs_own_in_locked_versions(kit):
    prepare = kit("prepare")
    names = prepare.wanted()
    assert {"msgspec", "covertable", "altair", "vl-convert-python", "nvidia-ml-py", "setuptools"} <= set(names)
    assert not {"torch", "torchvision", "triton", "sympy"} & set(names)
    assert "numpy" not in prepare.wanted(["numpy"])
    assert all("==" in requirement for requirement in prepare.pinned([*names, prepare.PIP]))
    assert prepare.pinned(["numpy"], "3.11") != prepare.pinned(["numpy"], "3.12"), "the lock has one for each"
    with pytest.raises(SystemExit, match=r"^requirements\.lock has no nothing-of-that-name; "):
        prepare.pinned(["nothing-of-that-name"])


def dry(tmp_path: Path, seconds: int) -> dict[str, dict[str, object]]:
    """Answers by item of a run of the items on the host's cores."""
    out = tmp_path / "first.jsonl"
    environment = {**os.environ, "STEPMARK_DRY": "1", "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, KIT / "first.py", out, str(seconds)]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    return {answer["item"]: answer for answer in answers}


@pytest.mark.nightly
def test_the_first_items_run_on_the_hosts_cores(tmp_path):
    """They end when their time is over, on a busy machine too; what was reached is as it should be."""
    answers = dry(tmp_path, 20)
    assert "surroundings" in answers
    assert [answer for answer in answers.values() if answer["state"] in ("failed", "differs")] == []


@pytest.mark.nightly
def test_every_item_runs_on_the_hosts_cores(tmp_path):
    answers = dry(tmp_path, 2400)
    assert [answer for answer in answers.values() if answer["state"] not in ("ok", "refused")] == []
