"""Heat maps at a keyboard, in a real browser: each is a grid with one tab stop, and a cell opens its case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from suite import report
from tests.fakes.browser import CHROMIUM, NO_BROWSER, Browser, Tab
from tests.fakes.made_runs import quick_run

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)]
FOCUSED = "document.activeElement.ariaLabel"
OUTLINE = """(({ outlineStyle, outlineWidth, outlineColor }) => [outlineStyle, outlineWidth, outlineColor])(
  getComputedStyle(document.activeElement))"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.write(quick_run(), tmp_path_factory.mktemp("heatmap") / "page.html")


@pytest.fixture
def tab(chromium: Browser, file: Path) -> Iterator[Tab]:
    """A page whose focus is right before the first map."""
    with chromium.open(file) as found:
        found.page.locator(".map summary").first.focus()
        yield found
        assert (found.console, found.requests) == ([], [])


def press(tab: Tab, *keys: str) -> str:
    """Press keys one after another, and give the structure and optimizer of the cell in focus."""
    for key in keys:
        tab.page.keyboard.press(key)
    return str(tab.value(FOCUSED)).split(":")[0]


def test_a_map_has_one_tab_stop_which_is_the_cell_last_in_focus(tab: Tab) -> None:
    assert press(tab, "Tab") == "seed_cnn, sgd_momentum", "the first measured cell"
    assert press(tab, "ArrowRight") == "seed_cnn, adam"
    press(tab, "Tab")
    assert not tab.value("document.activeElement.closest('.heat')")
    assert press(tab, "Shift+Tab") == "seed_cnn, adam"
    press(tab, "Shift+Tab")
    assert tab.value("document.activeElement.tagName") == "SUMMARY"


@pytest.mark.parametrize(
    ("keys", "cell"),
    [
        (["ArrowDown"], "plain_d4w32, sgd_momentum"),
        (["ArrowDown", "ArrowUp"], "seed_cnn, sgd_momentum"),
        (["ArrowLeft"], "seed_cnn, sgd"),
        (["ArrowLeft", "ArrowLeft", "ArrowUp"], "seed_cnn, sgd"),
        (["End"], "seed_cnn, lbfgs"),
        (["End", "ArrowRight"], "seed_cnn, lbfgs"),
        (["ArrowDown", "Home"], "plain_d4w32, sgd"),
        (["Control+End"], "mobilenet_v3_small, lbfgs"),
        (["Control+End", "ArrowDown"], "mobilenet_v3_small, lbfgs"),
        (["Control+End", "Control+Home"], "seed_cnn, sgd"),
    ],
)
def test_arrow_keys_and_ends_move_the_focus_and_stop_at_the_edges(tab: Tab, keys: list[str], cell: str) -> None:
    assert press(tab, "Tab", *keys) == cell


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_enter_and_space_open_the_case_and_closing_it_leads_back(tab: Tab, key: str) -> None:
    press(tab, "Tab", "ArrowDown", key)
    assert tab.value("location.hash") == "#case=plain_d4w32-sgd_momentum-cpu"
    tab.wait("#case-sheet[open]")
    assert press(tab, "Escape") == "plain_d4w32, sgd_momentum"
    assert tab.value("location.hash") == ""


def test_enter_on_a_cell_without_a_measured_case_opens_nothing(tab: Tab) -> None:
    assert press(tab, "Tab", "End", "Enter") == "seed_cnn, lbfgs"
    assert press(tab, "Home", "Enter") == "seed_cnn, sgd"
    assert tab.value("location.hash") == ""


def test_a_click_moves_the_tab_stop(tab: Tab) -> None:
    tab.page.get_by_role("gridcell", name="resnet18, adamw").click()
    tab.wait("#case-sheet[open]")
    assert press(tab, "Escape") == "resnet18, adamw"
    assert tab.page.locator(".heat td[tabindex='0']").count() == 1


def test_a_screen_reader_has_a_name_for_the_map_and_for_each_cell(tab: Tab) -> None:
    grid = tab.page.get_by_role("grid", name="Heat map of execution cpu")
    names = [one.get_attribute("aria-label") for one in grid.get_by_role("gridcell").all()]
    assert len(names) == len(set(names)) == 36
    assert names[0] == "seed_cnn, sgd: no such case"
    assert names[1].startswith("seed_cnn, sgd_momentum: 1.1")
    assert names[1].endswith(" ms, the fastest of the row")
    assert names[2].startswith("seed_cnn, adam: 1.2")
    assert names[2].endswith(" % against the fastest of the row")
    assert names[5] == "seed_cnn, lbfgs: failed, reason 1"
    assert grid.get_by_role("columnheader").count() == 7
    tab.page.locator("#words").fill("structure:resnet18")
    assert grid.get_by_role("gridcell", name="; the filter hides it").count() == 20


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_focus_is_visible_and_axe_finds_no_violation(chromium: Browser, file: Path, theme: str) -> None:
    with chromium.open(file, color_scheme=theme) as tab:
        tab.page.locator(".map summary").first.focus()
        press(tab, "Tab", "ArrowDown", "ArrowDown")
        ink = tab.value("getComputedStyle(document.body).color")
        assert tab.value(OUTLINE) == ["solid", "3px", ink], "ink has a contrast of 4.5 on every shade"
        assert tab.violations() == []


def test_a_cell_in_focus_is_not_hidden_behind_the_structures(chromium: Browser, file: Path) -> None:
    with chromium.open(file, width=420) as tab:
        tab.page.locator(".map summary").first.focus()
        press(tab, "Tab", "End", *["ArrowLeft"] * 5)
        cell, heading = (
            tab.value(f"document.activeElement.{one}.getBoundingClientRect().toJSON()")
            for one in ("closest('td')", "parentElement.cells[0]")
        )
        assert cell["left"] >= heading["right"] - 1


def test_without_scripts_a_map_is_a_table_in_a_region_that_scrolls(chromium: Browser, file: Path) -> None:
    with chromium.open(file, java_script_enabled=False) as tab:
        region = tab.page.get_by_role("region", name="Heat map of execution cpu")
        assert region.get_attribute("tabindex") == "0"
        assert region.locator("table").get_attribute("role") is None
