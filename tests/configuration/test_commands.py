"""Real commands in a configured folder: what is set there holds in each of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.records.store import read_run
from tests.conftest import MY_LEVELS, Desk
from tests.fakes.nodes import HERE, nodes, outcomes
from tests.fakes.repositories import repository, write

CONFIGURATION = """
plugins = ["my_levels"]
profile = "mine"
records = "measured"
threads = 1

[profiles.mine]
structures = ["tiny"]
optimizers = ["sgd", "adam"]
executions = ["cpu"]
batch_sizes = [4]
image_sizes = [8]
passes = 1
case_seconds = 0.2

[run]
surveys = "none"
warmup_seconds = 0.2
passes = 2

[gate]
baseline = "rev:HEAD"
budget = "40s"
metric = "step_time"
"""
IDS = ["tiny-sgd-cpu-b4-i8", "tiny-adam-cpu-b4-i8"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository's folder with a configuration, a plug-in, and a folder below."""
    (tmp_path / ".git").mkdir()
    write(tmp_path, {"stepmark.toml": CONFIGURATION, "my_levels.py": MY_LEVELS.read_text(), "below/it.txt": ""})
    return tmp_path


def stepmark(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "suite.cli", *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def listed(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Ids of the cases that `list --format json` gives."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]


def collected(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Ids of the cases that pytest collects."""
    return [line.partition("[")[2].rstrip("]") for line in done.stdout.splitlines() if "test_training_step[" in line]


@pytest.mark.slow
def test_list_and_a_run_have_the_configured_profile_and_its_plugins_in_a_folder_below(project):
    assert listed(stepmark(project / "below", "list", "--format", "json")) == IDS
    dry = ("run", "-p", "no:cacheprovider", "--collect-only", "-q")
    assert collected(stepmark(project / "below", *dry)) == IDS
    assert collected(stepmark(project / "below", *dry, STEPMARK_SHARD="1/2")) == IDS[:1]


@pytest.mark.slow
def test_a_run_measures_as_the_file_the_profile_and_the_environment_say(project):
    done = stepmark(project / "below", "run", "-p", "no:cacheprovider", "-k", "sgd", STEPMARK_CASE_SECONDS="0.1")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (project / "measured" / "runs").iterdir()
    header = read_run(folder).header
    assert (header.plan.passes, header.plan.case_seconds, header.plan.surveys) == (1, 0.1, "none")
    assert header.selection["profiles_file"] == str(project / "stepmark.toml")
    assert header.environment["threads"]["torch"] == 1
    assert header.environment["plugins"]["my_levels"]


COMMANDS = [
    ("list",),
    ("run", "-p", "no:cacheprovider"),
    ("gate",),
    ("compare", "a", "b"),
    ("config",),
    ("doctor",),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_misspelt_key_ends_each_command_with_one_sentence(project, words):
    (project / "stepmark.toml").write_text("[gate]\nbuget = 3\n")
    done = stepmark(project, *words)
    assert done.returncode == 2, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert f"{project}/stepmark.toml has the unknown key gate.buget; the nearest known key is budget; allowed: " in said
    assert "Traceback" not in said


def test_compare_has_the_configured_limits(project):
    (project / "stepmark.toml").write_text("[compare]\ntolerance = 3\nmargin = 2\n")
    done = stepmark(project, "compare", "a", "b")
    assert done.returncode == 2
    assert done.stderr == (
        f"stepmark: compare.margin of {project}/stepmark.toml is 2; allowed: more than the tolerance, which is 3.\n"
    )


def test_config_shows_each_value_and_the_place_that_sets_it(project):
    done = stepmark(project / "below", "config", "--format", "json", STEPMARK_BUDGET="90s", STEPMARK_BUGET="1m")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    file = str(project / "stepmark.toml")
    assert (shown["file"], shown["plugins"], shown["profiles"]) == (file, ["my_levels"], ["mine"])
    assert shown["records"] == str(project / "measured")
    held = {(one["command"], one["option"]): (one["value"], one["origin"], one["place"]) for one in shown["settings"]}
    assert held["run", "passes"] == ("1", "profile", "profile mine")
    assert held["run", "surveys"] == ("none", "file", f"run.surveys of {file}")
    assert held["run", "allocator"] == ("steady", "default", "default")
    assert held["run", "interleave"][1] == "machine"
    assert held["gate", "threads"] == ("1", "file", f"threads of {file}")
    assert held["gate", "profile"] == ("mine", "file", f"profile of {file}")
    assert held["gate", "budget"] == ("90s", "environment", "STEPMARK_BUDGET")
    assert held["compare", "tolerance"] == ("1%", "default", "default")
    assert shown["notes"] == ["STEPMARK_BUGET sets no option; the nearest variable is STEPMARK_BUDGET."]
    table = stepmark(project, "config").stdout
    assert f"\nrun --passes                1{' ' * 5}" in table or "run --passes" in table
    assert f"run.surveys of {file}\n" in table


def test_config_without_a_file_says_so(tmp_path):
    done = stepmark(tmp_path, "config")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("file      none: no stepmark.toml, ")


@pytest.mark.nightly
def test_a_gate_takes_the_configuration_of_the_folder_for_both_sides_and_the_baseline_needs_none(tmp_path):
    """The first commit has the plug-in and no configuration; the second is compared with it."""
    levels = MY_LEVELS.read_text()
    folder = repository(tmp_path / "own", {"my_levels.py": levels, ".gitignore": "__pycache__/\nmeasured/\n"})
    write(folder, {"stepmark.toml": CONFIGURATION, "my_levels.py": f"{levels}\nCHANGED = True\n"})
    done = stepmark(folder, "gate", "--candidate", "dir:.", "-k", "sgd", "--alpha", "20%", GITHUB_ACTIONS="")
    assert done.returncode in (0, 10, 11), done.stdout + done.stderr
    (gate,) = (folder / "measured" / "gates").iterdir()
    verdict = json.loads((gate / "verdict.json").read_text())
    assert [case["name"] for case in verdict["cases"]] == IDS[:1]
    assert verdict["budget_s"] == 40


@pytest.mark.nightly
def test_the_ranks_of_torchrun_take_the_configuration_of_their_folder(desk: Desk):
    (desk.folder / "stepmark.toml").write_text(
        'plugins = ["my_levels"]\nprofile = "ranks"\nthreads = 1\n[profiles.ranks]\nstructures = ["tiny"]\n'
        'optimizers = ["sgd"]\nexecutions = ["distributed"]\nbatch_sizes = [8]\nimage_sizes = [8]\npasses = 1\n'
        'case_seconds = 0.2\n[run]\nsurveys = "none"\n'
    )
    (desk.folder / "below").mkdir()
    below = Desk(desk.folder / "below")
    with nodes(below, [HERE], 2, options=("--record=here",)) as agents:
        said = [agent.communicate(timeout=170)[0] for agent in agents]
        assert [agent.returncode for agent in agents] == [0], said
    found = outcomes(below)
    assert {name: record.outcome for name, record in found.items()} == {"tiny-sgd-distributed-b8-i8": "measured"}
