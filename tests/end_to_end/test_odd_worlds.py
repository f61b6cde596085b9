"""One case in each of the worlds that machines are: a measured record with its footer, a table, a page, exit code 0."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from suite.provenance.installation import CASES_FOLDER
from tests.conftest import furnish

ROOT = CASES_FOLDER.parent
NOBODY = "4321"
CAPABILITY = "+dac_read_search"
"""So that the interpreter may be read wherever it lies; nothing else of root is kept."""
UNNAMED = [
    *("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"),
    *("--inh-caps", CAPABILITY, "--ambient-caps", CAPABILITY),
]
"""Begins a command of a user without an entry in the system's table of users."""
MOUNTS = ("unshare", "--mount", "--propagation", "private")
"""Begins a command that sees mounts of its own; needs the right to mount."""


def shell(script: str) -> list[str]:
    """Begin a command after a line of shell."""
    return ["sh", "-c", f'set -e; {script}; exec "$@"', "sh"]


def mounted(script: str) -> list[str]:
    """Begin a command that sees what a line of shell mounts, and nobody else does."""
    return [*MOUNTS, *shell(script)]


def read_only(path: Path | str) -> list[str]:
    """Begin a command for which a folder, and what it has below, cannot be written."""
    return mounted(f'mount --bind "{path}" "{path}"; mount -o remount,bind,ro "{path}"')


def a_foreign_project(folder: Path) -> None:
    """Settings and fixtures of the user's own, with the names that others like to take."""
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    (folder / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--threshold'), parser.addoption('--device')\n"
        "@pytest.fixture\n"
        "def case():\n"
        "    raise RuntimeError('not yours')\n"
    )


def git(*words: str, folder: Path) -> None:
    """Run git as somebody; raises what it answers if it fails."""
    named = [*("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")]
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True)


def a_linked_worktree(folder: Path) -> None:
    """The user's folder is a second working tree of a repository that lies elsewhere."""
    owner = folder.parent / "owner"
    git("init", "--quiet", str(owner), folder=folder)
    git("commit", "--quiet", "--allow-empty", "-m", "first", folder=owner)
    git("worktree", "add", "--quiet", str(owner / "linked"), folder=owner)
    (owner / "linked/.git").rename(folder / ".git")


def a_commit_under_way(folder: Path) -> None:
    """The user's folder is a repository; git sets its variables for hooks, see `IN_A_HOOK`."""
    git("init", "--quiet", folder=folder)
    git("commit", "--quiet", "--allow-empty", "-m", "first", folder=folder)


def a_torchvision_that_does_not_import(folder: Path) -> None:
    """The user's folder has a torchvision that raises, as one that does not fit torch does."""
    (folder / "torchvision.py").write_text('raise RuntimeError("operator torchvision::nms does not exist")\n')


def nothing(folder: Path) -> None:
    """Leave the user's folder unchanged."""


@dataclass(frozen=True)
class World:
    """How one machine differs from a usual one.

    Attributes:
        begins: words before the command.
        variables: what the environment has otherwise; None takes one away.
        prepare: makes the user's folder ready.
        prints: whether the table arrives anywhere.
        command: what Python is started with; pytest itself needs an open standard output, `stepmark run` does not.
    """

    begins: list[str] = field(default_factory=list)
    variables: Mapping[str, str | None] = field(default_factory=dict)
    prepare: Callable[[Path], None] = nothing
    prints: bool = True
    command: tuple[str, ...] = ("pytest", str(CASES_FOLDER))


NOEXEC = "/tmp/stepmark-noexec"  # noqa: S108 - seen by one command alone, in its mount namespace
IN_A_HOOK = {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index", "GIT_PREFIX": "", "GIT_EXEC_PATH": "/usr/lib/git-core"}
WORLDS = {
    "a user without a name or a home": World(UNNAMED, {"HOME": None, "USER": None, "LOGNAME": None}),
    "a umask of 077": World(shell("umask 077")),
    "optimised bytecode": World(variables={"PYTHONOPTIMIZE": "1"}),
    "warnings that are errors": World(variables={"PYTHONWARNINGS": "error"}),
    "an ASCII terminal": World(variables={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}),
    "a closed standard input": World(shell("exec <&-")),
    "a closed standard output": World(shell("exec >&-"), prints=False, command=("suite.cli", "run")),
    "a read-only checkout": World(read_only(ROOT)),
    "a read-only /proc": World(read_only("/proc")),
    "a folder for temporary files from which nothing may be started": World(
        mounted('mkdir -p "$TMPDIR"; mount -t tmpfs -o noexec,size=64m tmpfs "$TMPDIR"'), {"TMPDIR": NOEXEC}
    ),
    "a full /dev/shm": World(
        mounted("mount -t tmpfs -o size=4k tmpfs /dev/shm; head -c 4096 /dev/zero > /dev/shm/full")
    ),
    "a foreign project": World(prepare=a_foreign_project),
    "a linked worktree": World(prepare=a_linked_worktree),
    "a torchvision that does not import": World(prepare=a_torchvision_that_does_not_import),
    "a git hook": World(prepare=a_commit_under_way, variables=IN_A_HOOK),
}
RARE = {"optimised bytecode", "a closed standard input"}
"""Tried by night, since each takes half a minute."""


@pytest.fixture
def folder(open_folder: Path) -> Path:
    """A user's folder with spaces and other letters in its path, which everybody may write."""
    folder = open_folder / "a folder of Jürgen's"
    folder.mkdir()
    furnish(folder)
    folder.chmod(0o777)
    return folder


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.nightly if name in RARE else pytest.mark.slow) for name in WORLDS]
)
def test_a_case_is_measured_in(folder: Path, name: str) -> None:
    world = WORLDS[name]
    if world.begins[:1] == ["setpriv"] and os.geteuid():
        pytest.skip("only root can be another user")
    if world.begins[:1] == ["unshare"] and not can_mount():
        pytest.skip("needs the right to mount")
    world.prepare(folder)
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **world.variables}
    done = subprocess.run(
        [
            *(*world.begins, sys.executable, "-m", *world.command, "-p", "no:cacheprovider"),
            *("--profiles", "profiles.toml", "--profile", "tiny", "-k", "tiny-sgd", "--threads", "1", "--passes", "1"),
            *("--surveys", "none", "--record", "here"),
        ],
        cwd=folder,
        env={name: value for name, value in variables.items() if value is not None},
        capture_output=True,
        check=False,
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, said
    lines = [json.loads(line) for line in (folder / "here" / "record.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["header", "case", "footer"]
    assert lines[-1]["counts"] == {"measured": 1, "skipped": 0, "failed": 0}
    assert (folder / "here" / "report.html").stat().st_size > 10_000
    assert world.prints == ("95 % interval" in said)


def can_mount() -> bool:
    """Whether a process here may have a mount namespace."""
    return subprocess.run([*mounted("true"), "true"], capture_output=True, check=False).returncode == 0
