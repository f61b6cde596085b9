"""Parallel coordinates: an axis for each factor and metric by which cases differ, and what the fastest cases share."""

import json

import pytest

from suite.records import Case
from suite.report.facts import Facts
from suite.report.parallel_chart import MOST_LINES, axes_of
from suite.report.views import parallel
from tests.fakes.made_runs import measured, quick_run, run
from tests.report.test_pareto import choices


def test_only_what_differs_has_an_axis():
    axes = axes_of(Facts(choices((64, 256))))
    assert [one.key for one in axes] == ["optimizer", "batch_size", "step_time", "peak_memory"]


def test_levels_stand_in_their_order_and_metrics_from_least_to_most():
    facts = Facts(choices((64, 256)))
    ranked, axes = facts.ranked, {one.key: one for one in axes_of(facts)}
    assert axes["batch_size"].labels == ((0.0, "64"), (1.0, "256"))
    assert axes["optimizer"].levels == ("adam", "lion", "muon", "sgd")
    assert axes["step_time"].low == ranked[0].step_time.median
    assert axes["step_time"].high == ranked[-1].step_time.median
    assert [at for at, _ in axes["peak_memory"].labels] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_only_some_of_many_levels_have_names():
    cases = [measured(Case(f"s{number}", "sgd", "cpu"), 0.01 + number / 1000) for number in range(30)]
    axis = axes_of(Facts(run(cases)))[0]
    assert len(axis.levels) == 30
    assert len(axis.labels) == 10


def test_the_levels_that_the_fastest_tenth_shares_are_named_with_both_shares():
    facts = Facts(
        run([measured(Case(name, f"o{n}", "cpu"), 0.01 + n / 1e4 + (name != "a")) for name in "abc" for n in range(10)])
    )
    view = parallel.view(facts)
    assert view.charts[0].reading == "Of the fastest tenth, 3 cases, 100.0 % have structure a; of all 30 cases, 33.3 %."
    assert view.values["levels"].rows[0] == ("structure a", "100.0 %", "33.3 %")


def test_only_some_of_very_many_cases_are_drawn_and_the_page_says_which():
    assert parallel.left_out(MOST_LINES) == ""
    assert parallel.left_out(10_000) == "Of 10,000 cases, the chart draws the fastest ones and every 5th of the others."


@pytest.mark.parametrize("made", [run([]), run([measured(Case("a", "sgd", "cpu"), 0.01)])])
def test_a_run_with_few_cases_has_no_chart(made):
    assert parallel.view(Facts(made)) is None


def test_hostile_levels_stay_inside_the_expressions():
    name = "a'];alert(1)//</script>\u2028"
    facts = Facts(
        run(
            [measured(Case(one, "sgd", "cpu", batch_size=size), 0.01 * size) for one in (name, "b") for size in (8, 16)]
        )
    )
    place = axes_of(facts)[0].place
    assert json.dumps(name)[1:-1] in place
    assert parallel.view(facts) is not None


def test_the_chart_says_which_table_has_its_figures():
    assert parallel.view(Facts(quick_run())).charts[0].twin == "ranked"
