"""Views to choose by in a real browser: rulers, rectangles in charts, the chosen group, and heat maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from suite import report
from suite.effects.limits import limits_of
from suite.effects.recommendation import recommend
from tests.fakes.browser import CHROMIUM, NO_BROWSER, PATIENCE_MS, Browser, Tab, browser
from tests.report.test_pareto import choices

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)]
RUN = choices((64, 256), learning=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_views_have_no_violation_that_axe_finds(chromium: Browser, file: Path, theme: str) -> None:
    with chromium.open(file, color_scheme=theme) as tab:
        for one in ("pareto-peak_memory", "lines"):
            drawn(tab, one)
        assert tab.violations() == []
