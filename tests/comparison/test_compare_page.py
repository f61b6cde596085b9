"""The page about two or more runs: what differs, what changed, how sure, and what was not compared."""

import csv
import math
import random
import re
from dataclasses import replace

import pytest

from suite import units
from suite.analysis.thresholds import VERDICTS, Thresholds
from suite.cli import main
from suite.comparison.changes import MEMORY_TOLERANCE, compare
from suite.comparison.environments import environment_differences
from suite.comparison.page import render
from suite.comparison.pairing import pair_up
from suite.exports.formats import export
from suite.gate.formats import render as render_gate
from suite.records import Metric, Run, RunRecord, Series
from suite.records.store import read_run
from tests.comparison.test_comparison import CASES, made, with_memory, written
from tests.conftest import TESTS
from tests.fakes.html_page import Page
from tests.fakes.made_runs import ENVIRONMENT, measurement, run, visit
from tests.fakes.made_verdicts import NASTY, inconclusive, regression_of_memory

LIMITS = Thresholds()
SLOW = CASES[5].id


def page(*runs: Run) -> Page:
    """The page of these runs, parsed."""
    return Page(text_of(*runs))


def text_of(*runs: Run) -> str:
    return render(pair_up(runs, LIMITS, MEMORY_TOLERANCE), LIMITS)


def with_facts(of: Run, run_id: str = "other", **parts: dict[str, object]) -> Run:
    """The run under another id, with further facts in parts of its environment."""
    environment = {**ENVIRONMENT, **{part: {**ENVIRONMENT.get(part, {}), **facts} for part, facts in parts.items()}}
    return replace(of, header=replace(of.header, run_id=run_id, environment=environment))


@pytest.fixture(scope="module")
def baseline() -> Run:
    return made(random.Random(3))


@pytest.fixture(scope="module")
def slowed() -> Run:
    return with_facts(made(random.Random(4), {SLOW: math.log(1.3), CASES[7].id: math.log(0.7)}, shift=0.02))


@pytest.fixture(scope="module")
def parsed(baseline, slowed) -> Page:
    """The page about both."""
    return page(baseline, slowed)


