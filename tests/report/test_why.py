"""Two cases side by side: which pair comes first, and when there is none to show."""

from suite import report
from suite.records import Case, Run
from suite.report.case_details import MOST_CASES
from suite.report.facts import Facts
from suite.report.views import why
from tests.fakes.html_page import Page
from tests.fakes.made_runs import large_run, measured, quick_run, run
from tests.report.test_instrument_section import surveyed


def timed(*cases: Case) -> Run:
    """A run of cases with readings of phases, the first one the fastest."""
    return run([surveyed(measured(case, 0.01 * place)) for place, case in enumerate(cases, 1)])


def test_the_first_pair_is_the_fastest_case_and_the_one_that_differs_least_from_it():
    cases = Case("a", "sgd", "cpu"), Case("b", "adam", "cpu"), Case("a", "adam", "cpu"), Case("a", "lion", "cpu")
    found = why.view(Facts(timed(*cases)))
    assert found is not None
    assert found.values["pair"] == ["a-sgd-cpu", "a-adam-cpu"], "lion differs as little, and is slower"
    values = [one.attributes["value"] for one in Page(report.render(timed(*cases))).all("input", "pair")]
    assert values == ["a-sgd-cpu", "a-adam-cpu"]


def test_there_is_no_section_without_two_cases_with_phases():
    assert why.view(Facts(quick_run())) is None
    assert why.view(Facts(timed(Case("a", "sgd", "cpu")))) is None
    assert why.view(Facts(run([]))) is None


def test_there_is_no_section_where_the_page_has_no_room_for_the_phases_of_each_case():
    made = large_run(MOST_CASES + 1)
    assert why.view(Facts(run([*map(surveyed, made.cases[:2]), *made.cases[2:]]))) is None
