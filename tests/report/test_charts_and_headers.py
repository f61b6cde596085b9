"""Every chart has a title, a reading and a table; every header says what is better, on a page with every section."""

from dataclasses import replace
from itertools import product

import pytest

from suite import report
from suite.records import Case, Metric, Run, Series
from suite.report.facts import Facts
from suite.report.page import VIEWS
from suite.report.view import View
from tests.fakes.html_page import Element, Page
from tests.fakes.made_runs import learnt, measured, run
from tests.report.test_instrument_section import surveyed
from tests.report.test_scaling import shared
from tests.report.test_views_of_cases import FAST, SLOW, bimodal

NEUTRAL = {
    # names, places and texts
    "Rank", "Case", "Reason", "Remedy", "Device", "Reading", "Meaning", "Highest in", "Where to look", "No.", "Level",
    "Effect of", "Against", "Against the fastest", "On the front", "Term", "of 100 %", "Interaction of", "With",
    "Structure", "Metric", "Figure", "Ended by", "Busy neighbour", "After from the start of the run",
    # counts of what was measured, and settings
    "Turns", "Ranks", "On", "Pass", "Started after", "Warm-up rounds", "Rounds", "Pairs of cases", "Sets of 4 cases",
    "Degrees of freedom", "Share", "Of the fastest tenth share of cases", "Of all share of cases",
    "Remarked on from this mean of a case", "Imported the same for all",
    # the same quantity as another header of the table, which has the direction
    "95 % interval", "Smallest to largest of the pairs", "Networks to come interval of the mean",
    "Phases of the step", "Shares of the peak", "Distribution of the rounds",
    # quantities of which neither end is better
    "Over time cores used, from 0", "Cores used on average", "Each core busy with any process", "Operations of a step",
    "Forward", "Backward", "Optimizer", "Bytes of a step", "Intensity FLOP per byte", "Roof set by",
}  # fmt: skip
"""Headers without a direction."""
QUANTILES = {"Fastest", "5 %", "25 %", "Median", "75 %", "95 %", "Slowest"}
"""Headers of a case's page that are places in its distribution, under a heading with the step time."""


@pytest.fixture(scope="module")
def full() -> Run:
    """Cases for every section: readings of instruments, ranks, two step times, learning."""
    levels = [*product(("plain_d2", "plain_d4", "plain_d8", "plain_d16"), ("sgd", "adam"))]
    cases = [surveyed(measured(Case(*level, "cpu"), 0.002 * place, place)) for place, level in enumerate(levels, 1)]
    assert cases[0].measurement
    cores = Series(Metric("others_cores", "1", "lower", ""), (0.1, 0.1, 0.1))
    cases[0] = replace(cases[0], measurement=replace(cases[0].measurement, per_visit=(cores,)))
    cases += [shared("distributed_r1", 0.012, 1, 2), shared("distributed", 0.01, 2, 1)]
    cases += bimodal([FAST] * 31 + [SLOW] * 19, [FAST] * 31 + [SLOW] * 19).cases
    cases += [
        learnt(Case("plain_d2", name, "cpu", mode="learn"), level) for name, level in (("sgd", 0.96), ("adam", 0.97))
    ]
    return run(cases)


@pytest.fixture(scope="module")
def page(full: Run) -> Page:
    return Page(report.render(full))


@pytest.fixture(scope="module")
def views(full: Run) -> dict[str, View | None]:
    facts = Facts(full)
    return {make.__module__.rpartition(".")[2]: make(facts) for make in VIEWS}


def test_the_page_has_every_section(views: dict[str, View | None], page: Page) -> None:
    assert None not in views.values()
    assert {view.id for view in views.values() if view} == {one.attributes["id"] for one in page.all("section")}


def test_every_chart_has_a_title_a_reading_and_a_link_to_its_table(views: dict[str, View | None], page: Page) -> None:
    charts = [chart for view in views.values() if view for chart in view.charts]
    assert len(charts) >= 9
    captions = {one.words.split("The same as a table")[0].strip(): one for one in page.all("figcaption")}
    links = [one.attributes["href"] for one in page.all("a") if one.words.strip() == "The same as a table"]
    tables = {one.attributes.get("id") for one in page.all("table")}
    for chart in charts:
        assert any(" ".join(text.split()).startswith(f"{chart.title}. {chart.reading}") for text in captions)
        assert f"#{chart.twin}" in links
        assert chart.twin in tables
    assert len(links) == len(charts)


def test_every_header_says_what_is_better(page: Page) -> None:
    heads = [words(one) for one in page.all("th") if one.attributes.get("scope") == "col"]
    assert len(heads) > 100
    optimizers = {"sgd", "adam"}  # columns of the heat map, whose text says what is better
    assert [one for one in heads if not is_directed(one) and one not in optimizers] == []


def test_a_header_is_neutral_only_where_the_page_has_it(page: Page) -> None:
    assert {one for one in NEUTRAL if one not in set(map(words, page.all("th")))} == set()


def words(header: Element) -> str:
    return " ".join(header.words.split())


def is_directed(text: str) -> bool:
    return bool({"better", "best"} & set(text.replace(",", " ").split())) or text in NEUTRAL | QUANTILES
