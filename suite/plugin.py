"""Stepmark's pytest plug-in: options, test loop and fixtures.

    collection       pytest selects cases as it selects tests: by path, -k, -m, --shard
    test loop        first all passes over the selected cases, in another order (suite.runner.scheduler)
    each test        replays its case's kept rounds to pytest-benchmark, or skips or fails with the reason
    end of session   footer, page, summary

Worker processes measure. This process selects, decides when to stop, and writes. No other module imports pytest.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from suite import report
from suite.analysis.case_figures import kept_values
from suite.configuration.files import configuration_here
from suite.errors import ExitCode
from suite.frontend import plugin_conflicts
from suite.frontend.pytest_session import Bench, bench_for, from_here, summary_lines
from suite.frontend.replay_clock import replay_clock
from suite.frontend.signals import as_interruptions, exit_code_of
from suite.machine import torchrun
from suite.options import OPTIONS, add_options, given_options
from suite.provenance.installation import CASES_FOLDER
from suite.records import LEARN, Case, RunRecord, StepmarkError
from suite.records.atomic_files import refusal_of
from suite.records.failure_reason import attempted
from suite.records.result_folders import runs_folder
from suite.runner.progress import ProgressLine
from suite.runner.session import RunSession
from suite.runner.settings import machine_defaults, resolve_options

if TYPE_CHECKING:
    from suite.frontend.live_table import LiveTable

ADDED = "PYTEST_ADDOPTS"
LEARNING = "learning"
"""Marker of tests that replay learning cases."""
BENCH = pytest.StashKey[Bench]()
COLLECTED = pytest.StashKey[tuple[str, ...]]()
"""Ids of the cases as collected: `--order-seed` gives the same order if another plug-in shuffles the tests."""
REPLAYS = pytest.StashKey[frozenset[str]]()
"""Names of the tests that replay cases."""
NO_CASE = None
"""Parameter of a test without cases, which is removed again."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add Stepmark's options. `resolve_options` checks their values."""
    add_options(parser.getgroup("stepmark", "training-step benchmarks (stepmark)").addoption, OPTIONS)


def pytest_configure(config: pytest.Config) -> None:
    """Check the options before anything is collected, if cases are asked for."""
    config.addinivalue_line("markers", f"{LEARNING}: replays learning cases; tests without it replay all other cases")
    names_cases = any(Path(word.split("::")[0]).resolve().is_relative_to(CASES_FOLDER) for word in config.args)
    if names_cases or given_options(config.option, OPTIONS):
        bench_of(config)


def bench_of(config: pytest.Config) -> Bench:
    """The session's bench, made on first use. A wrong option ends the session."""
    if BENCH not in config.stash:
        with one_sentence():
            refuse_session(config)
            configuration = configuration_here(config.invocation_params.dir)
            settings = resolve_options(given_options(config.option, OPTIONS), machine_defaults(), configuration)
            config.stash[BENCH] = bench_for(settings, configuration.records)
    return config.stash[BENCH]


def refuse_session(config: pytest.Config) -> None:
    """Refuse a session in which no case can be measured.

    Raises:
        StepmarkError: another plug-in's option prevents it, or torchrun started this process as a further rank.
    """
    is_worker = hasattr(config, "workerinput")
    if reason := plugin_conflicts.refusal(lambda name: config.getoption(name, None), is_worker=is_worker):
        raise StepmarkError(reason)
    world = torchrun.world()
    if world and world.rank:
        raise StepmarkError("under torchrun start `stepmark run`, in which all ranks take part.")


