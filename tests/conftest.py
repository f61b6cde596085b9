"""Fixtures for real runs: a folder with a user's own profile and plug-in module, and pytest started in it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, settings

from suite import registry
from suite.provenance.installation import CASES_FOLDER
from tests.fakes.browser import Browser, browser

pytest_plugins = ["pytester"]
TESTS = Path(__file__).resolve().parent
PROJECT = TESTS.parent
EARLIER_TRY = "earlier try"
TRIES = 3
"""Of a test that judges the time or the load of the machine."""

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long an example takes says more of the machine than of the code."""
# Examples that stay the same, so that a change is judged by what it changes.
settings.register_profile("repeatable", UNTIMED, derandomize=True, max_examples=40)
settings.register_profile("searching", UNTIMED)  # `make test-nightly` looks for new examples
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """A warning is an error in our own tests; pyproject.toml would say so to those who run the cases, too."""
    config.addinivalue_line("filterwarnings", "error")
    config.addinivalue_line("filterwarnings", "ignore:Benchmarks are automatically disabled")  # under pytest-xdist
    os.environ.pop("PYTEST_XDIST_WORKER", None)  # sessions of pytest that tests start are no workers of this one
    for option in [name for name in os.environ if name.startswith("STEPMARK_")]:
        del os.environ[option]  # what the caller measures with is nothing to the tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that run alone last, so that the others need not wait for them."""
    items.sort(key=runs_alone)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """While a test runs that has to be alone, no other of this checkout does, in whatever session of pytest.

    It judges a machine that others may use as well, so it may try again.
    """
    with Path(__file__).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if runs_alone(item) else fcntl.LOCK_SH)
        try:
            run_up_to(TRIES if runs_alone(item) else 1, item, nextitem)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # a child that the test forked and left would keep it else
    return True


def run_up_to(tries: int, item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Run a test until it passes, and report the last try."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports: list[pytest.TestReport] = []
    for _ in range(tries):
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        failed = [report.longreprtext for report in reports if report.failed]
        if not failed:
            break
        item.user_properties.append((EARLIER_TRY, failed[0].splitlines()[-1]))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name tests that passed at a later try: one that needs it often judges badly."""
    for report in terminalreporter.getreports("passed"):
        earlier = [text for name, text in report.user_properties if name == EARLIER_TRY]
        if earlier and report.when == "call":
            terminalreporter.write_line(f"PASSED at try {len(earlier) + 1}: {report.nodeid} - {earlier[0]}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser, without a network."""
    with browser() as opened:
        yield opened


HAS_LOCKED_PACKAGES = f"\npytest-benchmark=={version('pytest-benchmark')} " in (
    PROJECT / "requirements.lock"
).read_text(encoding="utf-8")
"""Whether this environment was made from the lock, and not from the lowest versions that the project allows."""


def runs_alone(item: pytest.Item) -> bool:
    """Whether a test is marked `alone`."""
    return item.get_closest_marker("alone") is not None


COMMANDS = {"pytest": ("pytest", str(CASES_FOLDER)), "stepmark run": ("suite.cli", "run")}
GOLDEN = TESTS / "golden"
FAKES = TESTS / "fakes"
MY_LEVELS = FAKES / "my_levels.py"
MY_TASKS = FAKES / "my_tasks.py"
PROFILES = """
[tiny]
plugins = ["my_levels"]
structures = ["tiny", "tinier"]
optimizers = ["sgd_momentum", "adam"]
executions = ["cpu"]
batch_sizes = [4]
image_sizes = [8]
passes = 1
case_seconds = 0.2
warmup_seconds = 0.2

[faulty]
plugins = ["my_levels"]
structures = ["tiny", "raises", "diverges", "hungry", "crashes", "hangs", "misshapen", "picky"]
optimizers = ["sgd"]
executions = ["cpu"]
batch_sizes = [4]
image_sizes = [8]
passes = 1
case_seconds = 0.2
warmup_seconds = 0.2
"""


@dataclass(frozen=True)
class Done:
    """A pytest process that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Desk:
    """A user's folder from which `pytest cases` is run for real, in a separate process."""

    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, *arguments: str, command: str = "pytest") -> list[str]:
        """The command line of pytest or of `stepmark run`.

        Of a run that is not resumed with the folder's profiles, one thread, and no surveys: these take seconds for each
        case.
        """
        own = {"--profiles": str(self.folder / "profiles.toml"), "--threads": "1", "--surveys": "none"}
        missing = [word for pair in own.items() if pair[0] not in arguments for word in pair]
        quiet = ["-p", "no:cacheprovider", "-W", "error"]
        plan = [] if "--resume" in arguments else missing
        return [sys.executable, "-m", *COMMANDS[command], *quiet, *plan, *arguments]

    def run(self, *arguments: str, timeout_s: float = 180) -> Done:
        """Run to the end."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, command: str = "pytest") -> subprocess.Popen[bytes]:
        """Start, and leave it running, at most until the test is over."""
        line = self.command(*arguments, command=command)
        self.started.append(
            subprocess.Popen(line, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        return self.started[-1]


def furnish(folder: Path) -> None:
    """Write `profiles.toml` and `my_levels.py` into a user's folder."""
    (folder / "profiles.toml").write_text(PROFILES)
    (folder / "my_levels.py").write_text(MY_LEVELS.read_text())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A fresh user's folder with `profiles.toml` and `my_levels.py`."""
    furnish(tmp_path)
    desk = Desk(tmp_path)
    yield desk
    for running in desk.started:
        running.kill()
        running.wait()


@pytest.fixture
def _own_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The levels of the plug-in `my_tasks`, registered in this process until the test is over."""
    registry.load_levels()
    for one in (registry.INPUTS, registry.STRUCTURES, registry.TASKS):
        monkeypatch.setattr(one, "_levels", dict(one._levels))
    monkeypatch.syspath_prepend(str(FAKES))
    monkeypatch.delitem(sys.modules, "my_tasks", raising=False)
    registry.load_levels(("my_tasks",))


@dataclass(frozen=True)
class Finished:
    """A run that has ended, whose folder every test may read and none may change."""

    folder: Path
    done: Done


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run of two passes over the tiny profile, recorded in `here`, pytest-benchmark's rounds in `rounds.json`."""
    folder = tmp_path_factory.mktemp("finished")
    furnish(folder)
    words = ("--profile", "tiny", "--passes", "2", "--record", "here", "--benchmark-json", "rounds.json")
    return Finished(folder, Desk(folder).run(*words))


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for temporary files, here and in processes started; its path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        move_temporary_files(Path(folder), monkeypatch)
        yield Path(folder)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter and write.

    It is outside of pytest's: each session of pytest closes the folder above those to other users. So do sessions that
    other tests start at the same time.
    """
    with tempfile.TemporaryDirectory(prefix="stepmark open ") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


def move_temporary_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have temporary files made in a folder, here and in processes started."""
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)


def processes_below(pid: int) -> list[int]:
    """Ids of all processes started by `pid`, directly or not."""
    below: list[int] = []
    for child in children(pid):
        below += [child, *processes_below(child)]
    return below


def children(pid: int) -> list[int]:
    """Ids of the processes that `pid` started and that still run."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def awaited(holds: Callable[[], bool], within_s: float = 180.0) -> None:
    """Wait until something holds, which takes long on a machine that is shared; fail where it never does."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"still not so after {within_s:g} s"
        time.sleep(0.02)
