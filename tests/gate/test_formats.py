"""The formats of a gate's verdict, from fixed values and from any values."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import fields, replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite import units
from suite.analysis.change_text import bound, with_interval
from suite.analysis.thresholds import VERDICTS, Thresholds
from suite.gate.formats import FORMATS, UNCHANGED_TEXTS, markdown, render
from suite.gate.formats.as_json import CHANGE_KEYS
from suite.gate.formats.forest import forest
from suite.gate.formats.sentences import sentence
from suite.gate.verdict import GateChange, GateVerdict, LeftOut
from suite.markup.printable import printable
from suite.units import percent
from tests.fakes import made_verdicts as made
from tests.fakes.html_page import Page
from tests.fakes.schemas import faults_of_verdict

EVERY = pytest.mark.parametrize("name", list(made.ALL))


def written(fmt: str, verdict: GateVerdict) -> str:
    """The verdict in a format."""
    return render(verdict, fmt)


def junit(verdict: GateVerdict) -> ElementTree.Element:
    """The suite of the JUnit file."""
    root = ElementTree.fromstring(written("junit", verdict))  # noqa: S314 - our own text
    suites = list(root)
    assert [(one.tag, one.get("name")) for one in suites] == [("testsuite", "stepmark gate")]
    return suites[0]


def messages_of(verdict: GateVerdict, tag: str) -> dict[str, str]:
    """`metric name` of each test with an element -> the message of that element."""
    return {
        f"{test.get('classname')} {test.get('name')}": str(found.get("message"))
        for test in junit(verdict).findall("testcase")
        if (found := test.find(tag)) is not None
    }


def page(verdict: GateVerdict) -> Page:
    """The page, parsed."""
    return Page(written("page", verdict))


# sentences


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "no_change",
            (
                "no regression: no slowdown above the tolerance of 1 % was shown; "
                "a slowdown above 1.3 % is ruled out in every case"
            ),
        ),
        ("regression_of_a_case", "regression: seed_cnn-adam-cpu has regressed by 5.2 %; 1 of 24 cases is slower"),
        (
            "regression_of_a_level",
            "regression: all cases with optimizer adam have regressed by 3.1 % on average; 6 of 12 cases are slower",
        ),
        (
            "regression_of_memory",
            (
                "regression: seed_cnn-adam-cpu has regressed by 25.0 % in peak_memory; "
                "1 of 24 cases is larger in peak_memory"
            ),
        ),
        (
            "improvement",
            (
                "no regression: no slowdown above the tolerance of 1 % was shown; "
                "a slowdown above 1.3 % is ruled out in every case; 1 of 24 cases is faster"
            ),
        ),
        (
            "inconclusive",
            "inconclusive: 2 of 5 cases are undecided; a slowdown above 8.1 % is ruled out in 4 of 5 cases",
        ),
        (
            "control_alarm",
            "inconclusive: the control found a difference between two identical sides; all 24 cases are undecided",
        ),
        (
            "control_alarm_and_memory",
            (
                "regression: seed_cnn-adam-cpu has regressed by 25.0 % in peak_memory; "
                "1 of 24 cases is larger in peak_memory"
            ),
        ),
        ("identical", "identical: both arms run the same code, so the gate measured nothing"),
        ("failed", "failed: 1 case fails in the candidate and not in the baseline: seed_cnn-lion-cpu"),
        (
            "interrupted",
            "inconclusive: the gate was interrupted; a slowdown above 1.3 % is ruled out in every case",
        ),
        ("nothing", "not comparable: no case was compared; the reason for 1 of 1: left out by both"),
    ],
)
def test_a_verdict_is_said_in_one_sentence(name, said):
    assert sentence(made.ALL[name]()) == said


def test_a_level_that_is_slower_where_no_single_case_is_has_its_own_words():
    verdict = made.verdict(*made.calm(2), levels=(made.level(),), culprits=("optimizer adam",))
    assert sentence(verdict) == (
        "regression: all cases with optimizer adam have regressed by 3.1 % on average; "
        "no single case is shown to be slower"
    )


def test_a_sentence_names_two_culprits_and_counts_the_others():
    slow = [made.judged(f"net{index}-adam-cpu", 0.05 - index / 100, verdict="regression") for index in range(3)]
    culprits = tuple(one.name for one in slow)
    assert sentence(made.verdict(*slow, *made.calm(3), culprits=culprits)) == (
        "regression: net0-adam-cpu has regressed by 5.0 %, net1-adam-cpu by 4.0 % and 1 more; 3 of 6 cases are slower"
    )


@pytest.mark.parametrize(("number", "counted"), [(2, "both cases are slower"), (3, "all 3 cases are slower")])
def test_all_of_few_cases_are_counted_in_words(number, counted):
    slow = [made.judged(f"net{index}-adam-cpu", 0.05, verdict="regression") for index in range(number)]
    assert sentence(made.verdict(*slow, culprits=("net0-adam-cpu",))).endswith(f"; {counted}")


def test_slowdowns_are_within_the_tolerance_if_larger_ones_are_ruled_out_in_every_case():
    cases = [made.judged(f"net{index}-adam-cpu", 0.0, ruled_out=0.008 + index / 1000) for index in range(3)]
    assert sentence(made.verdict(*cases)) == (
        "no regression: every slowdown is within the tolerance of 1 %; "
        "a slowdown above 1.0 % is ruled out in every case"
    )
    wider = made.judged("net3-adam-cpu", 0.0, ruled_out=0.011)
    assert "no slowdown above the tolerance of 1 % was shown" in sentence(made.verdict(*cases, wider))


def test_a_regression_and_a_failed_case_are_in_one_sentence():
    verdict = replace(made.regression_of_a_case(), failed=("seed_cnn-lion-cpu",))
    assert sentence(verdict).endswith(
        "1 of 24 cases is slower; also, 1 case fails in the candidate and not in the baseline: seed_cnn-lion-cpu"
    )


@pytest.mark.parametrize(
    ("ruled_out", "said"),
    [
        (0.031, "a slowdown above 3.1 % is ruled out"),
        (0.0311, "a slowdown above 3.2 % is ruled out"),
        (0.0, "any slowdown is ruled out"),
        (-0.02, "any slowdown is ruled out"),
        (math.inf, "no bound was reached"),
        (math.nan, "no bound was reached"),
    ],
)
def test_a_bound_claims_no_more_than_was_shown(ruled_out, said):
    assert bound(made.judged(ruled_out=ruled_out)) == said


@given(st.floats(min_value=1e-6, max_value=50))
def test_a_bound_is_never_rounded_down(ruled_out):
    shown = float(bound(made.judged(ruled_out=ruled_out)).split()[3])
    assert 100 * ruled_out <= shown * (1 + 1e-12) <= 100 * ruled_out + 0.1001


def test_a_larger_memory_is_called_larger_and_a_longer_time_slower():
    assert bound(made.memory(ruled_out=0.02)) == "growth above 2.0 % is ruled out"


def test_zero_has_no_sign_and_what_is_not_known_is_a_dash():
    assert [percent(-0.0001, sign=True), percent(0.052, sign=True), percent(math.nan)] == ["0.0 %", "+5.2 %", "–"]


def test_a_change_that_is_compared_exactly_has_no_interval():
    assert with_interval(made.memory(change=0.25)) == "+25.0 %"


def test_a_change_from_zero_is_shown_by_both_counts():
    one = made.memory(change=math.inf, metric="host_reads", unit="count", baseline_median=0.0, candidate_median=2.0)
    assert with_interval(one) == "0 to 2"
    verdict = made.verdict(replace(one, verdict="regression", ruled_out=math.inf), culprits=(one.name,))
    assert sentence(verdict) == f"regression: {one.name} has regressed from 0 to 2 in host_reads"
    for fmt in ("table", "markdown", "github", "page", "junit"):
        assert "0 to 2" in written(fmt, verdict)


# every format


@EVERY
@pytest.mark.parametrize("fmt", list(FORMATS))
def test_every_format_takes_every_verdict(fmt, name):
    text = written(fmt, made.ALL[name]())
    assert text.endswith("\n") == (fmt in ("json", "junit", "page"))
    assert text.encode("utf-8")
    assert "\x00" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize("fmt", ["table", "markdown", "github", "page", "junit"])
def test_every_format_for_people_says_the_bound_of_an_inconclusive_case_and_the_reason_of_another(fmt):
    text = written(fmt, made.inconclusive()).replace("%25", "%")
    assert "inconclusive: a slowdown above 8.1 % is ruled out" in text
    assert "only 2 blocks gave a ratio" in text


@pytest.mark.parametrize("fmt", ["table", "markdown", "github", "page", "junit"])
def test_every_format_for_people_says_what_the_control_showed(fmt):
    assert "baseline against baseline differs by 4.0 %" in written(fmt, made.control_alarm()).replace("%25", "%")


@pytest.mark.parametrize("fmt", ["table", "markdown", "page", "junit"])
@pytest.mark.parametrize(
    ("number", "said"), [(1, "in 1 block, which does not count"), (2, "in 2 blocks, which do not count")]
)
def test_every_format_with_conditions_says_in_how_many_blocks_a_worker_was_killed(fmt, number, said):
    verdict = replace(made.no_change(), lost_blocks=number)
    assert f"a worker was killed {said} for the cases that it left unmeasured" in written(fmt, verdict)
    assert "was killed" not in written(fmt, made.no_change())


def test_no_format_blames_a_step_time_where_the_control_alarmed():
    verdict = made.control_alarm()
    assert messages_of(verdict, "failure") == {}
    assert "::error" not in written("github", verdict)
    assert "explained" not in written("table", verdict)
    assert "seed_cnn-adam-cpu: +5.2 %" not in written("table", verdict)
    assert "inconclusive: the control found a difference between two identical sides" in page(verdict).rows("cases")[0]
    assert not any(one.attributes.get("id") == "culprits" for one in page(verdict).elements)


def test_memory_is_blamed_all_the_same_where_the_control_alarmed():
    assert list(messages_of(made.control_alarm_and_memory(), "failure")) == ["peak_memory seed_cnn-adam-cpu"]


@pytest.mark.parametrize("fmt", ["table", "markdown", "page", "junit"])
def test_a_case_that_a_level_explains_names_the_level(fmt):
    assert "explained by optimizer adam" in written(fmt, made.regression_of_a_level())


def test_only_the_page_needs_more_than_the_standard_library():
    code = "import sys, suite.gate.formats; print(*sorted({one.partition('.')[0] for one in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jinja2", "markupsafe", "torch"} & set(done.stdout.split())


# table


def test_the_table_begins_with_the_arms_and_the_verdict_and_then_the_culprits():
    lines = written("table", made.regression_of_a_level()).splitlines()
    assert lines[0].startswith("baseline main, candidate HEAD: regression: all cases with optimizer adam have")
    assert lines[2] == "all cases with optimizer adam: +3.1 % (+2.8 to +3.4 %)"


def test_the_table_has_a_row_for_each_case_with_medians_change_interval_and_verdict():
    rows = [line.split() for line in written("table", made.regression_of_a_case()).splitlines()]
    assert [
        "seed_cnn-adam-cpu",
        "step_time",
        "5.000",
        "ms",
        "5.260",
        "ms",
        "+5.2",
        "%",
        "+4.8",
        "to",
        "+5.6",
        "%",
        "regression",
    ] in rows


def test_the_table_sums_up_memory_that_did_not_change():
    text = written("table", made.no_change())
    assert "peak_memory: no change in 24 cases; growth above 2.0 % is ruled out in all" in text
    assert text.count("peak_memory") == 1


def test_the_table_shows_memory_that_grew():
    assert "peak_memory  128.0 MiB  160.0 MiB  +25.0 %" in written("table", made.regression_of_memory())


def test_the_table_shows_levels_only_where_they_changed():
    text = written("table", made.regression_of_a_level())
    assert "all cases with optimizer adam  step_time" in text
    assert "optimizer sgd" not in text


def test_the_table_groups_cases_that_were_left_out_by_reason():
    text = written("table", made.inconclusive())
    assert "not compared: big0-adam-cuda, big1-adam-cuda and 3 more: there is no CUDA device" in text
    assert "not compared: new_net-adam-cpu: baseline: the level is not known" in text


def test_the_table_says_why_a_case_failed_and_does_not_leave_it_out_twice():
    text = written("table", made.failed())
    assert "failed: seed_cnn-lion-cpu: ZeroDivisionError: division by zero" in text
    assert "not compared" not in text


def test_the_table_says_how_it_was_measured():
    text = written("table", made.no_change())
    for said in (
        "blocks: 24 of baseline and candidate, 6 of baseline and baseline",
        "time: 3 min 05 s of 10 min 00 s",
        "noise: 1.2 %",
        "discarded: 2.0 % of the pairs, because of interference",
        "interference: other processes used 0.012 cores in the median block, 1.3 cores in the worst; ",
        "the CPU quota throttled 0 % of the time in the median block, 25 % of the time in the worst",
        "control: no alarm",
        "machine: AMD EPYC 7B13, 2 cores",
    ):
        assert said in text


def test_counts_stand_in_full_since_they_are_compared_exactly():
    one = made.memory(metric="allocations", unit="count", baseline_median=12034.0, candidate_median=12035.0)
    assert "12,034     12,035" in written("table", made.verdict(one))


def test_a_case_whose_levels_differ_between_the_arms_has_both_ids():
    assert "seed_cnn-adam-cpu → seed_cnn-lion-cpu" in written(
        "table", made.verdict(made.judged(candidate="seed_cnn-lion-cpu"))
    )


# JSON


def test_json_has_everything_under_the_names_of_the_values():
    verdict = made.regression_of_a_case()
    read = json.loads(written("json", verdict))
    assert (read["schema"], read["exit_code"], read["sentence"]) == (1, 10, sentence(verdict))
    assert read["cases"][0]["holm"] == 2.4e-5
    assert read["arms"]["candidate"]["variables"] == {"OMP_NUM_THREADS": "1"}
    assert read["limits"] == {"tolerance": 0.01, "margin": 0.05, "alpha": 0.01}


def test_json_has_every_field_of_a_case_in_the_order_of_before():
    case = json.loads(written("json", made.regression_of_a_case()))["cases"][0]
    assert list(case) == list(CHANGE_KEYS)
    assert set(case) == {field.name for field in fields(GateChange)}


def test_texts_from_outside_stay_as_they_are_for_programs_alone():
    assert {"json"} == UNCHANGED_TEXTS
    assert json.loads(written("json", made.nasty()))["machine"] == made.NASTY


def test_json_has_null_for_what_is_not_known():
    unknown = json.loads(written("json", made.inconclusive()))["cases"][1]
    assert (unknown["change"], unknown["ruled_out"]) == (None, None)


@EVERY
def test_json_has_the_published_schema(name):
    assert faults_but_of_modes(written("json", made.ALL[name]())) == []


def faults_but_of_modes(text: str) -> list[str]:
    """Faults by the published schema; made verdicts have modes that no real one has."""
    return [fault for fault in faults_of_verdict(text) if not fault.startswith("$.modes")]


@EVERY
def test_json_says_the_exit_code_of_every_verdict(name):
    verdict = made.ALL[name]()
    assert json.loads(written("json", verdict))["exit_code"] == verdict.exit_code


# JUnit


def test_a_regression_is_a_failure_with_the_change_as_its_message():
    assert messages_of(made.regression_of_a_case(), "failure") == {
        "step_time seed_cnn-adam-cpu": "+5.2 % (+4.8 to +5.6 %)"
    }


def test_every_case_and_metric_is_a_test():
    suite = junit(made.no_change())
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("48", "0", "0")


def test_an_improvement_is_no_failure():
    verdict = made.improvement()
    assert messages_of(verdict, "failure") == messages_of(verdict, "error") == messages_of(verdict, "skipped") == {}


def test_a_level_that_is_slower_is_a_failure_even_where_no_case_is():
    verdict = made.verdict(*made.calm(2), levels=(made.level(),))
    assert list(messages_of(verdict, "failure")) == ["step_time all cases with optimizer adam"]


def test_a_case_that_fails_in_the_candidate_is_an_error_with_its_reason():
    assert messages_of(made.failed(), "error") == {"step_time seed_cnn-lion-cpu": "ZeroDivisionError: division by zero"}


def test_junit_skips_inconclusive_cases_with_their_bound_and_missing_cases_with_their_reason():
    skipped = messages_of(made.inconclusive(), "skipped")
    assert skipped["step_time seed_cnn-adam-cpu"] == "inconclusive: a slowdown above 8.1 % is ruled out"
    assert skipped["step_time big0-adam-cuda"] == "there is no CUDA device"
    assert skipped["step_time new_net-adam-cpu"] == "baseline: the level is not known"


def test_an_alarm_and_an_early_end_are_skipped_tests():
    assert "gate control" in messages_of(made.control_alarm(), "skipped")
    assert "gate whole budget" in messages_of(made.interrupted(), "skipped")


def test_junit_properties_give_the_arms_limits_and_blocks():
    properties = {one.get("name"): one.get("value") for one in junit(made.no_change()).iter("property")}
    assert properties["baseline"] == "main (revision 1a2b3c4, interpreter /usr/bin/python3.11, torch 2.11.0)"
    assert {"candidate", "limits", "blocks"} <= properties.keys()


@EVERY
def test_there_are_failures_exactly_where_the_exit_code_says_regression(name):
    verdict = made.ALL[name]()
    assert bool(messages_of(verdict, "failure")) == (verdict.exit_code == 10)


# Markdown


@EVERY
def test_a_comment_is_never_longer_than_github_takes(name):
    assert len(written("markdown", made.ALL[name]())) <= markdown.LONGEST


def test_a_comment_says_how_many_rows_it_leaves_out():
    text = written("markdown", made.large(2000))
    left = [int(line.split()[0].replace(",", "")) for line in text.splitlines() if "more rows are left out" in line]
    rows = sum(line.startswith(("| `", "| ``")) for line in text.splitlines())
    assert rows + sum(left) == len(made.large(2000).cases)


def test_a_comment_stays_within_its_length_whatever_the_texts_are():
    long = "<&|`*_" * 2000
    cases = [replace(one, name=f"{long}{index}") for index, one in enumerate(made.large(60).cases)]
    left = tuple(LeftOut(f"{long}{index}", f"{index}{long}") for index in range(30))
    verdict = made.verdict(
        *cases,
        left_out=left,
        failed=tuple(one.name for one in left[:15]),
        control_alarm=long,
        baseline=long,
        candidate=long,
        machine=long,
        arms={"baseline": {"revision": long}},
    )
    assert len(written("markdown", verdict)) <= markdown.LONGEST


def test_a_comment_has_a_heading_the_culprits_and_what_changed_and_folds_the_rest_away():
    text = written("markdown", made.regression_of_a_case())
    shown, folded = text.split("<details>")
    assert shown.startswith("## Stepmark gate: regression\n")
    assert "- **seed\\_cnn-adam-cpu**: +5.2 % (+4.8 to +5.6 %)" in shown
    assert "| `seed_cnn-adam-cpu` |" in shown
    assert "| `net0-adam-cpu` |" not in shown
    assert "| `net0-adam-cpu` |" in folded


def test_a_comment_escapes_what_would_be_markup_and_calls_nobody():
    text = written("markdown", made.nasty())
    prose = [line for line in text.splitlines() if line.startswith(("1 case", ">"))]
    assert prose
    for line in prose:
        assert "<b>" not in line
        assert "@me" not in line
        assert "`" not in line.replace("\\`", "")
    rows = [line for line in text.splitlines() if line.startswith("| ``")]
    assert rows
    assert {line.replace("\\|", "").count("|") for line in rows} == {8}


# GitHub


def test_a_culprit_is_one_error_that_counts_what_it_explains():
    lines = written("github", made.regression_of_a_level()).splitlines()
    assert lines[0] == (
        "::error title=step_time regression::"
        "all cases with optimizer adam: +3.1 %25 (+2.8 to +3.4 %25); it explains 6 more regressions"
    )
    assert sum(line.startswith("::error") for line in lines) == 1


def test_inconclusive_cases_are_warnings_and_improvements_are_notices():
    assert written("github", made.inconclusive()).count("::warning title=step_time inconclusive::") == 2
    text = written("github", made.improvement())
    assert "::notice title=step_time improvement::seed_cnn-adam-cpu: -10.0 %25" in text
    assert "::error" not in text
    assert "::warning" not in text


def test_github_gets_no_more_annotations_than_it_shows_and_the_last_counts_the_rest():
    lines = [line for line in written("github", made.large()).splitlines() if line.startswith("::error")]
    assert len(lines) == 10
    assert lines[-1] == "::error title=and more::325 more regressions and failed cases are in the table"


def test_nothing_in_a_name_or_reason_can_be_a_command_or_end_a_title():
    nasty = made.judged("a\n::error::b", verdict="inconclusive", metric="x,file=y:z", reason="100%\r\nsure")
    lines = written("github", made.verdict(nasty)).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::warning", "::notice"]
    assert lines[0].startswith("::warning title=x%2Cfile=y%3Az inconclusive::")
    assert "100%25 sure" in lines[0]


# page


@EVERY
def test_a_page_is_whole_and_needs_nothing_else(name):
    text = written("page", made.ALL[name]())
    parsed = Page(text)
    assert next(one for one in parsed.elements if one.tag == "html").attributes["lang"] == "en"
    assert parsed.all("title")[0].words.startswith("Stepmark gate: ")
    assert "viewport" in {one.attributes.get("name") for one in parsed.all("meta")}
    assert not parsed.all("script")
    assert "b" not in {one.tag for one in parsed.elements}, "a name has become markup"
    assert not any(one.attributes.get("src") or "http" in one.attributes.get("href", "") for one in parsed.elements)
    ids = [one.attributes["id"] for one in parsed.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))


def test_a_page_begins_with_the_verdict():
    parsed = page(made.regression_of_a_level())
    assert parsed.all("h1")[0].words.strip() == "regression"
    assert "all cases with optimizer adam have regressed by 3.1 % on average" in parsed.words("verdict")
    assert "all cases with optimizer adam: +3.1 % (+2.8 to +3.4 %)" in parsed.words("culprits")


def test_the_tables_hold_the_numbers_behind_the_drawing():
    parsed = page(made.regression_of_a_level())
    assert parsed.rows("cases")[0] == [
        *("net0-adam-cpu", "+3.1 %", "+2.7 to +3.5 %", "small", "regression, explained by optimizer adam"),
        *("5.000 ms", "5.155 ms", "12"),
    ]
    assert [row[0] for row in parsed.rows("levels")] == [
        "all cases with optimizer adam",
        "all cases with optimizer sgd",
    ]


def test_tables_and_plot_have_captions_and_titles_for_screen_readers():
    parsed = page(made.inconclusive())
    assert {one.attributes.get("scope") for one in parsed.all("th")} == {"col", "row"}
    assert len(parsed.all("caption")) == len(parsed.all("table")) == 4
    drawing = next(one for one in parsed.all("svg") if one.attributes.get("id") == "forest")
    assert (drawing.attributes["role"], drawing.attributes["aria-labelledby"]) == ("img", "forest-title")
    assert "Change of step time with its 95 % interval, 5 rows" in parsed.words("forest-title")


def test_blocks_without_a_ratio_are_counted():
    assert page(made.inconclusive()).rows("cases")[1][-1] == "2 of 11"


def test_memory_that_did_not_change_is_summed_up_and_folded_away():
    parsed = page(made.regression_of_memory())
    assert len(parsed.rows("memory-cases")) == 1
    assert len(parsed.rows("memory-same")) == 23
    assert "peak_memory: no change in 23 cases; growth above 2.0 % is ruled out in all" in parsed.words("memory")


def test_a_page_of_identical_arms_has_nothing_to_draw():
    parsed = page(made.identical())
    assert parsed.all("h1")[0].words.strip() == "identical"
    assert "both arms run the same code, so the gate measured nothing" in parsed.words("verdict")
    assert not [one for one in parsed.elements if one.attributes.get("id") in ("forest", "cases")]


def test_a_page_shows_the_facts_in_which_the_sides_differ_and_whether_each_may_change_results():
    rows = page(made.no_change()).rows("differences")
    assert ["revision", "1a2b3c4", "5d6e7f8", "may change results"] in rows
    assert ["variables.OMP_NUM_THREADS", "none", "1", "may change results"] in rows
    assert "torch" not in {row[0] for row in rows}, "both have the same"
    same = {"revision": "1a2b3c4", "torch": "2.11.0"}
    text = page(made.verdict(arms={"baseline": same, "candidate": same})).words("sides")
    assert "No difference in 2 facts about the two sides." in text


@EVERY
def test_every_number_of_the_page_is_that_of_the_json(name):
    verdict = made.ALL[name]()
    found = json.loads(written("json", printable(verdict)))["cases"]
    rows = page(verdict).rows("cases")
    times = [case for case in found if case["unit"] == "s"]
    assert len(rows) == len(times)
    for row, case in zip(rows, times, strict=True):
        change = math.nan if case["change"] is None else case["change"]
        assert row[1] == percent(change, sign=True)
        assert case["verdict"] in row[4]
        assert row[5:7] == [units.text(case[f"{side}_median"], "s") for side in ("baseline", "candidate")]


def test_a_folder_of_a_side_is_harmless_and_a_hash_is_not():
    sides = {side: {"code": f"/{side}", "identity": {"lock_sha256": side}} for side in ("baseline", "candidate")}
    rows = page(made.verdict(arms=sides)).rows("differences")
    assert [(row[0], row[-1]) for row in rows] == [
        ("identity.lock_sha256", "may change results"),
        ("code", "harmless"),
    ]


def test_a_page_counts_the_verdicts_of_each_level():
    rows = page(made.regression_of_a_level()).rows("by-level")
    assert ["optimizer adam", "6", "6", "–", "–", "–"] in rows
    assert ["optimizer sgd", "6", "–", "–", "6", "–"] in rows
    assert not [row for row in rows if row[0].startswith("execution")], "all cases have one execution"


def test_the_first_screen_counts_the_four_verdicts():
    counted = page(made.inconclusive()).words("verdict")
    assert "regression 0 improvement 0 no change 3 inconclusive 2 not compared 6" in counted


def test_a_thousand_cases_have_a_thousand_rows():
    parsed = page(made.large(1000))
    assert len(parsed.rows("cases")) == 1001
    assert "and 324 more, in the tables below" in parsed.words("culprits")


# forest


def test_one_huge_change_does_not_squeeze_the_others():
    drawn = forest(made.large())
    assert drawn
    huge, other = drawn.rows[0], drawn.rows[1]
    assert drawn.cut_off == 1
    assert (huge.mark, huge.cut_above, huge.cut_below) == ("100.00%", True, False)
    assert not other.cut_above
    assert float(other.right[:-1]) - float(other.left[:-1]) >= 3


def test_levels_are_drawn_below_cases():
    drawn = forest(made.regression_of_a_level())
    assert drawn
    labels = [row.interval.label for row in drawn.rows[-2:]]
    assert labels == ["all cases with optimizer adam", "all cases with optimizer sgd"]
    (divider,) = drawn.dividers
    assert drawn.rows[-3].y < divider < drawn.rows[-2].y


def test_zero_tolerance_and_margin_stand_in_this_order_on_the_axis():
    drawn = forest(made.improvement())
    assert drawn
    assert [name for name, _place, _value in drawn.limits] == ["zero", "tolerance", "margin"]
    places = [float(place[:-1]) for _name, place, _value in drawn.limits]
    assert places == sorted(set(places))
    assert (drawn.limits[0][1], "0 %") in drawn.ticks


def test_a_change_that_is_not_known_has_no_mark():
    drawn = forest(made.inconclusive())
    assert drawn
    assert drawn.rows[1].mark == ""


# any values

TEXTS = st.text(max_size=20) | st.just(made.NASTY)
NUMBERS = st.floats()
MEDIANS = st.none() | st.floats(min_value=-1e300, max_value=1e300) | st.sampled_from([math.nan, math.inf, -math.inf])
SHARES = st.floats(min_value=1e-6, max_value=0.99)
COUNTS = st.integers(min_value=0, max_value=10**6)
JUDGED = st.builds(
    GateChange,
    name=TEXTS,
    metric=st.sampled_from(["step_time", "peak_memory"]) | TEXTS,
    unit=st.sampled_from(["s", "B", "count"]),
    verdict=st.sampled_from(VERDICTS),
    change=NUMBERS,
    low=NUMBERS,
    high=NUMBERS,
    ruled_out=NUMBERS,
    blocks=COUNTS,
    candidate=TEXTS,
    baseline_median=MEDIANS,
    candidate_median=MEDIANS,
    discarded=COUNTS,
    p_value=NUMBERS,
    holm=NUMBERS,
    benjamini_hochberg=NUMBERS,
    explained_by=TEXTS,
    reason=TEXTS,
)
ARMS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
ANY = st.builds(
    GateVerdict,
    baseline=TEXTS,
    candidate=TEXTS,
    arms=st.dictionaries(st.sampled_from(["baseline", "candidate"]), ARMS),
    limits=st.builds(Thresholds, tolerance=SHARES, margin=SHARES, alpha=SHARES),
    memory_tolerance=SHARES,
    cases=st.lists(JUDGED, max_size=4).map(tuple),
    levels=st.lists(JUDGED, max_size=2).map(tuple),
    culprits=st.lists(TEXTS, max_size=2).map(tuple),
    left_out=st.lists(
        st.builds(LeftOut, name=TEXTS, reason=TEXTS, side=st.sampled_from(["", "baseline", "candidate"])), max_size=3
    ).map(tuple),
    failed=st.lists(TEXTS, max_size=3).map(tuple),
    blocks=COUNTS,
    control_blocks=COUNTS,
    control_alarm=st.just("") | TEXTS.map("alarm {}".format),
    too_few=TEXTS,
    dependence_alarm=st.just("") | TEXTS.map("alarm {}".format),
    noise=st.none() | NUMBERS,
    identical=st.booleans(),
    interrupted=st.booleans(),
    seconds=NUMBERS,
    budget_s=NUMBERS,
    discarded=NUMBERS,
    lost_blocks=COUNTS,
    machine=TEXTS,
    modes=st.dictionaries(TEXTS, TEXTS, max_size=2),
    beside=st.dictionaries(st.sampled_from(["others_cores", "stolen_share"]) | TEXTS, st.tuples(NUMBERS, NUMBERS)),
)


@pytest.mark.slow
@given(ANY)
@settings(max_examples=50)
def test_any_verdict_can_be_written_in_every_format(verdict):
    texts = {fmt: written(fmt, verdict) for fmt in FORMATS}
    for text in texts.values():
        assert text.encode("utf-8")
    root = ElementTree.fromstring(texts["junit"])  # noqa: S314 - our own text
    assert len(root.findall(".//testcase")) >= len(verdict.cases)
    assert json.loads(texts["json"], parse_constant=pytest.fail)["exit_code"] == verdict.exit_code
    assert faults_but_of_modes(texts["json"]) == []
    assert len(texts["markdown"]) <= markdown.LONGEST
    assert all(line.startswith(("::error", "::warning", "::notice")) for line in texts["github"].split("\n"))
    assert not Page(texts["page"]).all("script")


OUTCOMES = {0: ("no regression", "identical"), 1: ("failed",), 10: ("regression",), 11: ("inconclusive",)}
OUTCOMES[12] = ("not comparable",)


def agree(verdict: GateVerdict) -> None:
    """Every format says what the exit code says."""
    code = verdict.exit_code
    read = json.loads(written("json", verdict))
    assert read["exit_code"] == code
    said = read["outcome"]
    assert said in OUTCOMES[code]
    assert read["sentence"].startswith(f"{said}: ")
    assert written("table", verdict).splitlines()[0].partition(", candidate ")[2].count(f": {said}: ") >= 1
    assert written("markdown", verdict).startswith(f"## Stepmark gate: {said}\n")
    assert page(verdict).all("h1")[0].words.strip() == said
    judged = [*read["cases"], *read["levels"]]
    regressions = {one["name"] for one in judged if one["verdict"] == "regression"}
    assert bool(regressions) == (code == 10)
    assert set(read["culprits"]) <= regressions
    suite = junit(verdict)
    found = {tag: len(suite.findall(f"testcase/{tag}")) for tag in ("failure", "error", "skipped")}
    assert bool(found["failure"]) == (code == 10)
    assert bool(found["error"]) == bool(verdict.failed)
    lines = written("github", verdict).splitlines()
    errors = [line for line in lines if line.startswith("::error")]
    assert bool(errors) == (code in (1, 10))
    assert any("regression" in line.partition("::")[2].partition("::")[0] for line in errors) == (code == 10)
    if code == 11:
        assert found["skipped"]
        assert any(line.startswith("::warning") for line in lines)
    if verdict.voided:
        assert all(one["verdict"] == "inconclusive" for one in judged if one["metric"] == "step_time")


@EVERY
def test_every_format_and_the_exit_code_say_the_same(name):
    agree(made.ALL[name]())


@given(ANY)
@settings(max_examples=20)
def test_every_format_and_the_exit_code_say_the_same_of_any_verdict(verdict):
    agree(verdict)


def test_the_page_of_a_single_case_that_was_not_compared_counts_it_in_the_singular():
    assert "0 of 1 case was compared, in 24 pairs of fresh processes." in written("page", made.nothing())
