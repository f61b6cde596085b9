"""git is run in the folder that is named, whatever is in the environment, and its refusals are kept apart."""

import os
import subprocess

import pytest

from suite.provenance import git
from tests.fakes.repositories import git as plain_git
from tests.fakes.repositories import repository


@pytest.fixture
def own(tmp_path):
    return repository(tmp_path / "own", {"a.txt": "1\n"}, {"a.txt": "2\n"})


def test_no_variable_that_names_a_place_reaches_git(monkeypatch, own, tmp_path):
    other = repository(tmp_path / "other", {"b.txt": "1\n"})
    local = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True)
    for name in [*local.stdout.split(), "GIT_TRACE", "GIT_NAMESPACE", "GIT_EXTERNAL_DIFF"]:
        monkeypatch.setenv(name, "made")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.worktree'='/nowhere'")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    assert git.git(own, "rev-parse", "--show-toplevel") == str(own)
    left = set(git.environment())
    assert not left & {*local.stdout.split(), "GIT_TRACE"}
    assert {"PATH", "HOME"} & set(os.environ) <= left


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a folder to another user")
def test_a_folder_of_another_user_is_refused_by_git_with_its_reason_and_what_allows_it(own, monkeypatch):
    os.chown(own, 4321, 4321)
    os.chown(own / ".git", 4321, 4321)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with pytest.raises(git.GitRefused) as refused:
        git.git(own, "rev-parse", "HEAD")
    said = f"git refused: detected dubious ownership in repository at '{own}'; `git config --global --add safe.dir"
    assert str(refused.value).startswith(said)
    safe = {"COUNT": "2", "KEY_0": "core.worktree", "VALUE_0": "/", "KEY_1": "safe.directory", "VALUE_1": str(own)}
    for name, value in safe.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert git.git(own, "rev-parse", "--show-toplevel") == str(own), "what continuous integration allows stays allowed"


def test_a_refusal_of_git_is_reported_with_its_reason(own, tmp_path, monkeypatch):
    with pytest.raises(git.NoRevision, match="there is no such commit"):
        git.commit(own, "nowhere")
    with pytest.raises(git.GitRefused, match=r"git refused: .*unknown option"):
        git.git(own, "status", "--none")
    with pytest.raises(git.NoRepository, match="there is no folder"):
        git.git(tmp_path / "gone", "status")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "bare").mkdir()
    with pytest.raises(git.NoRepository, match="is in no git repository"):
        git.git(tmp_path / "bare", "status")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(git.NoGit, match="there is no git"):
        git.git(own, "status")


def test_no_hook_of_the_users_runs_and_the_index_is_left_alone(own, tmp_path):
    hook = own / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    hook.chmod(0o755)
    os.utime(own / "a.txt", (1, 1))  # a status that may write would refresh the index
    before = (own / ".git" / "index").read_bytes()
    git.git(own, "worktree", "add", "--detach", str(tmp_path / "there"), "HEAD~1")
    assert git.git(own, "status", "--porcelain") == ""
    assert (own / ".git" / "index").read_bytes() == before
    assert not (tmp_path / "ran").exists()
    assert plain_git(tmp_path / "there", "rev-parse", "HEAD") == plain_git(own, "rev-parse", "HEAD~1")


@pytest.mark.parametrize("name", ["own ", " own", "own\n", "own\nmore"])
def test_a_folder_may_have_spaces_and_line_breaks_at_the_ends_of_its_name(name, tmp_path):
    folder = repository(tmp_path / name, {"a.txt": "1\n"})
    assert git.git(folder, "rev-parse", "--show-toplevel") == str(folder)
