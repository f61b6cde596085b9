"""The page: true to the record, whole, inert, small, and written at once or not at all."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite import report, units
from suite.analysis.case_figures import figures_of
from suite.analysis.estimates import throughput
from suite.analysis.intervals import estimates
from suite.records import Case, Metric, Run, RunPlan, RunRecord, Series, StepmarkError, WorkerSettings
from suite.records.store import read_run
from suite.report import charts, svg
from suite.report.provenance import command
from suite.report.views import headline
from suite.report.views.other_metrics import other_metrics
from tests.conftest import GOLDEN
from tests.fakes.html_page import Page
from tests.fakes.made_runs import (
    ENVIRONMENT,
    STRUCTURES,
    attributes_of,
    large_run,
    measured,
    measurement,
    quick_run,
    run,
    visit,
)

HOSTILE = "\"'><script>alert(1)</script></script><img src=x onerror=alert(2)>{{ 7 * 7 }}<!--"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def quick() -> Page:
    return Page(report.render(quick_run()))


def test_every_planned_case_stands_on_the_page() -> None:
    made = quick_run(complete=False)
    page = Page(report.render(made))
    words = "".join(page.words(section) for section in ("ranking", "skipped"))
    assert [case_id for case_id in made.header.planned if case_id not in words] == []


def test_figures_are_the_estimates_of_the_counted_rounds(quick: Page) -> None:
    rows = {row["Case"].split()[0]: row for row in by_title(quick, "ranked")}
    records = [record for record in quick_run().cases if record.outcome == "measured"]
    assert len(rows) == len(records)
    known = estimates(records)
    for record in records:
        assert record.measurement
        expected = known[record.case.id]
        row = rows[record.case.id]
        assert row["Step time"] == units.text(expected.median, "s")
        assert row["95 % interval"] == units.interval(expected.low, expected.high, "s")
        assert row["Throughput"] == units.text(throughput(record.measurement, record.case.batch_size), "count")
        assert row["Rounds"] == f"{expected.rounds} / {len(record.measurement.values('step_time'))}"


def by_title(page: Page, table: str) -> list[dict[str, str]]:
    """Each row of a table, its cells by the titles of their columns."""
    titles = [one.words.strip() for one in page.all("span", table) if not one.attributes]
    return [dict(zip(titles, row, strict=True)) for row in page.rows(table)]


def test_rows_are_ranked_by_step_time(quick: Page) -> None:
    rows = quick.rows("ranked")
    assert [row[0] for row in rows] == [str(rank) for rank in range(1, 26)]
    assert rows[0][1].startswith("seed_cnn-sgd_momentum-cpu")
    assert rows[-1][1].startswith("resnet18-rmsprop-cpu")


def test_the_first_screen_has_three_sentences_and_the_best_case_of_each_structure(quick: Page) -> None:
    assert len([one for one in quick.all("p", "headline") if one.attributes.get("class") == "sentence"]) == 3
    words = quick.words("headline")
    assert "The fastest case is seed_cnn-sgd_momentum-cpu with 1.107 ms a step [" in words
    assert "33 cases: 25 measured, 6 skipped, 2 failed." in words
    assert "interrupted" not in words
    rows = by_title(quick, "best")
    assert {row["Case"].split("-")[0] for row in rows} == set(STRUCTURES)
    ranked = {row["Case"].split()[0]: row for row in by_title(quick, "ranked")}
    for row in rows:
        same = ("Step time", "95 % interval", "Throughput", "Peak memory")
        assert [row[title] for title in same] == [ranked[row["Case"]][title] for title in same]
    assert rows[0]["Times"] == "1.00 ×"


def test_structures_beyond_the_eighth_are_counted_under_the_first_table() -> None:
    records = [measured(Case(f"plain_d{depth}w32", "adam", "cpu"), 0.001 * depth) for depth in range(1, 12)]
    page = Page(report.render(run(records)))
    assert len(page.rows("best")) == 8
    assert "3 more structures are in the ranked table" in page.words("headline")


@pytest.mark.parametrize(
    ("environment", "record_path", "complete", "chips"),
    [
        ({"commit": {"revision": "0123456789abcdef", "dirty": False}}, "", True, ["commit 01234567"]),
        ({"commit": {"revision": None, "dirty": True, "diff_sha256": "77"}}, "", True, ["dirty working tree"]),
        ({"container": {"image": {"config_digest": "sha256:fedcba9876"}}}, "", True, ["image fedcba98"]),
        ({"software": {"lock_sha256": "793d04d936c5"}}, "", False, ["partial run", "lock 793d04d9"]),
        ({}, "reports/published/x/record.jsonl", True, ["published run"]),
        ({"commit": "none", "container": None}, "reports/runs/x/record.jsonl", True, []),
    ],
)
def test_chips_say_what_the_run_is_and_copy_whole_hashes(environment, record_path, complete, chips) -> None:  # type: ignore[no-untyped-def]
    made = run([measured(Case("seed_cnn", "adam", "cpu"), 0.001)], environment=environment, complete=complete)
    page = Page(report.render(made, record_path=record_path))
    found = page.all("li", "headline")
    assert [one.words.strip() for one in found] == chips
    whole = [one.attributes["data-copy"] for one in found if "data-copy" in one.attributes]
    assert all(text in str(environment) for text in whole)


def test_a_finding_links_to_its_cases() -> None:
    page = Page(report.render(quick_run()))
    links = [one.attributes["href"] for one in page.all("a", "findings")]
    assert links
    assert all(link.startswith("#filter=") for link in links)


def test_an_interrupted_run_says_so() -> None:
    words = Page(report.render(quick_run(complete=False))).words("headline")
    assert "This run is interrupted: 2 of 35 planned cases have no outcome" in words
    without_footer = Page(report.render(replace(quick_run(), footer=None))).words("headline")
    assert "the record has no footer, though all 33 planned cases have an outcome" in without_footer


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (run([]), "No case was measured: the run planned none."),
        (run([], missing=["a-b-cpu"], complete=False), "No case was measured: 1 without an outcome."),
        (run([RunRecord(Case("a", "b", "cuda"), "skipped", "no device")]), "No case was measured: 1 skipped."),
        (run([RunRecord(Case("a", "b", "cpu"), "measured")]), "No case was measured: 1 without a recorded round."),
    ],
)
def test_an_empty_ranking_says_why_and_loads_no_chart(made: object, reason: str) -> None:
    page = Page(report.render(made))  # type: ignore[arg-type]
    assert reason in page.words("headline")
    assert reason in page.words("ranking")
    assert reason in page.words("structures")
    assert len(page.all("script")) == 1


def test_outcomes_without_a_number_are_grouped_by_reason(quick: Page) -> None:
    words = quick.words("skipped")
    assert (
        "skipped 6 cases execution cuda: no CUDA device is visible All of them have execution cuda; no measured"
        in words
    )
    assert "failed 1 case the loss is nan: the step does not train" in words
    assert "All of them have batch size 128; no measured case has. seed_cnn-rmsprop-cpu-b128" in words


def test_a_failed_case_shows_the_figures_of_its_earlier_passes(quick: Page) -> None:
    assert "seed_cnn-rmsprop-cpu-b128 1 pass before the failure: 2.095 ms" in quick.words("skipped")
    assert not any("b128" in row[1] for row in quick.rows("ranked"))


def test_data_quality_remarks_on_what_deserves_less_trust(quick: Page) -> None:
    words = quick.words("quality")
    assert "1 of 74 visits was not steady" in words
    assert "1 of 74 visits ran out of time" in words
    assert "1 of 25 cases has passes that differ by 5 % or more" in words
    assert "pass 1: the step time had not settled when the warm-up's time was spent resnet18-sgd-cpu" in words
    row = next(row for row in quick.rows("remarks") if row[0] == "resnet18-sgd-cpu")
    assert row[1:] == ["1 of 2", "1 of 2", "35 %", "1.184"], "four turns show no levels: no case has a validity"
    assert f"{25 - len(quick.rows('remarks'))} measured cases without a remark are not listed" in words


def test_a_case_that_is_not_steady_is_named_with_what_was_seen() -> None:
    record = measured(Case("seed_cnn", "adam", "cpu"), 0.01)
    seen = Series(Metric("others_cores", "1", "lower", ""), (0.9, 0.9, 0.9))
    loaded = replace(record, measurement=replace(record.measurement, per_visit=(seen,)))
    page = Page(report.render(run([loaded, measured(Case("seed_cnn", "sgd", "cpu"), 0.01)])))
    assert page.rows("remarks")[0][1:4] == [
        "loaded",
        "other processes used 0.90 cores on average",
        "stop the other processes, or pin the run to idle cores with taskset",
    ]
    assert "1 of 2 cases is not steady" in page.words("quality")
    assert "1 of 2 measured cases was disturbed from outside, and 1 is steady (loaded 1)" in page.words("headline")


def test_rounds_that_count_although_disturbed_are_marked() -> None:
    case = Case("seed_cnn", "adam", "cpu")
    busy = measurement([0.001] * 20, [visit(0, (10, 10))], queued=[True] * 20)
    page = Page(report.render(run([RunRecord(case, "measured", "", {}, busy)])))
    assert "100 % (all kept)" in page.rows("remarks")[0]


def test_the_environment_is_shown_in_full(quick: Page) -> None:
    words = quick.words("environment")
    for expected in (
        "memory 16.00 GiB",
        "cores usable 2",
        "steal share since boot 0.013",
        "OMP_NUM_THREADS 1",
        "dirty no",
        "revision 6723e12",
        f"case seconds {RunPlan().case_seconds:.2f} s",
        "target precision 2.00 %",
        "load 1min 1.5",
        "finished 2026-01-02T03:14:05+00:00",
    ):
        assert expected in words
    assert json.loads(quick.words("json")) == ENVIRONMENT


def test_times_of_resuming_are_shown() -> None:
    made = quick_run()
    assert made.footer
    footer = replace(made.footer, resumed=({"at": "2026-01-02T04:00:00+00:00", "load": {"load_1min": 0.5}},))
    words = Page(report.render(replace(made, footer=footer))).words("environment")
    assert "resumed 1 at 2026-01-02T04:00:00+00:00" in words


def test_a_warning_about_the_record_is_shown() -> None:
    words = Page(report.render(replace(quick_run(), warnings=("the last line is torn",)))).words("quality")
    assert "Record: the last line is torn." in words


def hostile_page() -> str:
    case = Case(HOSTILE, HOSTILE, HOSTILE)
    attributes = {**attributes_of(case), HOSTILE: {HOSTILE: HOSTILE}}
    good = measured(case, 0.001)
    assert good.measurement
    warned = replace(good, attributes=attributes, measurement=replace(good.measurement, warnings=(HOSTILE,)))
    records = [warned, RunRecord(Case("a", "b", HOSTILE), "failed", HOSTILE), RunRecord(case, "skipped", HOSTILE)]
    environment = {HOSTILE: {HOSTILE: HOSTILE}, "list": [HOSTILE, {HOSTILE: [HOSTILE]}], "plain": HOSTILE}
    selection = {"profile": HOSTILE, "profiles_file": HOSTILE, HOSTILE: [HOSTILE]}
    made = run(records, missing=[HOSTILE], complete=False, run_id=HOSTILE, environment=environment, selection=selection)
    return report.render(replace(made, warnings=(HOSTILE,)), record_path=HOSTILE)


def test_hostile_text_is_inert() -> None:
    page, honest = Page(hostile_page()), Page(report.render(quick_run()))
    scripts = [one.attributes for one in honest.all("script")]
    assert [one.attributes for one in page.all("script") if one.attributes not in scripts] == []
    assert len(page.all("script")) <= len(scripts)
    assert page.all("img") == []
    assert not [one for one in page.elements if any(name.startswith("on") for name in one.attributes)]
    assert {one.tag for one in page.elements} <= {one.tag for one in honest.elements}
    for section in ("headline", "ranking", "skipped", "quality", "environment"):
        assert HOSTILE in page.words(section)
    assert json.loads(page.words("columns"))["levels"]["structure"] == [HOSTILE]


def test_nothing_is_loaded_from_anywhere(quick: Page) -> None:
    assert {one.tag for one in quick.elements}.isdisjoint({"link", "img", "iframe", "object", "embed", "base"})
    for one in quick.elements:
        assert "src" not in one.attributes
        assert one.attributes.get("href", "#").startswith("#")
    style = quick.all("style")[0].words
    assert "url(" not in style
    assert "@import" not in style


def test_the_content_security_policy_refuses_all_but_inline() -> None:
    metas = Page(report.render(run([]))).all("meta")
    policy = next(one.attributes["content"] for one in metas if "content" in one.attributes)
    assert policy.startswith("default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:")
    assert "unsafe-eval" not in policy


def test_the_command_measures_the_case_again_as_this_run_did() -> None:
    plan, workers = RunPlan(passes=5, target_precision=0.01), WorkerSettings(threads=2, allocator="default")
    made = run([], plan=plan, workers=workers, selection={"profile": "mine", "profiles_file": "my dir/p.toml"})
    assert shlex.split(command(made, "a-b-cpu")) == [
        *("stepmark", "run"),
        "cases/test_training_step.py::test_training_step[a-b-cpu]",
        *("--profile", "mine", "--profiles", "my dir/p.toml"),
        *("--passes", "5", "--target-precision", "1", "--case-seconds", "4", "--warmup-seconds", "1"),
        *("--case-timeout", "120", "--interleave", "8", "--threads", "2", "--allocator", "default"),
        *("--priority", "high", "--surveys", "all", "--order-seed", "0"),
    ]
    assert "--profile" not in command(run([], selection={}), "a-b-cpu")


def test_each_row_of_a_small_run_has_its_command(quick: Page) -> None:
    first = quick.rows("ranked")[0][1]
    assert command(quick_run(), "seed_cnn-sgd_momentum-cpu") in first
    assert "parameters 78042" in first


@pytest.mark.slow
def test_the_command_for_any_case_stands_once_on_a_page() -> None:
    failed = RunRecord(Case("seed_cnn", "lbfgs", "cpu"), "failed", "the loss is nan: the step does not train")
    large = large_run(801)
    for made in (quick_run(), large, replace(large, cases=(*large.cases, failed)), run([failed])):
        assert report.render(made).count("CASE</code> by its id: ") == 1


@pytest.mark.parametrize(
    ("count", "limit"),
    [
        pytest.param(1_000, 2 * MEGABYTE, marks=pytest.mark.slow),
        pytest.param(10_000, 6 * MEGABYTE, marks=pytest.mark.nightly),
    ],
)
def test_a_page_of_many_cases_stays_small(count: int, limit: int) -> None:
    made = large_run(count)
    started = time.perf_counter()
    page = report.render(made)
    print(f"{count} cases: {len(page.encode()):,} bytes in {time.perf_counter() - started:.1f} s")
    assert page.count("<tr><td>") == count
    assert len(page.encode()) <= limit


@pytest.mark.slow
def test_a_page_of_rows_with_commands_stays_small() -> None:
    assert len(report.render(large_run(800)).encode()) <= 2 * MEGABYTE


def test_a_page_is_written_whole(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("an older page")
    assert report.write(quick_run(), target, record_path="somewhere/record.jsonl") == target
    assert "somewhere/record.jsonl" in Page(target.read_text()).words("environment")
    assert list(tmp_path.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_page_that_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StepmarkError, match=r"^cannot write .*/nowhere/report\.html: No such file or directory\.$"):
        report.write(run([]), tmp_path / "nowhere" / "report.html")
    (tmp_path / "report.html").mkdir()
    with pytest.raises(StepmarkError, match=r"cannot write .*/report\.html: Is a directory\."):
        report.write(run([]), tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_reading_half_loads_no_torch_and_charts_only_where_one_is_drawn() -> None:
    code = (
        "import sys; heavy = {'torch', 'altair', 'vl_convert', 'jinja2'}\n"
        "from suite import report; assert heavy.isdisjoint(sys.modules), heavy & set(sys.modules)\n"
        "import suite.report.page; assert {'torch', 'altair', 'vl_convert'}.isdisjoint(sys.modules)\n"
        "import suite.report.charts; suite.report.charts.scripts(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_levels_keep_their_colour_whatever_else_is_measured() -> None:
    facts = list(figures_of(quick_run().cases).values())
    assert charts.names(facts, "optimizer") == sorted(charts.names(facts, "optimizer"))
    spec = json.dumps(charts.by_structure(facts))
    assert all(colour in spec for colour in charts.PALETTE[:5])
    assert "$schema" not in spec


def test_ticks_of_a_logarithmic_axis_are_round() -> None:
    assert charts.decades(0.0009, 0.03) == [0.001, 0.002, 0.005, 0.01, 0.02]


@given(low=st.floats(1e-6, 10.0), ratio=st.floats(1.001, 1000.0))
def test_the_numbers_at_the_ticks_of_the_first_table_are_those_of_the_ticks(low, ratio) -> None:
    """Half milliseconds were rounded to whole ones: two ticks in a row said 2 ms."""
    ticks = headline.Axis(low, low * ratio).ticks()
    assert [units.read(units.round_text(tick, "s"), "s") for tick in ticks] == pytest.approx(ticks, rel=1e-5)


def test_a_sparkline_is_the_outline_of_its_histogram() -> None:
    assert svg.spark_paths([[1.0], [1.0, 2.0], [3.0, 3.0]]) == [
        "M0 18v-18h4v18",
        "M0 18v-18h4v18h56v-18h4v18",
        "M0 18v-18h4v18",
    ]
    assert svg.spark_paths([]) == []
    (counts,) = svg.histograms([[float(value) for value in range(100)]])
    assert sum(counts) == 100
    assert len(counts) == svg.SPARK_BARS
    assert min(counts) > 0


def test_a_slow_round_is_stacked_in_the_last_bar() -> None:
    (counts,) = svg.histograms([[1.0 + place / 100 for place in range(99)] + [1000.0]])
    assert counts[-1] == 5, "the slowest twentieth"
    assert max(counts) < 10


def test_a_shared_scale_is_logarithmic_where_values_span_much() -> None:
    assert [svg.Scale(1.0, 100.0).px(value) for value in (0.5, 1.0, 10.0, 100.0)] == [0, 0, 50, 100]
    assert [svg.Scale(1.0, 2.0).px(value) for value in (1.0, 1.5, 2.0)] == [0, 50, 100]
    assert svg.Scale(1.0, 1.0).px(1.0) == 50


def test_metrics_that_only_some_cases_have_get_a_separate_table():
    compiled = golden(2)
    ranked = [figures for figures in figures_of(compiled.cases).values() if figures.is_measured]
    table = other_metrics(ranked)
    assert [column.title for column in table.columns] == ["Case", "Data wait", "Compile time cold", "Compile time warm"]
    assert table.rows == (("seed_cnn-sgd_momentum-cpu", "100.0 µs (2 %)", "31.75 s", "1.625 s"),)
    assert "31.75 s" in report.render(compiled)


def test_metrics_beyond_the_eighth_wait_behind_a_box():
    record = measured(Case("seed_cnn", "adam", "cpu"), 0.01)
    assert record.measurement
    readings = tuple(Series(Metric(f"reading_{number}", "1", "lower", ""), (0.5,) * 3) for number in range(10))
    page = Page(report.render(run([replace(record, measurement=replace(record.measurement, per_visit=readings))])))
    (label,) = (one for one in page.all("label") if one.attributes.get("for") == "more-other-table")
    assert label.words.strip() == "More columns: Reading 8, Reading 9"


def test_a_run_with_step_times_alone_has_no_table_of_other_metrics():
    assert 'id="other-metrics"' not in report.render(golden(1))


def golden(schema: int) -> Run:
    return read_run(GOLDEN / f"record_schema_{schema}")


def test_learning_has_a_section_if_a_case_learnt() -> None:
    page = report.render(golden(3))
    assert '<a href="#learning">Learning</a>' in page
    assert "seed_cnn-adam-cpu-learn-cosine-e3<td>95.6 %<td>[95.0, 96.2] %" in page
    assert "<td>2 / 2<td>3.0<td>66.0<td>" in page, "epochs and steps to 95 %, medians over the seeds"
    assert 'href="#learning"' not in report.render(golden(2))
