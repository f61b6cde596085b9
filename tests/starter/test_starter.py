"""`stepmark init`: real files in real repositories; they run unchanged, and nothing is ever overwritten."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from suite.frontend.cli_options import parser
from suite.starter import TEMPLATES
from tests.conftest import PROJECT
from tests.fakes.repositories import git, write

GITHUB, GITLAB = ".github/workflows/stepmark.yml", ".gitlab-ci.yml"
WRITTEN = ["stepmark.toml", "stepmark_levels.py", ".gitignore"]
IDS = ["my_network-my_optimizer-cpu-b32", "my_network-sgd_momentum-cpu-b32"]
SHORT = {"STEPMARK_CASE_SECONDS": "0.2", "STEPMARK_PASSES": "1", "STEPMARK_SURVEYS": "none"}


def stepmark(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a folder, as installed: Python does not search the current folder."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "suite.cli", *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def files(folder: Path) -> dict[str, str]:
    """Path -> text of every file below a folder, without git's."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(folder)): path.read_text() for path in found}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty repository."""
    folder = tmp_path / "own project"
    folder.mkdir()
    git(folder, "init", "--quiet")
    return folder


@pytest.mark.parametrize(
    ("options", "more"),
    [([], []), (["--github"], [GITHUB]), (["--gitlab"], [GITLAB]), (["--github", "--gitlab"], [GITHUB, GITLAB])],
)
def test_the_files_are_written_and_their_paths_printed_before_the_next_commands(project, options, more):
    done = stepmark(project, "init", *options)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[: lines.index("next:")] == [*WRITTEN, *more]
    assert sorted(files(project)) == sorted([*WRITTEN, *more])
    assert "  stepmark run  " in done.stdout
    assert "  stepmark gate --baseline rev:HEAD  " in done.stdout


@pytest.mark.slow
def test_the_cases_of_what_was_written_run_here(project):
    stepmark(project, "init")
    listed = stepmark(project, "list", "--format", "json")
    assert listed.returncode == 0, listed.stderr
    cases = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {case["id"]: case["runnable"] for case in cases} == dict.fromkeys(IDS, True)


@pytest.mark.parametrize("name", [*WRITTEN[:2], GITHUB, GITLAB])
def test_one_existing_file_is_refused_in_a_sentence_and_nothing_is_written(project, name):
    write(project, {name: "precious\n"})
    done = stepmark(project, "init", "--github", "--gitlab")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"stepmark: {project / name} exists, and stepmark init overwrites nothing; allowed: a folder without it; "
        "move it away, or leave out the option that writes a CI file.\n"
    )
    assert files(project) == {name: "precious\n"}


def test_a_second_init_changes_nothing(project):
    stepmark(project, "init", "--github")
    before = files(project)
    done = stepmark(project, "init", "--github")
    assert done.returncode == 2
    assert "stepmark.toml and " in done.stderr
    assert files(project) == before


@pytest.mark.parametrize(("text", "code"), [('[project]\nname = "own"\n', 0), ("[tool.stepmark]\n", 2)])
def test_a_pyproject_stays_unchanged_and_one_with_our_table_is_a_configuration_already(project, text, code):
    write(project, {"pyproject.toml": text})
    done = stepmark(project, "init")
    assert done.returncode == code
    if code:
        assert "the table [tool.stepmark] in " in done.stderr
        assert files(project) == {"pyproject.toml": text}
    assert (project / "pyproject.toml").read_text() == text


def test_a_gitignore_of_the_user_stays_and_what_it_lacks_is_named(project):
    write(project, {".gitignore": "__pycache__/\n"})
    done = stepmark(project, "init")
    assert done.returncode == 0
    assert "  add to .gitignore: .stepmark/ reports/\n" in done.stdout
    assert (project / ".gitignore").read_text() == "__pycache__/\n"


def test_a_folder_that_cannot_be_written_keeps_nothing_of_the_other_files(project):
    write(project, {".github": "a file in place of a folder\n"})
    done = stepmark(project, "init", "--github")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"stepmark: cannot write {project / GITHUB}: ")
    assert files(project) == {".github": "a file in place of a folder\n"}


