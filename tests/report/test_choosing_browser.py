"""Views to choose by in a real browser: rulers, a price, rectangles in charts, the chosen group, and heat maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from suite import report
from suite.effects.limits import limits_of
from suite.effects.recommendation import recommend
from suite.report.facts import Facts
from tests.fakes.browser import CHROMIUM, NO_BROWSER, PATIENCE_MS, Browser, Tab
from tests.report.test_pareto import choices

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)]
RUN = choices((64, 256), learning=True)
SGD = "plain_d2-sgd-cpu"
"""The fastest case."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("choosing") / "report.html"
    made.write_text(report.render(RUN), encoding="utf-8")
    return made


@pytest.fixture
def tab(chromium: Browser, file: Path) -> Iterator[Tab]:
    with chromium.open(file, height=1200) as found:
        yield found
        assert found.console == []
        assert found.requests == []


def drawn(tab: Tab, chart: str) -> dict[str, float]:
    """Scroll to a chart and give the place of its drawing, once no other chart moves it."""
    tab.page.locator(f"#{chart}").scroll_into_view_if_needed()
    for one in tab.page.locator(".chart:visible").all():
        one.locator("svg, canvas").first.wait_for(timeout=PATIENCE_MS)
    tab.page.locator(f"#{chart}").scroll_into_view_if_needed()
    found: dict[str, float] = tab.page.locator(f"#{chart} svg").first.bounding_box()
    return found


