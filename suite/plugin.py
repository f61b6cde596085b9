"""pytest options, the test loop and fixtures; the only importer of pytest.

    collection       pytest selects cases as it selects tests: by path, -k, -m, --shard
    test loop        all passes over the selected cases run first, in an order of their own (suite.runner.scheduler)
    each test        replays its case's counted rounds to pytest-benchmark, or skips or fails with the reason
    end of session   footer, page, summary

The measuring happens in worker processes; this process only selects, judges when to stop, and writes.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from suite import report
from suite.analysis.estimates import counted
from suite.analysis.run_validity import doubts_of
from suite.analysis.settings_in_effect import without_effect
from suite.analysis.validity import summary
from suite.errors import ExitCode
from suite.frontend import plugin_conflicts
from suite.frontend.replay_clock import replay_clock
from suite.frontend.signals import Terminated, as_interruptions
from suite.machine import torchrun
from suite.matrix.cases import cases_of, matrix_of
from suite.matrix.profiles import CASES_FOLDER
from suite.matrix.selection import shard
from suite.options import OPTIONS, add_options, given_options
from suite.records import LEARN, Case, RunRecord, StepmarkError
from suite.records.atomic_files import refusal_of
from suite.records.failure_reason import attempted
from suite.runner.progress import ProgressLine
from suite.runner.session import LiveRun
from suite.runner.settings import Settings, machine_defaults, resolve_options

"""Exit code for what the user can mend."""
RUNS_FOLDER = Path("reports", "runs")
LEARNING = "learning"
"""Marker of the tests that replay the cases that learn."""


class Bench:
    """What the plugin knows in one session: settings, cases, and the run once it has begun."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cases = {case.id: case for case in self._cases()}
        self.run: LiveRun | None = None
        self.page = ""
        self.complete = False
        self.ended = 0  # exit code where a signal ended the session

    def _cases(self) -> list[Case]:
        if self.settings.resume is not None:
            planned = set(self.settings.resume.header.planned)
            return [case for case in matrix_of(self.settings.profile) if case.id in planned]
        cases = cases_of(self.settings.profile)
        return cases if self.settings.shard is None else shard(cases, self.settings.shard)

    def validity(self) -> str:
        """How many of the measured cases are steady, and how many others each doubt concerns."""
        outcomes = list(self.run.outcomes.values()) if self.run else []
        doubted = doubts_of(outcomes)
        return summary([doubted[one.case.id] for one in outcomes if one.outcome == "measured" and one.measurement])


BENCH = pytest.StashKey[Bench]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Stepmark's options; values are judged in `suite.runner.settings`, so that a wrong one is one sentence."""
    group = parser.getgroup("stepmark", "training-step benchmarks (stepmark)")
    add_options(group.addoption, OPTIONS)


def pytest_configure(config: pytest.Config) -> None:
    """Judge the options at once where the cases are asked for, before anything is collected or written."""
    config.addinivalue_line("markers", f"{LEARNING}: replays the cases that learn; tests without it replay all others")
    given = given_options(config.option, OPTIONS)
    asked = any(Path(argument.split("::")[0]).resolve().is_relative_to(CASES_FOLDER) for argument in config.args)
    if given or asked:
        bench_of(config)


def bench_of(config: pytest.Config) -> Bench:
    """The session's bench, made on first use; a wrong option ends the session with exit code 2."""
    if BENCH not in config.stash:
        is_worker = hasattr(config, "workerinput")
        if reason := plugin_conflicts.refusal(lambda name: config.getoption(name, None), is_worker=is_worker):
            pytest.exit(reason, ExitCode.WRONG_USAGE)
        with sentence():
            world = torchrun.world()
        if world and world.rank:
            pytest.exit("under torchrun start `stepmark run`, in which all ranks take part.", ExitCode.WRONG_USAGE)
        with sentence():
            config.stash[BENCH] = Bench(resolve_options(given_options(config.option, OPTIONS), machine_defaults()))
    return config.stash[BENCH]


class sentence:  # noqa: N801 - reads as a statement: with sentence(): ...
    """Within it, a `StepmarkError` or a refusal of the system ends the session with one sentence and exit code 2."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, StepmarkError):
            pytest.exit(str(error), ExitCode.WRONG_USAGE)
        if isinstance(error, OSError):
            pytest.exit(refusal_of(error), ExitCode.WRONG_USAGE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that replays a case runs once for each case of the profile: those that learn in tests marked
    `learning`, all others in the rest.
    """
    if is_ours(metafunc.definition):
        learning = metafunc.definition.get_closest_marker(LEARNING) is not None
        ids = [case.id for case in bench_of(metafunc.config).cases.values() if (case.mode == LEARN) == learning]
        metafunc.parametrize("case_id", ids, ids=ids)


def is_ours(item: pytest.Item) -> bool:
    """Whether a test replays cases: it is marked with our clock, which no name of another's fixture can be."""
    marker = item.get_closest_marker("benchmark")
    return marker is not None and marker.kwargs.get("timer") is replay_clock


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A profile without cases of a test's kind has nothing of it, not even something to skip."""
    items[:] = [item for item in items if not is_empty(item)]


def is_empty(item: pytest.Item) -> bool:
    """Whether an item is what pytest makes of a replaying test for which the profile has no case."""
    return replays(item) and not isinstance(item.callspec.params["case_id"], str)  # type: ignore[attr-defined]


