"""Pages of cases in a real browser: opened by hash and by link, filled from the packed details, and closed again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from suite import report
from suite.records import Run
from tests.fakes.browser import CHROMIUM, NO_BROWSER, Browser
from tests.fakes.made_runs import quick_run
from tests.report.test_instrument_section import surveyed

CASE = "resnet18-adam-cpu"
SLOT = '#case-sheet [data-slot="{0}"]'.format
ID = "#case-sheet h3"
SHOWN = "[...document.querySelectorAll('#phases-table tbody tr:not([hidden])')].length"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)]


@pytest.fixture(scope="module")
def made() -> Run:
    """A run with every outcome, and readings of all instruments."""
    run = quick_run()
    return replace(run, cases=tuple(surveyed(one) if one.outcome == "measured" else one for one in run.cases))


@pytest.fixture(scope="module")
def page(made: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.write(made, tmp_path_factory.mktemp("page") / "page.html")


def test_a_link_to_a_case_opens_its_page_with_charts_and_every_figure(chromium: Browser, page: Path) -> None:
    with chromium.open(page, f"#case={CASE}") as tab:
        tab.wait(f"{SLOT('timelines')} svg")
        assert tab.page.locator(ID).inner_text() == CASE
        for name in ("histogram", "shares", "rounds"):
            tab.wait(f"{SLOT(name)} svg")
        assert "each a fresh process" in tab.page.locator(SLOT("rounds-reading")).inner_text()
        assert tab.page.locator(f"{SLOT('visits')} tr").count() == 3
        assert f"test_training_step[{CASE}]" in tab.page.locator(SLOT("command")).inner_text()
        row = tab.page.locator(f"{SLOT('metrics')} tr", has_text="Memory peak steady").text_content()
        assert row is not None
        assert "465.0 MiB" in row
        assert tab.page.locator(f"{SLOT('issues')} div").count() == 0
        assert tab.violations() == []
        assert (tab.console, tab.requests) == ([], [])


def test_a_page_of_a_case_is_reached_by_keyboard_and_closing_it_leaves_the_filter(
    chromium: Browser, page: Path
) -> None:
    allowed = ["clipboard-read", "clipboard-write"]
    with chromium.open(page, "#filter=resnet18", color_scheme="dark", permissions=allowed) as tab:
        link = tab.page.locator(f"#phases-table a[href='#case={CASE}']")
        link.focus()
        tab.page.keyboard.press("Enter")
        tab.wait(f"{SLOT('histogram')} svg")
        assert tab.value(SHOWN) == 5, "rows of other tables follow the filter"
        assert tab.violations() == []
        tab.page.get_by_role("button", name="Copy as Markdown").click()
        tab.page.get_by_role("button", name="Copied").wait_for()
        header, _, row = tab.value("navigator.clipboard.readText()").split("\n")
        assert header.startswith("| Rank | Case | Step time | 95 % interval | ")
        assert row.split(" | ")[1] == CASE
        tab.page.get_by_role("button", name="Next").click()
        tab.page.locator(ID, has_text="resnet18-adamw-cpu").wait_for()
        tab.page.get_by_role("button", name="Copy as Markdown").wait_for()
        tab.page.keyboard.press("Escape")
        tab.page.locator("#case-sheet").wait_for(state="hidden")
        tab.page.wait_for_url("**#filter=resnet18")
        assert tab.console == []


def test_a_case_that_is_not_there_is_named(chromium: Browser, page: Path) -> None:
    with chromium.open(page, "#case=%3Cscript%3E") as tab:
        tab.page.locator("#case-answer", has_text="No measured case has the id <script>.").wait_for()
        assert not tab.page.locator("#case-sheet").is_visible()


def test_without_scripts_the_section_says_so(chromium: Browser, page: Path) -> None:
    with chromium.open(page, f"#case={CASE}", java_script_enabled=False) as tab:
        assert "needs scripts, which are off" in tab.page.locator("#case-chooser").inner_text()
        assert not tab.page.locator("#case-sheet").is_visible()
