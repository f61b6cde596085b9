"""The live table: drawn between turns, by no thread, and gone without a trace when the run ends."""

import threading

import pytest

from suite.frontend import live_table
from suite.frontend.live_table import ROWS, LiveTable, Screen
from suite.records import Case, Rounds, RunPlan, RunRecord, Series, VisitResult
from suite.runner import progress
from suite.runner.events import CaseDone, Started, VisitDone
from suite.runner.scheduler import Scheduler
from tests.fakes import made_runs
from tests.fakes.fake_workers import FakeWorker, FakeWorkers

CASE = Case("seed_cnn", "adam", "cpu")
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"


class Written:
    """All that a table writes, and when it does."""

    def __init__(self):
        self.text, self.threads = "", set()

    def write(self, text):
        self.text += text
        self.threads.add(threading.get_ident())

    def table(self, passes=2, **options):
        """A table on this screen."""
        return LiveTable(passes, Screen(self.write, lambda: None, "utf-8"), **options)


@pytest.fixture
def written(monkeypatch):
    """A screen of 100 columns and 30 lines, on which every event is drawn."""
    monkeypatch.setattr(live_table, "REDRAWN_S", 0.0)
    for name, value in {"COLUMNS": "100", "LINES": "30", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    return Written()


def visited(case: Case, step_s: float = 0.005, **options) -> VisitDone:
    """The end of a visit with ten rounds of the same length."""
    visit = made_runs.visit(1, (10,), **options)
    rounds = Rounds((Series(made_runs.METRICS["step_time"], (step_s,) * 10),))
    return VisitDone(case, 1, 0.5, VisitResult(visit, (rounds,)))


def test_the_table_has_the_progress_and_the_fastest_cases_so_far(written):
    table = written.table()
    for place in reversed(range(ROWS + 2)):
        table.show(visited(Case(f"net{place}", "adam", "cpu"), 0.005 + place / 1000, steady=place != 1))
    written.text = ""
    table.show(Started(Case("net2", "adam", "cpu"), 1, 0.5, lambda: [0.0062, 0.0061, 0.0065]))
    lines = written.text.splitlines()
    assert any("pass 2/2  net2-adam-cpu" in line for line in lines)
    assert any(f"fastest so far, of {ROWS + 2}" in line for line in lines)
    rows = [line.split() for line in lines if line.startswith("net")]
    assert [row[0] for row in rows] == [f"net{place}-adam-cpu" for place in range(ROWS)]
    assert rows[0][1:] == ["5.000", "ms", "1", "of", "2"]
    assert rows[1][1:] == ["6.000", "ms", "1", "of", "2", "not", "steady"]
    assert rows[2][1:] == ["6.600", "ms", "1", "of", "2", "measuring"]


def test_a_failure_stays_above_the_table(written):
    table = written.table()
    table.show(visited(CASE))
    table.show(CaseDone(CASE, 1, 0.5, RunRecord(CASE, "failed", "the loss is nan\x1b[2J: the step does not train")))
    assert "failed: seed_cnn-adam-cpu: the loss is nan" in written.text
    assert "\x1b[2J" not in written.text


def test_the_cursor_comes_back(written):
    table = written.table()
    table.show(Started(CASE, 0, 0.1))
    assert HIDDEN in written.text
    assert SHOWN not in written.text
    table.close()
    assert written.text.rfind(SHOWN) > written.text.rfind(HIDDEN)


def test_a_table_that_was_never_drawn_writes_nothing(written):
    written.table().close()
    assert written.text == ""


def test_an_event_soon_after_another_is_not_drawn(written, monkeypatch):
    monkeypatch.setattr(live_table, "REDRAWN_S", 1e6)
    monkeypatch.setattr(progress, "monotonic", lambda: 2e6)
    table = written.table()
    table.show(Started(CASE, 0, 0.1))
    once = written.text
    table.show(Started(CASE, 0, 0.2))
    assert written.text == once != ""
    table.close()


def test_nothing_is_written_while_a_worker_measures(written, monkeypatch):
    measure, write = FakeWorker.measure, written.write
    measuring: list[bool] = []

    def measured(worker, **asked):
        measuring.append(True)
        rounds = measure(worker, **asked)
        measuring.pop()
        return rounds

    def judged(text):
        assert not measuring
        write(text)

    monkeypatch.setattr(FakeWorker, "measure", measured)
    monkeypatch.setattr(written, "write", judged)
    cases = [Case(f"net{place}", "adam", "cpu") for place in range(3)]
    plan = RunPlan(passes=2, case_seconds=0.5, warmup_seconds=0.1)
    table = written.table()
    for event in Scheduler(plan, FakeWorkers(), look=lambda: None).run(cases):
        table.show(event)
    table.close()
    assert written.text.count("net2-adam-cpu") > 3


def test_no_thread_draws(written):
    before = threading.active_count()
    table = written.table()
    for share in (0.1, 0.2, 0.3):
        table.show(Started(CASE, 0, share))
    assert threading.active_count() == before
    table.close()
    assert written.threads == {threading.get_ident()}


def test_colours_are_for_terminals_that_have_them(written):
    table = written.table()
    table.show(visited(CASE))
    assert "\x1b[1m" not in written.text
    coloured = written.table(has_colours=True)
    coloured.show(visited(CASE))
    assert "\x1b[1m" in written.text


@pytest.mark.parametrize(
    ("variables", "fits"),
    [({}, True), ({"LINES": "10"}, False), ({"COLUMNS": "40"}, False), ({"TERM": "dumb"}, False)],
)
def test_a_small_or_a_dumb_terminal_has_no_table(written, monkeypatch, variables, fits):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert written.table().fits == fits
