"""In other people's pytest sessions Stepmark is a guest: it takes no name, ends nothing, and comes when it is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from suite.frontend.pytest_command import CONFIGURATION, pytest_line
from suite.provenance.installation import CASES_FOLDER
from suite.records.store import read_run
from tests.conftest import Desk, Done

IS_INSTALLED = any(one.value == "stepmark_pytest" for one in entry_points(group="pytest11"))
DOOR = () if IS_INSTALLED else ("-p", "no:stepmark", "-p", "stepmark_pytest")
"""The door, also in an environment that was made before there was one."""

THEIR_CONFTEST = """
import pytest

@pytest.fixture
def replay():
    return "again"

@pytest.fixture
def case():
    return "theirs"

@pytest.fixture(params=["one", "two"])
def case_id(request):
    return request.param

def pytest_addoption(parser):
    parser.addoption("--profile", action="store_true")
    parser.addoption("--shard", type=int, default=0)
"""
THEIR_TEST = """
def test_plays(replay, case, case_id, pytestconfig):
    assert (replay, case) == ("again", "theirs")
    assert pytestconfig.getoption("--profile")
    assert pytestconfig.getoption("--shard") == 3
"""
STRICT = """[pytest]
addopts = --strict-markers --strict-config --import-mode=importlib -p no:cacheprovider
filterwarnings = error
xfail_strict = true
"""


def ran(folder: Path, *command: str, **variables: str) -> Done:
    """A command in a folder, to its end."""
    environment = {**os.environ, "PYTHONPATH": str(CASES_FOLDER.parent), **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def pytest_in(folder: Path, *arguments: str, **variables: str) -> Done:
    """`python -m pytest` in a folder, with the door."""
    return ran(folder, sys.executable, "-m", "pytest", *DOOR, "-p", "no:cacheprovider", *arguments, **variables)


def test_fixtures_and_options_of_another_project_may_have_our_names(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(THEIR_CONFTEST)
    (tmp_path / "test_it.py").write_text(THEIR_TEST)
    (tmp_path / "pytest.ini").write_text(STRICT)
    done = pytest_in(tmp_path, "--profile", "--shard", "3")
    assert done.code == 0, done.out + done.err
    assert "2 passed" in done.out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["suite.py", "suite/__init__.py"])
def test_a_package_named_suite_of_another_project_does_not_end_its_session(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("X = 1\n")
    (tmp_path / "test_it.py").write_text("import suite\n\ndef test_it():\n    assert suite.X == 1\n")
    done = pytest_in(tmp_path)
    assert done.code == 0, done.out + done.err
    asked = pytest_in(tmp_path, str(CASES_FOLDER))
    assert asked.code == 4
    assert asked.err.strip().startswith(f"ERROR: {(tmp_path / name).resolve()} hides stepmark's package `suite`; ")
    assert len(asked.err.strip().splitlines()) == 1
    run = ran(tmp_path, sys.executable, "-P", "-m", "suite.cli", "run", "--profile", "smoke", "--co", "-q")
    assert run.code == 0, run.out + run.err


def test_an_option_that_another_plugin_has_as_well_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "profiling.py").write_text(
        "def pytest_addoption(parser):\n    parser.getgroup('P').addoption('--profile', action='store_true')\n"
    )
    arguments = (str(CASES_FOLDER), "--profile", "smoke", "--co", "-q")
    done = pytest_in(tmp_path, *arguments, PYTEST_PLUGINS="profiling")
    assert done.code == 4
    assert done.err.strip() == (
        "ERROR: the pytest plug-in 'profiling' has the option --profile as well; leave it out with -p no:profiling."
    )
    assert pytest_in(tmp_path, "-p", "no:profiling", *arguments, PYTEST_PLUGINS="profiling").code == 0


def test_cases_on_the_way_of_a_session_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")
    (tmp_path / "cases").symlink_to(CASES_FOLDER)
    done = pytest_in(tmp_path)
    assert done.code == 0, done.out + done.err
    assert "1 passed" in done.out
    without = pytest_in(tmp_path, "-p", "no:stepmark", "-p", "no:stepmark_pytest", str(CASES_FOLDER))
    assert without.code == 2
    assert "the cases need stepmark's pytest plug-in, which is not loaded; add -p suite.plugin." in without.err


@pytest.fixture
def outer(desk: Desk) -> Path:
    """A strict project with fixtures of our names that has a checkout of Stepmark in `vendor`, and a profile."""
    checkout = desk.folder / "vendor" / "stepmark"
    root = CASES_FOLDER.parent
    for name in ("suite", "cases"):
        shutil.copytree(root / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "stepmark_pytest.py"):
        shutil.copy(root / name, checkout / name)
    (desk.folder / "conftest.py").write_text(THEIR_CONFTEST.partition("def pytest_addoption")[0])
    (desk.folder / "pytest.ini").write_text(STRICT)
    return desk.folder


QUICK = ("--profiles", "profiles.toml", "--profile", "tiny", "-k", "tiny-sgd", "--surveys", "none", "--threads", "1")


@pytest.mark.parametrize("door", ["pytest", "stepmark run"])
@pytest.mark.slow
def test_a_checkout_within_a_strict_project_is_measured(outer: Path, door: str) -> None:
    checkout = str(outer / "vendor" / "stepmark")
    pytest_line = ("pytest", *DOOR, "vendor/stepmark/cases")
    line = pytest_line if door == "pytest" else ("suite.cli", "run", *DOOR)
    done = ran(outer, sys.executable, "-m", *line, *QUICK, "--passes", "1", PYTHONPATH=checkout)
    assert done.code == 0, done.out + done.err
    assert "1 passed" in done.out
    (record,) = (outer / "reports" / "runs").glob("*/record.jsonl")
    assert record.with_name("report.html").exists()


@pytest.mark.slow
def test_a_failed_case_is_one_failure_with_its_reason_where_warnings_are_errors(desk: Desk) -> None:
    done = desk.run("--profile", "faulty", "-k", "raises or picky", "--passes", "1")
    assert done.code == 1
    assert "1 failed, 1 skipped" in done.out
    assert "error" not in done.out.splitlines()[-1]


@pytest.mark.parametrize("option", ["--setup-plan", "--setup-only", "--collect-only", "--benchmark-skip"])
def test_nothing_is_measured_where_no_test_is_called(desk: Desk, option: str) -> None:
    done = desk.run("--profile", "tiny", "-k", "tiny-sgd", option, "-W", "default", "--record", "here")
    assert done.code == 0, done.out + done.err
    assert not (desk.folder / "here").exists()


@pytest.mark.nightly
def test_a_seed_gives_the_same_order_where_another_plugin_shuffles_the_tests(desk: Desk) -> None:
    (desk.folder / "theirs.py").write_text(
        "import pytest\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_collection_modifyitems(items):\n    items.reverse()\n"
    )
    plan = (
        "--profile",
        "tiny",
        "-k",
        "tiny",
        "--case-seconds",
        "0.01",
        "--warmup-seconds",
        "0.01",
        "--order-seed",
        "3",
    )
    assert desk.run(*plan, "--record", "one").code == 0
    assert desk.run(*plan, "--record", "two", "-p", "theirs").code == 0
    one, two = (read_run(desk.folder / name) for name in ("one", "two"))
    assert len(one.header.planned) == 2
    assert list(one.header.planned) == list(two.header.planned)


@pytest.mark.nightly
def test_a_run_needs_no_terminal(desk: Desk) -> None:
    done = desk.run("--profile", "tiny", "-k", "tiny-sgd", "-p", "no:terminal", "-o", "addopts=", "--record", "here")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert (desk.folder / "here" / "report.html").exists()


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--forked", "--forked would replay each case in a process from which pytest-benchmark gets no rounds"),
        ("--codspeed", "--codspeed takes the fixture `benchmark` for a clock other than the cases'"),
        ("-pno:benchmark", "the cases need pytest-benchmark, which is not loaded; leave -p no:benchmark out."),
    ],
)
def test_a_plugin_under_which_nothing_can_be_replayed_is_refused_at_once(
    desk: Desk, option: str, sentence: str
) -> None:
    (desk.folder / "theirs.py").write_text(
        "def pytest_addoption(parser):\n"
        "    for name in ('--forked', '--codspeed'):\n        parser.addoption(name, action='store_true')\n"
    )
    done = desk.run("--profile", "tiny", "-p", "theirs", option, "--record", "here")
    assert done.code == 2
    assert sentence in done.out + done.err
    assert not (desk.folder / "here").exists()


@pytest.mark.slow
def test_a_page_that_cannot_be_made_costs_one_sentence(desk: Desk) -> None:
    (desk.folder / "altair.py").write_text('raise RuntimeError("Could not determine home directory.")\n')
    done = desk.run("--profile", "tiny", "-k", "tiny-sgd", "--record", "here")  # python -m: the folder goes first
    assert done.code == 0, done.out + done.err
    assert "report  not made: RuntimeError: Could not determine home directory; STEPMARK_TRACEBACK=1" in done.out
    assert "95 % interval" in done.out
    assert "1 case: 1 measured, 0 skipped, 0 failed." in done.out
    assert '"kind": "footer"' in (desk.folder / "here" / "record.jsonl").read_text()
    report = (sys.executable, "-m", "suite.cli", "report", "here", "-o", "page.html")
    again = ran(desk.folder, *report)
    assert again.code == 1
    assert (
        again.err == "stepmark: RuntimeError: Could not determine home directory; STEPMARK_TRACEBACK=1 shows where.\n"
    )
    assert "Traceback (most recent call last)" in ran(desk.folder, *report, STEPMARK_TRACEBACK="1").err


def test_half_of_what_torchrun_sets_is_one_sentence(desk: Desk) -> None:
    sentence = (
        "TORCHELASTIC_RUN_ID is set, as torchrun sets it, but RANK is not set; unset it, or start this by torchrun."
    )
    for line in (("suite.cli", "run"), ("pytest", *DOOR, str(CASES_FOLDER))):
        done = ran(desk.folder, sys.executable, "-m", *line, "--profile", "smoke", "--co", TORCHELASTIC_RUN_ID="none")
        assert done.code == 2
        assert sentence in done.err
        assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "adds_the_cases"),
    [
        (["cases/test_training_step.py"], False),
        (["-x", "cases/test_learning.py::test_learning[seed_cnn-adam-cpu-learn]"], False),
        ([str(CASES_FOLDER)], False),
        (["--profiles", "cases/profiles.toml"], True),
        (["-k", "cases"], True),
        (["--record", "cases"], True),
        ([], True),
    ],
)
def test_relative_paths_and_node_ids_name_the_cases_of_a_run(arguments: list[str], adds_the_cases: bool) -> None:
    line = pytest_line(arguments, CASES_FOLDER.parent)
    assert line[-len(arguments) :] == arguments or not arguments
    assert (str(CASES_FOLDER) in line[: len(line) - len(arguments)]) == adds_the_cases
    assert line[line.index("-c") + 1] == str(CONFIGURATION)


def test_a_case_as_a_page_names_it_is_found_from_any_folder(tmp_path: Path) -> None:
    case = "cases/test_training_step.py::test_training_step[seed_cnn-adam-cpu-b16]"
    run = (sys.executable, "-m", "suite.cli", "run", *DOOR, case, "--profile", "smoke", "--co", "-q")
    done = ran(tmp_path, *run)
    assert done.code == 0, done.out + done.err
    assert done.out.splitlines()[0] == case


def test_pytest_s_cache_is_in_the_folder_of_the_run_and_not_in_the_installation(tmp_path: Path) -> None:
    assert f"cache_dir={tmp_path / '.pytest_cache'}" in pytest_line([], tmp_path)
    assert not [word for word in pytest_line(["-p", "no:cacheprovider"], tmp_path) if word.startswith("cache_dir=")]


@pytest.mark.parametrize("switch", ["variable", "option"])
def test_a_run_loads_what_it_needs_where_pytest_loads_no_plugins_of_the_environment(
    tmp_path: Path, switch: str
) -> None:
    option = ("--disable-plugin-autoload",) if switch == "option" else ()
    variables = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} if switch == "variable" else {}
    run = (sys.executable, "-m", "suite.cli", "run", *option, "--profile", "smoke", "--co", "-q")
    done = ran(tmp_path, *run, **variables)
    assert done.code == 0, done.out + done.err
    assert "seed_cnn-adam-cpu-b16" in done.out


def test_a_run_keeps_a_configuration_that_is_asked_for() -> None:
    assert pytest_line(["--rootdir=here"], CASES_FOLDER.parent)[2:] == [str(CASES_FOLDER), "--rootdir=here"]


@pytest.mark.parametrize("where", [".", "{folder}/tests", "no_such_folder", "./tests"])
def test_a_session_begins_whatever_folders_its_configuration_names(tmp_path: Path, where: str) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text("def test_it():\n    pass\n")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\ntestpaths = {where.format(folder=tmp_path)}\n")
    done = pytest_in(tmp_path)
    assert done.code == 0, done.out + done.err
    assert "1 passed" in done.out


def test_cases_are_found_where_an_empty_list_of_parameters_is_an_error(tmp_path: Path) -> None:
    """A profile without learning cases leaves the test of those without a parameter."""
    arguments = (
        "-o",
        "empty_parameter_set_mark=fail_at_collect",
        str(CASES_FOLDER),
        "--profile",
        "smoke",
        "--co",
        "-q",
    )
    done = pytest_in(tmp_path, *arguments)
    assert done.code == 0, done.out + done.err
    assert "test_training_step[seed_cnn-sgd_momentum-cpu-b16]" in done.out
    assert "test_learning" not in done.out


@pytest.mark.slow
def test_cases_are_measured_beyond_errors_of_other_files_where_that_is_asked_for(desk):
    (desk.folder / "test_broken.py").write_text("import nowhere\n")
    done = desk.run(
        *("--profile", "tiny", "-k", "tinier and adam or broken", "--record", "run", str(desk.folder)),
        "--continue-on-collection-errors",
    )
    assert done.code == 1, done.out
    (record,) = read_run(desk.folder / "run").cases
    assert record.outcome == "measured"


@pytest.mark.slow
def test_a_run_whose_reader_closes_the_pipe_goes_on_to_its_end(desk):
    line = desk.command("--profile", "tiny", "-k", "tinier", "--record", "run", "-v", command="stepmark run")
    with subprocess.Popen(line, cwd=desk.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.readline()
        running.stdout.close()
        said = running.stderr.read()
    assert (running.returncode, said) == (0, b"")
    run = read_run(desk.folder / "run")
    assert run.footer is not None
    assert [record.outcome for record in run.cases] == ["measured"] * 2
    assert (desk.folder / "run" / "report.html").is_file()