def replays(item: pytest.Item) -> bool:
    """Whether an item is about a case of ours."""
    return is_ours(item) and "case_id" in getattr(getattr(item, "callspec", None), "params", ())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Before the tests: all passes over the cases that pytest selected."""
    ids = [case_id for item in session.items if (case_id := case_id_of(item))]
    if not ids or session.testsfailed or replays_nothing(session.config):
        return (yield)
    bench = bench_of(session.config)
    try:
        with as_interruptions():
            with sentence():
                bench.run = LiveRun(
                    bench.settings,
                    [bench.cases[case_id] for case_id in ids],
                    session.config.invocation_params.dir / RUNS_FOLDER,
                )
                run_passes(session.config, bench, bench.run)
            return (yield)
    except Terminated as error:
        bench.ended = error.exit_code
        raise


def case_id_of(item: pytest.Item) -> str:
    """The case that an item is about; empty where it is about none."""
    return str(item.callspec.params["case_id"]) if replays(item) else ""  # type: ignore[attr-defined]


def replays_nothing(config: pytest.Config) -> bool:
    """Whether no test is called, or each is skipped: there is nothing to measure for."""
    return any(config.getoption(name, False) for name in ("collectonly", "setuponly", "setupplan", "benchmark_skip"))


def run_passes(config: pytest.Config, bench: Bench, run: LiveRun) -> None:
    """All passes; ends early where `-x` or `--maxfail` has been reached."""
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    plan = bench.settings.plan
    shown = terminal is not None and config.option.verbose >= 0
    live = shown and terminal.isatty
    line = ProgressLine(
        plan.passes,
        terminal.write_line if shown else lambda _: None,
        (lambda text: terminal.rewrite(text, erase=True)) if live else None,
    )
    if run.note and terminal is not None:
        terminal.write_line(f"stepmark: {run.note}")
    failures = 0
    for record in run.measure(run.cases.values(), line.show):
        failures += record.outcome == "failed"
        if config.option.maxfail and failures >= config.option.maxfail:
            break
    line.close()


@pytest.fixture
def case_id() -> str:
    """The id of the case that a test is about; `pytest_generate_tests` gives each test one in this one's place."""
    raise AssertionError("a test of a case is parametrised")


@pytest.fixture
def case(case_id: str, pytestconfig: pytest.Config) -> Case:
    """The case that a test is about."""
    return bench_of(pytestconfig).cases[case_id]


@pytest.fixture
def replay(benchmark: Any, pytestconfig: pytest.Config) -> Callable[[Case], RunRecord]:
    """Hand a case's counted rounds to pytest-benchmark; skip or fail with the reason where there are none."""

    def replay_case(case: Case) -> RunRecord:
        record = outcome_of(case, pytestconfig)
        if record.outcome == "skipped":
            pytest.skip(record.reason)
        if record.outcome == "failed" or record.measurement is None:
            benchmark.disabled = True  # as by --benchmark-disable: one call, no figures
            benchmark(str)  # else pytest-benchmark warns that it was not used, which may count as an error here
            pytest.fail(record.reason, pytrace=False)
        rounds = [value for turn in counted(record.measurement) for value in turn]
        benchmark.extra_info.update(case_id=case.id, attributes=record.attributes)
        remaining = iter(rounds)

        def rewind() -> None:
            replay_clock.now_s = 0.0

        def next_round() -> None:
            replay_clock.now_s = next(remaining)

        benchmark.pedantic(next_round, setup=rewind, rounds=len(rounds), iterations=1, warmup_rounds=0)
        return record

    return replay_case


def outcome_of(case: Case, config: pytest.Config) -> RunRecord:
    """What became of a case; measured now where `-x` ended the passes before its last visit."""
    run = bench_of(config).run
    if run is None:
        pytest.skip("benchmarks are skipped")
    if case.id not in run.outcomes:
        with sentence():
            list(run.measure([case], show=lambda _: None))
    return run.outcomes[case.id]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End every process, then write footer and page."""
    bench = session.config.stash.get(BENCH, None)
    if bench is None or bench.run is None:
        return
    session.exitstatus = bench.ended or session.exitstatus
    with sentence(), bench.run as run:
        bench.complete = run.finish()
    bench.page = attempted(lambda: report.write_beside(run.folder / "record.jsonl"))


def resume_command(folder: Path) -> str:
    """The shell command that goes on with an interrupted run, in the folder in which this one was started."""
    start = ["pytest", "cases"] if Path("cases").resolve() == CASES_FOLDER else ["stepmark", "run"]
    return shlex.join([*start, "--resume", str(folder)])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The paths of what was written, and what to do with them."""
    bench = config.stash.get(BENCH, None)
    if bench is None or bench.run is None:
        return
    folder = bench.run.folder
    terminalreporter.section("stepmark")
    terminalreporter.line(f"record  {folder / 'record.jsonl'}")
    terminalreporter.line(f"report  {bench.page}")
    terminalreporter.line(f"trust   {attempted(bench.validity)}")
    for text in without_effect(bench.run.environment):
        terminalreporter.line(f"note    {text}")
    if not bench.complete:
        missing = len(bench.run.cases) - len(bench.run.outcomes)
        terminalreporter.line(f"interrupted: {missing} cases have no outcome; go on with: {resume_command(folder)}")