def drag(tab: Tab, box: dict[str, float], start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a rectangle between two places, given as shares of a drawing."""
    (left, top), (right, bottom) = (
        (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)
    )
    tab.page.mouse.move(left, top)
    tab.page.mouse.down()
    tab.page.mouse.move((left + right) / 2, (top + bottom) / 2)
    tab.page.mouse.move(right, bottom)
    tab.page.mouse.up()


def test_the_ruler_gives_the_answer_and_the_command_of_recommend(tab: Tab) -> None:
    ruler = tab.page.locator("#limit-peak_memory")
    ruler.fill("400")
    command = tab.page.locator("#choice-command").inner_text()
    assert command.startswith("stepmark recommend RECORD --max-memory ")
    limits = limits_of({"max-memory": command.rsplit(" ", 1)[1]})
    chosen = recommend(RUN, limits, lambda case_id: not case_id.endswith(("b256", "learn")))[0].chosen
    assert chosen
    answer = tab.page.locator("#choice").inner_text()
    assert f"The fastest of them is {chosen.candidate.case.id}: " in answer
    assert "slower than plain_d2-sgd-cpu, for 12.0 % less peak memory" in answer
    assert ruler.get_attribute("aria-valuetext").replace(" ", "") == command.rsplit(" ", 1)[1]


def test_a_rectangle_over_points_selects_their_rows_and_a_button_clears_it(tab: Tab) -> None:
    box = drawn(tab, "pareto-peak_memory")
    drag(tab, box, (0.05, 0.11), (0.99, 0.55))
    tab.page.get_by_role("button", name="Clear the selection").wait_for()
    assert set(tab.shown_ids()) == {"plain_d2-sgd-cpu", "plain_d2-muon-cpu"}
    tab.page.get_by_role("button", name="Clear the selection").click()
    assert len(tab.shown_ids()) == 12


def test_another_group_has_its_own_chart_and_reading(tab: Tab) -> None:
    drawn(tab, "pareto-peak_memory")
    assert not tab.page.locator("#pareto-accuracy").is_visible()
    tab.page.select_option("#front-group", label="learn, batch size 64, image size 28")
    drawn(tab, "pareto-accuracy")
    assert not tab.page.locator("#pareto-peak_memory").is_visible()
    assert "Of 4 cases" in tab.page.locator("#pareto figcaption").last.inner_text()
    assert tab.page.locator("#limit-accuracy").is_visible()


def test_a_rectangle_over_an_axis_selects_cases_of_its_levels(tab: Tab) -> None:
    box = drawn(tab, "lines")
    axes = tab.value("JSON.parse(document.getElementById('axes').textContent).map((one) => one.key)")
    middle = (axes.index("batch_size") + 0.5) / len(axes)
    drag(tab, box, (middle - 0.04, 0.9), (middle + 0.04, 0.99))
    tab.page.locator("#brushed button").wait_for()
    assert tab.page.locator("#brushed").inner_text().startswith("Selected on batch size.")
    assert {name for name in tab.shown_ids() if name.endswith("b256")} == set()
    tab.page.locator("#brushed button").click()
    assert len(tab.shown_ids()) == 12


def test_cells_of_the_heat_map_follow_the_filter_and_open_their_case(chromium: Browser, file: Path) -> None:
    with chromium.open(file, "#filter=optimizer%3Aadam") as tab:
        faded = tab.value("[...document.querySelectorAll('.heat td[data-i]')].map((one) => one.className)")
        assert {"faded" in one for one in faded} == {True, False}
        tab.page.locator(".heat td[data-i]:not(.faded)").first.click()
        assert "case=plain_d2-adam-cpu" in tab.value("location.hash")


def examples_for(case_id: str, price: float) -> str:
    """Images per unit of money as the page writes them."""
    (figures,) = (one for one in Facts(RUN).ranked if one.case.id == case_id)
    assert figures.throughput
    return f"{float(f'{3600 * figures.throughput / price:.3e}'):,.0f} images per unit of money"


def test_a_typed_price_says_what_an_hour_and_a_million_steps_cost(tab: Tab) -> None:
    price, line = tab.page.locator("#price"), tab.page.locator("#bought")
    assert (price.input_value(), line.inner_text()) == ("", "")
    price.fill("2.50")
    assert line.inner_text().startswith(f"At 2.50 an hour, plain_d2-sgd-cpu makes {examples_for(SGD, 2.5)}. ")
    (sgd,) = (one for one in Facts(RUN).ranked if one.case.id == SGD)
    assert sgd.throughput
    cost = float(line.inner_text().split("A million steps cost ")[1].rstrip("."))
    assert cost == pytest.approx(1e6 * 64 / sgd.throughput / 3600 * 2.5, rel=1e-3)
    assert tab.value("location.hash") == "#price=2.50"
    price.press("Enter")
    assert price.input_value() == "2.50", "no form is sent"
    price.fill("")
    assert (line.inner_text(), tab.value("location.hash")) == ("", "")


def test_the_price_follows_the_filter_and_the_limits(tab: Tab) -> None:
    tab.page.locator("#price").fill("3")
    line = tab.page.locator("#bought")
    tab.page.locator("#limit-peak_memory").fill("400")
    assert f"plain_d2-adam-cpu makes {examples_for('plain_d2-adam-cpu', 3)}." in line.inner_text()
    assert line.inner_text().endswith(f"{SGD}, the fastest of all, makes {examples_for(SGD, 3).split(' ')[0]}.")
    tab.page.locator("#words").fill("optimizer:lion")
    assert f"plain_d2-lion-cpu makes {examples_for('plain_d2-lion-cpu', 3)}" in line.inner_text()
    assert tab.value("location.hash") == "#price=3&filter=optimizer%3Alion"
    tab.page.locator("#words").fill("optimizer:muon")
    assert line.inner_text() == "", "no case is within the limit"


def test_a_link_has_the_price(chromium: Browser, file: Path) -> None:
    with chromium.open(file, "#filter=optimizer%3Aadam&price=.5") as tab:
        assert tab.page.locator("#price").input_value() == ".5"
        assert "At .5 an hour, plain_d2-adam-cpu makes" in tab.page.locator("#bought").inner_text()
        tab.value("location.hash = 'price=7'")
        tab.page.locator("#bought", has_text="At 7 an hour").wait_for()
        assert tab.console == []


@pytest.mark.parametrize("text", ["abc", "-1", "0", "2,50", "1e3", "Infinity", "<b>1</b>"])
def test_a_bad_price_gets_one_sentence(tab: Tab, text: str) -> None:
    price, line = tab.page.locator("#price"), tab.page.locator("#bought")
    price.fill(text)
    assert line.inner_text() == f"“{text}” is no price; allowed: a number above 0, such as 2.50."
    assert price.get_attribute("aria-invalid") == "true"
    price.fill("1")
    assert line.inner_text().startswith("At 1 an hour, ")
    assert price.get_attribute("aria-invalid") == "false"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("price", ["2.50", "much"])
def test_the_price_has_no_violation_that_axe_finds(chromium: Browser, file: Path, theme: str, price: str) -> None:
    with chromium.open(file, f"#price={price}", color_scheme=theme) as tab:
        assert tab.page.locator("#bought").inner_text()
        assert tab.violations() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_views_have_no_violation_that_axe_finds(chromium: Browser, file: Path, theme: str) -> None:
    with chromium.open(file, color_scheme=theme) as tab:
        for one in ("pareto-peak_memory", "lines"):
            drawn(tab, one)
        assert tab.violations() == []