def test_a_page_is_whole_and_runs_no_script(parsed):
    assert parsed.all("title")[0].words.strip() == "Stepmark comparison: regression"
    assert not parsed.all("script")
    assert not any(one.attributes.get("src") or "http" in one.attributes.get("href", "") for one in parsed.elements)
    ids = [one.attributes["id"] for one in parsed.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    links = {one.attributes["href"].removeprefix("#") for one in parsed.all("a")}
    assert links <= set(ids), "every link of the navigation leads to a section"
    policy = next(one for one in parsed.all("meta") if "Content-Security-Policy" in one.attributes.values())
    assert policy.attributes["content"].startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_the_first_screen_names_the_regression_and_counts_the_verdicts(parsed):
    words = parsed.words("verdict")
    assert "24 cases compared: 1 slower, 1 faster, " in words
    assert re.search(rf"the largest slowdown is \+\d\d\.\d %, of {SLOW}", words)
    assert "regression 1 improvement 1" in words
    assert "common change" in words


def test_the_environments_come_first_with_only_what_differs(baseline, slowed):
    other = with_facts(slowed, commit={"revision": "abc", "dirty": True}, machine={"host": "bench-2"})
    rows = page(baseline, other).rows("differences")
    assert rows == [
        ["commit.revision", "6723e12", "abc", "may change results", "the code, which is compared"],
        ["commit.dirty", "no", "yes", "harmless", ""],
        ["machine.host", "bench-1", "bench-2", "harmless", ""],
    ]


def test_equal_environments_are_said_to_be_equal_in_so_many_facts(baseline, slowed, parsed):
    found, facts = environment_differences([baseline, slowed])
    assert found == ()
    assert f"No difference in {facts} facts." in parsed.words("environments")
    assert facts > 15


def test_more_rounds_are_harmless_and_longer_ones_are_not(baseline, slowed):
    plan = replace(slowed.header.plan, passes=9, round_seconds=0.5)
    other = replace(slowed, header=replace(slowed.header, plan=plan))
    found, _ = environment_differences([baseline, other])
    assert [(one.name, one.effect) for one in found] == [
        ("plan.round_seconds", "may change results"),
        ("plan.passes", "harmless"),
    ]


def test_unlike_machines_show_changes_and_no_verdict(baseline, slowed):
    other = with_facts(slowed, machine={"processor": "Another processor"})
    parsed = page(baseline, other)
    assert parsed.all("h1")[0].words.strip() == "not comparable"
    assert "machine.processor: A processor, 2 cores, now Another processor" in parsed.words("verdict")
    (difference,) = parsed.rows("differences")
    assert difference[-2:] == ["may change results", "no verdict on step times is given"]
    assert {row[4] for row in parsed.rows("cases")} == {"inconclusive"}
    assert "regression 1" not in parsed.words("verdict")


def test_the_table_behind_the_plot_has_the_figures_of_the_comparison_and_of_the_export(baseline, slowed, parsed):
    rows = {row[0]: row for row in parsed.rows("cases")}
    found = compare(baseline, slowed, LIMITS)
    assert list(rows) == [case.name for case in found.cases]
    exported = {row["id"]: row for row in csv.DictReader(export(slowed, "csv").splitlines())}
    columns = [column for column in next(iter(exported.values())) if "median" in column or column == "step_time_s"]
    for case in found.cases:
        row = rows[case.name]
        assert row[1] == units.percent(case.change, sign=True)
        assert row[4] == case.verdict
        assert units.text(case.candidate_median, "s") in row
        assert case.candidate_median in {float(exported[case.name][column]) for column in columns}
    assert rows[SLOW][3] == "large"
    assert rows[SLOW][4] == "regression"


def test_the_plot_has_a_row_for_each_case_a_title_and_a_line_to_read(parsed):
    assert len([one for one in parsed.all("text", "forest") if one.attributes["class"] == "label"]) == 24
    assert "24 rows: the numbers are in the table below." in parsed.words("forest-title")
    assert "Left is faster; the largest slowdown is +" in parsed.words("step-time")
    assert f"of {SLOW}" in parsed.words("step-time")
    assert "How to read this" in parsed.words("step-time")
    assert "small: up to 5 %" in parsed.words("step-time")
    assert "ruled out larger slowdowns are, at 95 % for each case alone" in parsed.words("step-time")


def test_a_changed_case_says_in_how_many_pairs_its_steps_are_slower(parsed):
    words = parsed.words("step-time")
    assert "large; a step of the candidate is slower than one of the baseline in 100 of 100 pairs" in words
    assert "in 0 of 100 pairs" in words


def test_verdicts_are_counted_by_level(parsed):
    rows = {row[0]: row[1:] for row in parsed.rows("by-level")}
    optimizer = f"optimizer {CASES[5].optimizer}"
    assert rows[optimizer][:2] == ["6", "1"]
    assert not [name for name in rows if name.startswith("execution")], "all cases have one execution"
    assert sum(int(row[0]) for name, row in rows.items() if name.startswith("structure")) == 24


def test_coverage_counts_the_cases_of_both_runs_and_names_what_is_not_compared():
    source = random.Random(8)
    before, after = made(source, cases=CASES[:-1]), made(source, cases=CASES[1:])
    failed = RunRecord(CASES[3], "failed", "it broke")
    parsed = page(before, with_facts(replace(after, cases=(*after.cases[:2], failed, *after.cases[3:]))))
    assert [row[2:] for row in parsed.rows("coverage")] == [
        ["23", "23", "–", "–", "–", "21"],
        ["23", "22", "–", "1", "–", "21"],
    ]
    assert f"it failed in the candidate: it broke {CASES[3].id}" in parsed.words("left-out")
    assert "not compared" in parsed.words("verdict")


def two_levels(record: RunRecord, share: int) -> RunRecord:
    """The case at 10 ms and, in `share` of 10 turns, at 12 ms."""
    steps = [0.012 if turn % 10 < share else 0.010 for turn in range(60)]
    return replace(record, measurement=measurement(steps, [visit(index, (1,) * 20) for index in range(3)]))


def test_a_case_that_switches_between_two_step_times_is_shown_with_both(baseline):
    before = replace(baseline, cases=(two_levels(baseline.cases[0], 2), *baseline.cases[1:]))
    after = with_facts(replace(baseline, cases=(two_levels(baseline.cases[0], 6), *baseline.cases[1:])))
    (row,) = page(before, after).rows("modes")
    assert row[1:3] == ["10.0 ms in 80 % of turns, 12.0 ms in 20 %", "10.0 ms in 40 % of turns, 12.0 ms in 60 %"]
    assert row[3:] == ["0.0 %", "0.0 %", "20 % to 60 %"]
    (row,) = page(baseline, after).rows("modes")
    assert row[1].startswith("one step time: ")
    assert row[3:] == ["", "", "none to 60 %"]
    assert not [one for one in page(baseline, baseline).elements if one.attributes.get("id") == "two"]


def with_phases(of: Run, **seconds: float) -> Run:
    """Every case with readings of phases, in seconds."""
    series = tuple(Series(Metric(f"part_{name}", "s", "lower", "Made."), (value,)) for name, value in seconds.items())
    cases = tuple(replace(one, measurement=replace(one.measurement, surveyed=series)) for one in of.cases)
    return replace(of, cases=cases)


def test_a_changed_case_shows_the_phases_of_its_step_in_both_runs(baseline):
    slow = made(random.Random(3), {SLOW: math.log(1.3)})
    before = with_phases(baseline, forward=0.01, backward=0.02, update=0.0)
    after = with_facts(with_phases(slow, forward=0.01, backward=0.03, update=0.001, copy=0.1))
    parsed = page(before, after)
    assert parsed.rows("phases") == [
        [SLOW, "forward", "", "10.00 ms", "10.00 ms", "0.0 %", "0 s"],
        [SLOW, "backward", "", "20.00 ms", "30.00 ms", "+50.0 %", "+10.0 ms"],
        [SLOW, "optimizer step", "", "0 s", "1.000 ms", "–", "+1.00 ms"],
    ]
    bars = [float(one.attributes["d"].split("h")[1].split("v")[0]) for one in parsed.all("path", "phases")]
    assert bars == [40, 40, 80, 120, 0, 4], "pixels: the longest phase of both runs takes 30 ms"
    assert not [one for one in page(baseline, after).elements if one.attributes.get("id") == "why"]


NEUTRAL = {
    *("case", "level", "metric", "phase", "fact", "run", "run id", "commit", "effect", "remark", "result", "verdict"),
    *("size", "disturbance", "cases", "cases compared", "planned", "measured", "skipped", "failed", "no outcome"),
    *("compared", "blocks", *VERDICTS),
}
"""Headers of names, words and counts."""
TEXTS = {"differences", "modes", "candidate-2-modes", "runs"}
"""Tables whose columns `baseline` and `candidate` are words."""


def test_every_header_of_a_number_says_what_is_better(baseline):
    slow = made(random.Random(3), {SLOW: math.log(1.3)})
    before = with_phases(baseline, forward=0.01)
    before = replace(before, cases=(two_levels(before.cases[0], 2), *before.cases[1:]))
    after = with_facts(with_phases(slow, forward=0.02), commit={"revision": "abc"})
    grown = with_facts(with_memory(baseline, {SLOW: 0.2}), "grown")
    pages = page(before, after), page(with_memory(baseline), grown), page(before, after, grown)
    verdicts = Page(render_gate(regression_of_memory(), "page")), Page(render_gate(inconclusive(), "page"))
    heads = [one for parsed in (*pages, *verdicts) for one in parsed.all("th") if one.attributes.get("scope") == "col"]
    ids = {table for one in heads for table in one.inside}
    assert {"differences", "by-level", "cases", "phases", "modes", "memory-cases", "runs", "every-run"} <= ids
    for one in heads:
        text = " ".join(one.words.split())
        if re.fullmatch(r"baseline|candidate( \d)?", text):
            assert TEXTS & {place.removeprefix("candidate-1-") for place in one.inside}, f"{text} of {one.inside}"
            continue
        assert text.endswith(" better") or text in NEUTRAL, f"{text} of {one.inside}"


def test_memory_that_grew_is_in_a_table_and_the_rest_in_a_line(baseline):
    parsed = page(with_memory(baseline), with_facts(with_memory(baseline, {CASES[3].id: 0.06})))
    assert parsed.rows("memory-cases") == [
        [CASES[3].id, "peak_memory", "+6.0 %", "regression", "47.68 MiB", "50.54 MiB"]
    ]
    assert "peak_memory: no change in 23 of 24 cases" in parsed.words("memory")
    assert f"peak_memory regressed in 1 of them; the largest growth is +6.0 %, of {CASES[3].id}" in parsed.words(
        "verdict"
    )
    assert "Memory is not compared: one of the runs did not measure it." in page(baseline, baseline).words("memory")


def test_the_first_sentence_counts_the_cases_of_each_memory_metric_by_itself(baseline):
    before = with_memory(baseline)
    after = with_facts(with_memory(baseline, {CASES[3].id: 0.06, CASES[4].id: 0.08}, host_reads=1.0))
    words = page(before, after).words("verdict")
    assert f"host_reads regressed in 24 of them; the largest growth is from 0 to 1, of {CASES[0].id}" in words
    assert f"peak_memory regressed in 2 of them; the largest growth is +8.0 %, of {CASES[4].id}" in words


def test_a_run_without_a_footer_is_called_interrupted_with_what_it_lacks(baseline):
    ended = replace(baseline, footer=None)
    assert "The candidate run was interrupted after its last case." in page(baseline, with_facts(ended)).words(
        "verdict"
    )
    fewer = with_facts(replace(ended, cases=ended.cases[:-1]))
    words = page(baseline, fewer).words("verdict")
    assert "The candidate run was interrupted: 1 planned case has no outcome." in words


def test_several_candidates_are_each_compared_with_the_first_run(baseline, slowed):
    parsed = page(baseline, with_facts(baseline, "same"), slowed)
    assert [row[:3] for row in parsed.rows("runs")] == [
        ["same", "6723e12", "no regression"],
        ["other", "6723e12", "regression"],
    ]
    assert len(parsed.rows("every-run")) == 24
    assert next(row for row in parsed.rows("every-run") if row[0] == SLOW)[3].startswith("▲ +")
    assert len(parsed.rows("candidate-1-cases")) == len(parsed.rows("candidate-2-cases")) == 24
    ids = [one.attributes["id"] for one in parsed.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    assert {one.attributes["href"].removeprefix("#") for one in parsed.all("a")} <= set(ids)
    assert parsed.all("h1")[0].words.strip() == "regression"


def test_many_unchanged_cases_are_folded_and_counted(baseline):
    cases = [replace(case, batch_size=size) for case in CASES for size in (32, 64)]
    many = made(random.Random(5), cases=cases)
    parsed = page(many, with_facts(many))
    assert len(parsed.rows("unchanged")) == 48
    assert "48 unchanged cases" in parsed.words("step-time")
    assert parsed.all("h1")[0].words.strip() == "no regression"


def hostile(of: Run) -> Run:
    """A run with markup and control characters in each text."""
    cases = tuple(
        replace(one, case=replace(one.case, structure=f"{NASTY}{place}")) for place, one in enumerate(of.cases)
    )
    skipped = RunRecord(replace(CASES[0], optimizer=NASTY), "skipped", NASTY * 10)
    environment = {**ENVIRONMENT, "machine": {NASTY: NASTY}, "commit": {"revision": NASTY}, "plugins": {NASTY: NASTY}}
    header = replace(of.header, run_id=NASTY, environment=environment)
    return replace(of, cases=(*cases, skipped), header=header)


def test_texts_of_a_hostile_record_stay_texts(baseline):
    nasty = hostile(baseline)
    text = text_of(nasty, replace(nasty, header=replace(nasty.header, environment=ENVIRONMENT)), baseline)
    parsed = Page(text)
    assert "b" not in {one.tag for one in parsed.elements}
    assert not parsed.all("script")
    assert text.encode("utf-8")
    assert "\x00" not in text
    assert "\x1b" not in text


def test_a_huge_text_does_not_make_a_huge_page(baseline):
    long = "x" * 2_000_000
    case = replace(CASES[0], structure=long)
    records = (*baseline.cases, RunRecord(case, "skipped", long))
    huge = with_facts(replace(baseline, cases=records), long, commit={"revision": long})
    assert len(text_of(baseline, huge)) < 300_000


def test_runs_without_a_case_in_common_have_a_page_that_says_so(baseline):
    parsed = page(baseline, with_facts(run([])))
    assert parsed.all("h1")[0].words.strip() == "not comparable"
    assert "the two runs measured no case in common" in parsed.words("verdict")
    assert "it is not in the candidate" in parsed.words("left-out")


@pytest.fixture(scope="module")
def folders(tmp_path_factory, baseline, slowed) -> list[str]:
    """Records of the baseline, of the slowed run, and of one on another machine."""
    top = tmp_path_factory.mktemp("runs")
    other = with_facts(baseline, "elsewhere", machine={"processor": "Another processor", "host": "secret-host"})
    return [str(written(top / name, one)) for name, one in (("a", baseline), ("b", slowed), ("c", other))]


def test_the_command_writes_the_page_and_ends_with_the_code_of_the_comparison(folders, tmp_path, capsys):
    file = tmp_path / "page.html"
    assert main(["compare", *folders[:2], "-o", str(file)]) == 10
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("regression: 24 cases compared: 1 slower, 1 faster, ")
    assert lines[1:] == [str(file)]
    assert Page(file.read_text(encoding="utf-8")).all("h1")[0].words.strip() == "regression"


def test_the_command_writes_the_page_of_unlike_runs_too_and_ends_as_without_one(folders, tmp_path, capsys):
    file = tmp_path / "page.html"
    assert main(["compare", folders[0], folders[2], "-o", str(file), "--private"]) == 12
    assert capsys.readouterr().out.startswith("not comparable: the environments differ")
    assert "Another processor" in file.read_text(encoding="utf-8")
    assert "secret-host" not in file.read_text(encoding="utf-8")
    assert main(["compare", folders[0], folders[2]]) == 12


def test_the_command_compares_several_records_on_a_page_alone(folders, tmp_path, capsys):
    file = tmp_path / "page.html"
    assert main(["compare", *folders, "-o", str(file)]) == 10
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines[:2]] == ["regression", "not comparable"]
    assert main(["compare", *folders]) == 2
    assert "3 records were given; allowed: two, or more with -o FILE" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_one_sentence(folders, tmp_path, capsys):
    assert main(["compare", *folders[:2], "-o", str(tmp_path / "none" / "page.html")]) == 2
    assert capsys.readouterr().err.startswith("stepmark: cannot write ")


@pytest.mark.parametrize("schema", [1, 5])
def test_a_real_record_of_any_schema_compared_with_itself_has_no_change(schema):
    real = read_run(TESTS / "golden" / f"record_schema_{schema}")
    parsed = page(real, real)
    assert {row[1] for row in parsed.rows("cases")} == {"0.0 %"}
    assert "No difference in " in parsed.words("environments")