def gate_lines(text: str) -> list[list[str]]:
    """Arguments of the commands `stepmark ...` of a CI file."""
    found = re.findall(r"^ *(?:- |run: )?stepmark (.*)$", text, re.MULTILINE)
    return [shlex.split(line) for line in found]


@pytest.mark.parametrize(("option", "name"), [("--github", GITHUB), ("--gitlab", GITLAB)])
@pytest.mark.parametrize("within", [".", "libs/net"])
def test_a_ci_file_stands_at_the_top_and_gates_in_the_folder_of_the_project(project, option, name, within):
    folder = project / within
    write(folder, {"pyproject.toml": '[project]\nname = "own"\n', "requirements.txt": "\n"})
    assert stepmark(folder, "init", option).returncode == 0
    text = (project / name).read_text()
    assert "@" not in re.sub(r"actions/[\w-]+@(?:v\d|main)", "", text)
    assert f'"{within}"' in text
    assert f'"{within}/stepmark-gate' in text
    assert "pip install stepmark -r requirements.txt -e .\n" in text
    assert re.search(r"(?:fetch-depth|GIT_DEPTH): 0\b", text)
    (words,) = gate_lines(text)
    options = parser().parse_args(words)
    assert (options.command, options.stepmark_candidate, str(options.out)) == ("gate", "dir:.", "stepmark-gate")
    assert options.stepmark_baseline.startswith("rev:$")
    assert "||" not in text, "the job fails with the gate's exit code"


def test_the_action_that_a_workflow_offers_exists_and_has_the_inputs_that_it_names(project):
    yaml = pytest.importorskip("yaml")
    stepmark(project, "init", "--github")
    text = (project / GITHUB).read_text()
    ((path, given),) = re.findall(r"^ +# +- uses: OWNER/stepmark/(.*)@main\n +# +with: (\{.*\})$", text, re.MULTILINE)
    action = yaml.safe_load((PROJECT / path / "action.yml").read_text())
    assert set(yaml.safe_load(given)) <= set(action["inputs"])
    folders = [step["working-directory"] for step in action["runs"]["steps"] if "OUT" in step["env"]]
    assert folders == ["${{ inputs.working-directory }}"] * 2, "the gate and its comment find the same folder"


def test_every_template_is_data_of_the_package():
    assert sorted(path.name for path in TEMPLATES.iterdir()) == [
        "github.yml",
        "gitignore",
        "gitlab.yml",
        "levels",
        "stepmark.toml",
    ]


@pytest.mark.parametrize(
    "within", [pytest.param(".", marks=pytest.mark.slow), pytest.param("libs/net", marks=pytest.mark.nightly)]
)
def test_written_files_are_measured_committed_and_gated_as_printed(project, within):
    folder = project / within
    folder.mkdir(parents=True, exist_ok=True)
    assert stepmark(folder, "init", "--github").returncode == 0
    ran = stepmark(folder, "run", **SHORT)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 passed" in ran.stdout
    (page,) = folder.glob("reports/runs/*/report.html")
    assert all(name in page.read_text() for name in IDS)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Measure with stepmark")
    assert "reports" not in git(project, "ls-files")
    same = stepmark(folder, "gate", "--baseline", "rev:HEAD", GITHUB_ACTIONS="")
    assert same.returncode == 0, same.stdout + same.stderr
    levels = (folder / "stepmark_levels.py").read_text()
    write(folder, {"stepmark_levels.py": levels.replace("(3, 16,", "(3, 64,").replace("16 * 4 * 4", "64 * 4 * 4")})
    slower = stepmark(
        folder, "gate", "--baseline", "rev:HEAD", "--budget", "60s", "--alpha", "20%", "--metric", "step_time",
        GITHUB_ACTIONS="",
    )  # fmt: skip
    assert slower.returncode == 10, slower.stdout + slower.stderr
    assert "regression: " in slower.stdout
    assert "my_network-" in slower.stdout


@pytest.mark.slow
def test_a_package_named_suite_in_the_project_does_not_hide_ours(project):
    write(project, {"suite/__init__.py": "raise ImportError('theirs')\n"})
    assert stepmark(project, "init").returncode == 0
    done = stepmark(project, "run", "-k", "my_optimizer", **SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
