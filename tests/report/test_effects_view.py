"""Effects on the page are those of `stepmark effects`, with pictures on the scale of their factor."""

import re

import pytest

from suite import report, units
from suite.effects import text
from suite.effects.sizes import Size
from suite.effects.study import study
from suite.effects.values import METRICS
from suite.records import Case
from suite.report.facts import Facts
from suite.report.views import effects, findings
from tests.fakes.html_page import Page
from tests.fakes.made_runs import learnt, measured, quick_run, run


@pytest.fixture(scope="module")
def facts() -> Facts:
    return Facts(quick_run())


def test_the_page_has_the_cells_of_the_table_at_the_terminal(facts):
    page = Page(report.render(facts.run))
    rows = [" ".join(row) for row in page.rows("effects-step_time")]
    expected = study(facts.run, "step_time")
    for effect in text.shown_effects(expected):
        level, *others = text.cells(METRICS["step_time"], effect)
        assert any(all(cell in row for cell in (level.split(" ", 1)[1], *others)) for row in rows)
    words = page.words("effects")
    assert all(text.wording.term(one.term) in words for one in effects.shown_terms(expected.separation))
    assert effects.shown_terms(expected.separation)


def crossed() -> Facts:
    """Three structures with three optimizers."""
    cases = [
        measured(Case(structure, optimizer, "cpu"), own * other)
        for structure, own in (("plain_d2w16", 0.01), ("plain_d4w16", 0.03), ("plain_d8w16", 0.09))
        for optimizer, other in (("sgd", 1.0), ("adam", 1.1), ("adamw", 1.2))
    ]
    return Facts(run(cases))


def test_the_findings_begin_with_the_largest_shares_of_the_variance():
    expected = study(crossed().run, "step_time").separation
    words = Page(report.render(crossed().run)).words("findings")
    assert "Shares of the variance of step time: structure 99." in words
    assert f"; all factors together leave {units.percent(expected.rest)} unexplained." in words


def test_shares_that_overlap_are_left_to_the_section_of_effects():
    """Two structures and two optimizers that share one case: each explains a part of what the other does."""
    cases = [("plain_d2w16", "sgd", 0.01), ("plain_d2w16", "adam", 0.03), ("plain_d4w16", "adam", 0.01)]
    facts = Facts(run([measured(Case(structure, optimizer, "cpu"), time) for structure, optimizer, time in cases]))
    separated = study(facts.run, "step_time").separation
    assert text.sum_of(text.known(separated)) + separated.rest > 1.05
    assert findings.shares(facts) == ""


def test_an_interval_is_drawn_from_end_to_end_on_an_axis_with_zero():
    axis = effects.Axis.of([Size(0.1, 0.0, 0.2), Size(-0.2, -0.2, -0.2)])
    assert (axis.low, axis.high) == (-0.2, 0.2)
    assert axis.path(Size(0.1, 0.0, 0.2)) == "M90 7H179M135 2V12"
    assert axis.path(Size(-0.2)) == "M1 2V12"
    assert effects.Axis.of([Size(0.0)]).px(0.0) == effects.WIDTH_PX // 2


def test_less_time_and_more_accuracy_are_better():
    time, accuracy = METRICS["step_time"], METRICS["accuracy"]
    assert effects.direction(time, Size(-0.1, -0.2, -0.05)) == "better"
    assert effects.direction(time, Size(0.1, 0.05, 0.2)) == "worse"
    assert effects.direction(time, Size(0.1, -0.05, 0.2)) == ""
    assert effects.direction(accuracy, Size(0.1, 0.05, 0.2)) == "better"
    assert effects.direction(accuracy, Size(0.1)) == "better"


def test_every_metric_that_the_record_has_is_a_section():
    cases = [
        learnt(Case(structure, optimizer, "cpu", mode="learn"), 0.9 + own + other)
        for structure, own in (("plain_d2", 0.0), ("plain_d4", 0.02), ("plain_d8", 0.03))
        for optimizer, other in (("sgd_momentum", 0.0), ("adam", 0.03))
    ]
    sections = effects.view(Facts(run(cases))).values["sections"]
    assert [one.metric for one in sections] == ["accuracy"] or [one.metric for one in sections] == [
        "step_time",
        "accuracy",
    ]
    adam = next(row for group in sections[-1].effects if group.dimension == "optimizer" for row in group.rows)
    assert (adam.words[:3], adam.direction, adam.arrow) == (("adam", "sgd_momentum", "+3.0 points"), "better", "▲")


def test_the_reading_says_which_factor_explains_most(facts):
    section = effects.view(facts).values["sections"][0]
    assert re.fullmatch(r"Structure explains 9\d\.\d % of the variance, \w+( x \w+)? \d\.\d %\.", section.reading)


def test_few_rows_are_shown_and_the_others_are_counted(facts, monkeypatch):
    monkeypatch.setattr(effects, "MOST_ROWS", 2)
    section = effects.section(facts.study("step_time")[0])
    assert sum(len(group.rows) for group in section.effects) == 2
    assert any(
        "smaller effects not shown; `stepmark effects RECORD --format json` has all." in note
        for note in section.notes["effects"]
    )


def test_a_run_of_too_many_cases_has_a_sentence_instead(facts, monkeypatch):
    monkeypatch.setattr("suite.report.facts.STUDIED_CASES", 3)
    values = effects.view(facts).values
    assert values["sections"] == ()
    assert values["left_out"].startswith("The page has no effects of 25 cases")


@pytest.mark.parametrize("made", [run([]), run([measured(Case("a", "sgd", "cpu"), 0.01)])])
def test_a_run_without_two_cases_has_no_section(made):
    assert effects.view(Facts(made)) is None