@contextmanager
def one_sentence() -> Iterator[None]:
    """End the session with one sentence and exit code 2 at an error for the user."""
    try:
        yield
    except StepmarkError as error:
        pytest.exit(str(error), ExitCode.WRONG_USAGE)
    except OSError as error:
        pytest.exit(refusal_of(error), ExitCode.WRONG_USAGE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a replaying test once for each case of the profile.

    Tests marked `learning` replay the learning cases, the others replay all other cases.
    """
    if is_ours(metafunc.definition):
        learning = metafunc.definition.get_closest_marker(LEARNING) is not None
        ids = [case.id for case in bench_of(metafunc.config).cases.values() if (case.mode == LEARN) == learning]
        metafunc.parametrize("case_id", ids or [NO_CASE], ids=ids or ["none"])  # an empty list may be an error


def is_ours(item: pytest.Item) -> bool:
    """Whether a test replays cases: its `benchmark` marker has our clock."""
    marker = item.get_closest_marker("benchmark")
    return marker is not None and marker.kwargs.get("timer") is replay_clock


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Remove tests without a case, before other plug-ins deselect or shuffle."""
    items[:] = [item for item in items if not is_empty(item)]
    config.stash[COLLECTED] = tuple(dict.fromkeys(map(case_id_of, items)))
    config.stash[REPLAYS] = frozenset(item.nodeid for item in items if replays(item))
    return (yield)


def is_empty(item: pytest.Item) -> bool:
    """Whether an item stands for a test without cases."""
    return replays(item) and not isinstance(item.callspec.params["case_id"], str)  # type: ignore[attr-defined]


def replays(item: pytest.Item) -> bool:
    """Whether an item replays a case."""
    return is_ours(item) and "case_id" in getattr(getattr(item, "callspec", None), "params", ())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Measure all passes over the selected cases, then run the tests."""
    selected = set(map(case_id_of, session.items)) - {""}
    ids = [case_id for case_id in session.config.stash.get(COLLECTED, ()) if case_id in selected]
    is_over = session.testsfailed and not session.config.option.continue_on_collection_errors
    if not ids or is_over or replays_nothing(session.config):
        return (yield)
    bench = bench_of(session.config)
    try:
        with as_interruptions():
            with one_sentence():
                measure_passes(session.config, bench, [bench.cases[case_id] for case_id in ids])
            return (yield)
    except KeyboardInterrupt as error:
        bench.signal_code = exit_code_of(error)
        raise


def case_id_of(item: pytest.Item) -> str:
    """Id of the case that an item replays; empty if it replays none."""
    return str(item.callspec.params["case_id"]) if replays(item) else ""  # type: ignore[attr-defined]


def replays_nothing(config: pytest.Config) -> bool:
    """Whether pytest calls no test, so that nothing has to be measured."""
    return any(config.getoption(name, False) for name in ("collectonly", "setuponly", "setupplan", "benchmark_skip"))


def measure_passes(config: pytest.Config, bench: Bench, cases: list[Case]) -> None:
    """Measure all passes over the cases; `-x` and `--maxfail` end them early."""
    bench.run = run = RunSession(bench.settings, cases, runs_folder(config.invocation_params.dir / bench.records))
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    if run.note and terminal is not None:
        terminal.write_line(f"stepmark: {run.note}")
    progress = progress_on(config, terminal, bench.settings.plan.passes)
    failures = 0
    try:
        for record in run.measure(run.cases.values(), progress.show):
            failures += record.outcome == "failed"
            if config.option.maxfail and failures >= config.option.maxfail:
                break
    finally:
        progress.close()


def progress_on(config: pytest.Config, terminal: Any, passes: int) -> ProgressLine | LiveTable:
    """Progress on pytest's terminal.

    A table on a screen, a line on a small one, a line a pass in a pipe, and nothing with `-q`.
    """
    if terminal is None or config.option.verbose < 0:
        return ProgressLine(passes, lambda _: None, None)
    if not terminal.isatty:
        return ProgressLine(passes, terminal.write_line, None)
    from suite.frontend.live_table import LiveTable, Screen  # rich loads for a terminal alone

    encoding = getattr(sys.__stdout__, "encoding", None) or "ascii"
    table = LiveTable(passes, Screen(terminal.write, terminal.flush, encoding), has_colours=terminal.hasmarkup)
    return table if table.fits else ProgressLine(passes, terminal.write_line, partial(terminal.rewrite, erase=True))


@pytest.fixture
def case_id() -> str:
    """Id of a test's case; `pytest_generate_tests` replaces this fixture."""
    raise AssertionError("a test of a case is parametrised")


@pytest.fixture
def case(case_id: str, pytestconfig: pytest.Config) -> Case:
    """The case of a test."""
    return bench_of(pytestconfig).cases[case_id]


@pytest.fixture
def replay(benchmark: Any, pytestconfig: pytest.Config) -> Callable[[Case], RunRecord]:
    """Hand a case's kept rounds to pytest-benchmark; skip or fail with the reason."""

    def replay_case(case: Case) -> RunRecord:
        record = outcome_of(case, pytestconfig)
        if record.outcome == "skipped":
            pytest.skip(record.reason)
        if record.outcome == "failed" or record.measurement is None:
            benchmark.disabled = True  # as by --benchmark-disable: one call, no figures
            benchmark(str)  # else pytest-benchmark warns that it was not used, which may count as an error here
            pytest.fail(record.reason, pytrace=False)
        benchmark.extra_info.update(case_id=case.id, attributes=record.attributes)
        replay_rounds(benchmark, kept_values(record.measurement))
        return record

    return replay_case


def replay_rounds(benchmark: Any, rounds_s: list[float]) -> None:
    """Let pytest-benchmark time rounds of these lengths by our clock."""
    remaining = iter(rounds_s)

    def rewind() -> None:
        replay_clock.now_s = 0.0

    def next_round() -> None:
        replay_clock.now_s = next(remaining)

    benchmark.pedantic(next_round, setup=rewind, rounds=len(rounds_s), iterations=1, warmup_rounds=0)


def outcome_of(case: Case, config: pytest.Config) -> RunRecord:
    """The outcome of a case; measured now if `-x` ended the passes before."""
    run = bench_of(config).run
    if run is None:
        pytest.skip("benchmarks are skipped")
    if case.id not in run.outcomes:
        with one_sentence():
            list(run.measure([case], show=lambda _: None))
    return run.outcomes[case.id]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End every process, then write footer and page."""
    bench = session.config.stash.get(BENCH, None)
    if bench is None:
        return
    session.exitstatus = bench.signal_code or session.exitstatus
    if bench.run is None:  # interrupted while its first process started
        return
    with one_sentence(), bench.run as run:
        bench.is_complete = run.finish()
    bench.page = attempted(lambda: from_here(report.write_beside(run.folder / "record.jsonl")))


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_benchmark_group_stats(config: pytest.Config) -> Generator[None, Any, Any]:
    """Leave cases out of pytest-benchmark's table, unless its options are given.

    Our table has them, and fits a screen. Other benchmarks stay, and files have all.
    """
    groups = yield
    if asks_for(config, "--benchmark-"):
        return groups
    ours = config.stash.get(REPLAYS, frozenset())
    others = [(name, [one for one in found if one["fullname"] not in ours]) for name, found in groups]
    return [(name, found) for name, found in others if found]


def asks_for(config: pytest.Config, beginning: str) -> bool:
    """Whether an option that begins so is an argument, or an added one."""
    words = [*config.invocation_params.args, *config.getini("addopts"), *shlex.split(os.environ.get(ADDED, ""))]
    return any(str(word).startswith(beginning) for word in words)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print where the results are, and what to do with them."""
    bench = config.stash.get(BENCH, None)
    if bench is not None and bench.run is not None:
        terminalreporter.section("stepmark")
        for text in summary_lines(bench, bench.run, has_colours=terminalreporter.hasmarkup):
            terminalreporter.line(text)
