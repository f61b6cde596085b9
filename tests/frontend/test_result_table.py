"""The table at the end of a run: it fits, ranks among all cases, and obeys no text of a record."""

import re
from dataclasses import replace

import pytest

from suite.analysis.case_figures import figures_of
from suite.analysis.issue import Issue
from suite.frontend.result_table import SHOWN, outcome_lines, result_lines, table_lines
from suite.overview import overview
from suite.overview.filtering import filtered
from suite.records import Case, Metric, RunRecord, Series
from suite.units import text as with_unit
from tests.fakes import made_runs

PEAK = Metric("memory_peak_forward", "B", "lower", "Highest resident set.")
LONG = Case(
    "a_structure_with_a_long_name_d8w32", "sgd_nesterov_foreach", "data_parallel", "channels_last", batch_size=128
)


@pytest.fixture(scope="module")
def quick():
    """25 measured cases, 6 skipped and 2 failed ones."""
    return made_runs.quick_run()


def test_a_row_has_rank_case_median_interval_and_verdict(quick):
    lines = list(result_lines(quick, width=100))
    assert lines[0].split() == ["#", "case", "step", "time", "95", "%", "interval", "verdict"]
    best = min((one for one in figures_of(quick.cases).values()), key=lambda one: one.step_time.median)
    assert lines[1].split()[:4] == ["1", best.case.id, *with_unit(best.step_time.median, "s").split()]
    assert lines[1].endswith("  steady")
    assert "" in lines


def test_the_sentences_of_the_overview_follow(quick):
    lines = list(result_lines(quick, width=100))
    assert " ".join(" ".join(lines[lines.index("") :]).split()) == " ".join(overview(quick).sentences)


@pytest.mark.parametrize("width", [80, 100])
def test_long_ids_and_peaks_of_memory_fit(width):
    measured = made_runs.measured(LONG, 0.123)
    peaked = replace(measured, measurement=replace(measured.measurement, surveyed=(Series(PEAK, (2.0**30,)),)))
    run = made_runs.run([peaked, made_runs.measured(Case("seed_cnn", "adam", "cpu"), 0.001)])
    lines = list(result_lines(run, width=width))
    assert max(map(len, lines)) <= width
    assert "1.000 GiB" in "\n".join(lines)
    whole = "".join(line.split()[-1 if line.startswith("   ") else 1] for line in lines[2 : lines.index("")])
    assert whole == LONG.id
    assert all("steady" in line for line in lines[1:3])


def test_a_long_verdict_gives_way_before_an_id_does(quick):
    issues = tuple(Issue(kind, "") for kind in ("loaded", "threads share a core", "memory-hungry neighbour"))
    case = made_runs.measured(Case("residual_d8w32", "sgd_momentum", "data_parallel"), 0.01)
    (figures,) = figures_of([case]).values()
    lines = table_lines([(1, replace(figures, issues=issues))], 100, has_colours=False)
    assert lines[1].split()[1] == case.case.id
    assert max(map(len, lines)) <= 100
    verdict = " ".join(line[lines[0].index("verdict") :].strip() for line in lines[1:])
    assert verdict == "loaded, threads share a core, memory-hungry neighbour"


def test_some_cases_keep_their_rank_among_all(quick):
    some = filtered(quick, "structure:resnet18 outcome:measured")
    everywhere = [line.split()[:2] for line in result_lines(quick, width=100, shows_all=True)]
    rows = [line.split()[:2] for line in result_lines(some, width=100)]
    rows = [row for row in rows if row[1:] and row[1].startswith("resnet18")]
    assert rows
    assert all(row in everywhere for row in rows)


def test_more_cases_than_a_screen_has_lines_are_counted():
    records = [
        made_runs.measured(Case(f"net{place}", "adam", "cpu"), 0.001 + place / 1e5) for place in range(SHOWN + 2)
    ]
    run = made_runs.run(records)
    lines = list(result_lines(run, width=100))
    assert sum("net" in line for line in lines[: SHOWN + 1]) == SHOWN
    assert "2 slower cases are not shown; `stepmark show RECORD --all` shows them" in lines
    assert sum(" net" in line for line in list(result_lines(run, width=100, shows_all=True))[: SHOWN + 3]) == SHOWN + 2


def test_colours_are_for_terminals_alone(quick):
    assert "\x1b" not in "".join(result_lines(quick, width=100))
    coloured = list(result_lines(quick, width=100, has_colours=True))
    assert "\x1b[1m" in coloured[0]
    assert [re.sub(r"\x1b\[\d*m", "", line).rstrip() for line in coloured] == list(result_lines(quick, width=100))


def test_no_text_of_a_record_reaches_the_terminal_as_a_command():
    case = Case("\x1b]0;owned\x07[red]net", "adam", "cpu")
    run = made_runs.run([made_runs.measured(case, 0.001), RunRecord(Case("a", "b", "c"), "failed", "\x1b[2J\r\nall")])
    text = "\n".join([*result_lines(run, width=100), *outcome_lines(run)])
    assert not set(text) & {"\x1b", "\x07", "\r"}
    assert "[red]net" in text


def test_reasons_of_skipped_and_failed_cases_are_counted(quick):
    assert list(outcome_lines(quick)) == [
        "skipped 6: execution cuda: no CUDA device is visible",
        "failed 1: the worker was killed by signal 9, 2 times in a row",
        "failed 1: the loss is nan: the step does not train",
    ]


def test_a_run_without_a_measured_case_has_sentences_and_no_table():
    run = made_runs.run([RunRecord(Case("seed_cnn", "adam", "cuda"), "skipped", "no CUDA device is visible")])
    assert next(iter(result_lines(run, width=100))) == "No case was measured, so there is no best case."
