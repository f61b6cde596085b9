"""The action for GitHub: one comment on a pull request, and a gate that fetches its baseline."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.fakes.github_server import LONGEST, TOKEN, Pull, pull_request
from tests.fakes.repositories import git, repository

ACTION = PROJECT / ".github" / "actions" / "gate"
MARKER = "<!-- stepmark-gate  -->"
VERDICT = "## Stepmark gate: regression\n\n| case | change |\n| --- | ---: |\n| a | +3 % |"


def comment(folder: Path, address: str, text: str, *name: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the action's script, as a job of GitHub does, with a verdict in its folder."""
    (folder / "gate").mkdir(exist_ok=True)
    if text:
        (folder / "gate" / "gate.md").write_text(text)
    event = folder / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7}}))
    job = {"GITHUB_EVENT_PATH": str(event), "GITHUB_REPOSITORY": "own/net", "GITHUB_TOKEN": TOKEN}
    return subprocess.run(
        [sys.executable, "-P", str(ACTION / "comment.py"), str(folder / "gate"), *name],
        env={**os.environ, "GITHUB_API_URL": address, **job, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that the script printed. It never fails."""
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    return done.stdout.strip()


def person(number: int, body: str = "looks good") -> dict:
    """A comment by a person."""
    return {"id": number, "body": body, "user": {"login": "anna", "type": "User"}}


def test_a_pull_request_keeps_one_comment_that_is_edited_only_when_the_text_differs(tmp_path):
    with pull_request(tmp_path, [person(1)]) as pull:
        assert said(comment(tmp_path, pull.address, VERDICT)) == "stepmark: the comment is written."
        assert said(comment(tmp_path, pull.address, VERDICT)) == "stepmark: the comment has this text already."
        assert pull.writes == ["POST"]
        assert said(comment(tmp_path, pull.address, VERDICT + "\n| b | 0 % |")) == "stepmark: the comment is edited."
        assert pull.writes == ["POST", "PATCH"]
        assert pull.bodies == ["looks good", f"{MARKER}\n{VERDICT}\n| b | 0 % |"]


def test_its_comment_is_found_behind_pages_of_others(tmp_path):
    with pull_request(tmp_path, []) as pull:
        comment(tmp_path, pull.address, VERDICT)
        own = pull.state["comments"]
    with pull_request(tmp_path, [*map(person, range(100, 350)), *own, *map(person, range(400, 420))]) as pull:
        assert said(comment(tmp_path, pull.address, "no change")) == "stepmark: the comment is edited."
        assert pull.writes == ["PATCH"]
        assert len(pull.bodies) == 271
        assert pull.bodies[250] == f"{MARKER}\nno change"


def test_gates_of_two_profiles_have_a_comment_each(tmp_path):
    with pull_request(tmp_path, []) as pull:
        for profile in ("cpu", "gpu-1 -->", "cpu"):
            comment(tmp_path, pull.address, f"of {profile}", profile)
        assert pull.bodies == [
            "<!-- stepmark-gate cpu -->\nof cpu",
            "<!-- stepmark-gate gpu_1____ -->\nof gpu-1 -->",
        ]


def test_a_person_who_quotes_the_marker_keeps_the_comment_and_the_owner_of_the_token_has_one(tmp_path):
    with pull_request(tmp_path, [person(1, f"{MARKER}\nmine")]) as pull:
        assert said(comment(tmp_path, pull.address, VERDICT)) == "stepmark: the comment is written."
        assert pull.bodies == [f"{MARKER}\nmine", f"{MARKER}\n{VERDICT}"]
    with pull_request(tmp_path, [person(1, f"{MARKER}\nmine")], user="anna") as pull:
        assert said(comment(tmp_path, pull.address, VERDICT)) == "stepmark: the comment is edited."
        assert pull.bodies == [f"{MARKER}\n{VERDICT}"]


@pytest.mark.parametrize("rights", [{"may_write": False}, {"may_read": False, "may_write": False}])
def test_a_token_that_may_not_write_costs_a_sentence(tmp_path, rights):
    """Pull requests from forks have such tokens."""
    with pull_request(tmp_path, [], **rights) as pull:
        line = said(comment(tmp_path, pull.address, VERDICT))
        assert line.startswith("::notice title=stepmark::no comment was written: GitHub answered 40")
        assert line.endswith("any other needs `permissions: pull-requests: write`.")
        assert pull.bodies == []


def nobody(tmp_path: Path, pull: Pull) -> subprocess.CompletedProcess[str]:
    return comment(tmp_path, "http://127.0.0.1:9", VERDICT)


def push(tmp_path: Path, pull: Pull) -> subprocess.CompletedProcess[str]:
    return comment(tmp_path, pull.address, VERDICT, GITHUB_EVENT_PATH=str(tmp_path / "none.json"))


def tokenless(tmp_path: Path, pull: Pull) -> subprocess.CompletedProcess[str]:
    return comment(tmp_path, pull.address, VERDICT, GITHUB_TOKEN="")


def without_verdict(tmp_path: Path, pull: Pull) -> subprocess.CompletedProcess[str]:
    return comment(tmp_path, pull.address, "")


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (nobody, "GitHub cannot be reached at http://127.0.0.1:9: "),
        (push, "this job was not started by a pull request"),
        (tokenless, "the job has no token"),
        (without_verdict, "gate has no verdict"),
    ],
)
def test_no_comment_is_a_notice_with_the_reason_and_no_failure(tmp_path, run, reason):
    with pull_request(tmp_path, []) as pull:
        line = said(run(tmp_path, pull))
        assert line.startswith("::notice title=stepmark::no comment was written: ")
        assert reason in line
        assert pull.writes == []


def test_a_long_verdict_is_cut_at_a_row_with_its_folded_section_closed(tmp_path):
    rows = "\n".join(f"| case_{number} | +0.1 % |" for number in range(10_000))
    text = f"{VERDICT}\n\n<details><summary>no change</summary>\n\n{rows}\n\n</details>"
    assert len(text) > LONGEST
    with pull_request(tmp_path, []) as pull:
        assert said(comment(tmp_path, pull.address, text)) == "stepmark: the comment is written."
        (body,) = pull.bodies
        assert len(body) <= LONGEST
        assert re.search(r"\| case_\d+ \| \+0\.1 % \|\n\n</details>\n\nThis comment is shortened", body)
        assert said(comment(tmp_path, pull.address, text)) == "stepmark: the comment has this text already."


def test_a_gate_that_was_refused_replaces_the_verdict_of_an_older_commit(tmp_path):
    with pull_request(tmp_path, []) as pull:
        comment(tmp_path, pull.address, VERDICT)
        (tmp_path / "gate" / "gate.md").unlink()
        (tmp_path / "gate.stderr").write_text("gate: 3 cases\nstepmark: plug-in 'mine' does not import: `x`.\n")
        assert said(comment(tmp_path, pull.address, "")) == "stepmark: the comment is edited."
        assert "no verdict" in pull.bodies[0]
        assert "```\nstepmark: plug-in 'mine' does not import: 'x'.\n```" in pull.bodies[0]


def gated(folder: Path, baseline: str, arguments: str = "") -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run the action's gate in a folder: what it printed, and its outputs."""
    outputs = folder.parent / "outputs"
    outputs.write_text("")
    own = {"BASELINE": baseline, "PROFILE": "gate", "ARGUMENTS": arguments, "STEPMARK_PYTHON": sys.executable}
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHONPATH"))}
    done = subprocess.run(
        [str(ACTION / "gate.sh")],
        cwd=folder,
        env={
            **variables,
            **own,
            "OUT": str(folder.parent / "out" / "gate"),
            "GITHUB_OUTPUT": str(outputs),
            "PYTHONPATH": str(PROJECT),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done, dict(line.split("=", 1) for line in outputs.read_text().splitlines())


@pytest.mark.slow
def test_the_gate_s_exit_code_and_last_words_are_kept_for_later_steps(tmp_path):
    own = repository(tmp_path / "own", {"net.py": "WIDTH = 1\n"})
    done, outputs = gated(own, "rev:nowhere", "-k 'adam and $(touch /tmp/never)' --budget \"5 m\"")
    assert (done.returncode, outputs) == (0, {"exit-code": "2", "folder": str(tmp_path / "out" / "gate")})
    assert done.stderr.splitlines()[-1].startswith("stepmark: ")
    assert (tmp_path / "out" / "gate.stderr").read_text() in done.stderr


def test_the_baseline_s_commit_is_fetched_into_a_shallow_clone(tmp_path):
    origin = repository(tmp_path / "origin", {"net.py": "A = 1\n"}, {"net.py": "A = 2\n"}, {"net.py": "A = 3\n"})
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{origin}", str(tmp_path / "own"))
    base = git(origin, "rev-parse", "HEAD~2")
    done, outputs = gated(tmp_path / "own", f"rev:{base},env:A=1", "--metric none")
    assert outputs["exit-code"] == "2", "it was refused after that"
    assert "--metric has 'none'" in done.stderr
    assert git(tmp_path / "own", "show", f"{base}:net.py") == "A = 1"
    assert git(tmp_path / "own", "rev-parse", "--is-shallow-repository") == "true"


def test_the_action_names_files_that_exist_and_uses_each_of_its_inputs():
    yaml = pytest.importorskip("yaml")
    text = (ACTION / "action.yml").read_text()
    action = yaml.safe_load(text)
    assert action["runs"]["using"] == "composite"
    assert {name for name in action["inputs"] if f"inputs.{name}" not in text} == set()
    named = re.findall(r"GITHUB_ACTION_PATH/([\w.]+)", text)
    assert sorted(named) == ["comment.py", "gate.sh"]
    assert all((ACTION / name).is_file() for name in named)
    assert os.access(ACTION / "gate.sh", os.X_OK)
    for step in action["runs"]["steps"]:
        used = set(re.findall(r"\$\{?([A-Z_]+)", step["run"])) - {"GITHUB_ACTION_PATH"}
        assert used <= set(step["env"]), "a variable of another step is not there"


def test_the_project_s_own_gate_uses_the_action():
    assert "uses: ./.github/actions/gate\n" in (PROJECT / ".github" / "workflows" / "gate.yml").read_text()
