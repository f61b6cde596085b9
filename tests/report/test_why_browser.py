"""Two cases side by side in a real browser: chosen by hash, by keyboard and from a case's page."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite import report
from suite.records import Case
from suite.report.facts import Facts
from tests.fakes.browser import CHROMIUM, NO_BROWSER, PATIENCE_MS, Browser, Tab
from tests.fakes.made_runs import measured, run
from tests.report.test_instrument_section import surveyed

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)]
ROWS = """[...document.querySelectorAll("#pair-tables table")[0].tBodies[0].rows]
  .map((row) => [...row.cells].map((cell) => cell.textContent))"""
WIDTHS = "[...document.querySelectorAll('#pair-tables tbody')[0].querySelectorAll('i')].map((one) => one.style.width)"
RUN = run(
    [
        surveyed(measured(Case("plain", "sgd", "cpu"), 0.010)),
        surveyed(measured(Case("plain", "adam", "cpu"), 0.013), part_update=(0.004,), part_loss=(0.0005,)),
        surveyed(measured(Case("deep", "adam", "cpu"), 0.020), part_forward=(0.006,)),
        measured(Case("bare", "sgd", "cpu"), 0.030),
    ]
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.write(RUN, tmp_path_factory.mktemp("why") / "report.html")


def answer(tab: Tab, text: str) -> str:
    """The text of the section, once it has some words in it."""
    tab.page.locator("#pair-answer", has_text=text).wait_for(timeout=PATIENCE_MS)
    found: str = tab.page.locator("#pair-answer").inner_text()
    return found


def test_the_phases_of_two_cases_stand_side_by_side_with_bars_and_shares(chromium: Browser, file: Path) -> None:
    with chromium.open(file) as tab:
        tab.page.locator("#why").scroll_into_view_if_needed()
        words = answer(tab, "plain-adam-cpu takes")
        sgd, adam = (one.step_time for one in Facts(RUN).ranked[:2])
        assert words.startswith(
            f"plain-adam-cpu takes {100 * (adam.median / sgd.median - 1):.1f} % more time per step "
        )
        assert "They differ in optimizer (sgd, adam)." in words
        assert words.endswith("Of the phases, optimizer differs most: +3 ms, of +3.5 ms in all.")
        rows = {row[0]: row[2:] for row in tab.value(ROWS)}
        assert rows["optimizer"] == ["1", "4", "+300.0 % ▲", "+3", "+85.7 %"]
        assert rows["loss"] == ["0", "0.5", "–", "+0.5", "+14.3 %"]
        assert rows["forward"] == ["3", "3", "0.0 %", "0", "0.0 %"]
        assert tab.value(WIDTHS)[-2:] == ["25%", "100%"], "of the longest phase of both, 4 ms"
        tab.page.locator("#why").get_by_text("metrics differ").click()
        assert tab.page.locator("#why details tr", has_text="Part update").inner_text().split("\t")[1:3] == [
            "1.000 ms",
            "4.000 ms",
        ]
        assert tab.violations() == []
        assert (tab.console, tab.requests) == ([], [])


def test_the_hash_keeps_the_pair_and_a_bad_id_is_named(chromium: Browser, file: Path) -> None:
    with chromium.open(file, "#b=deep-adam-cpu&a=plain-adam-cpu", width=390, color_scheme="dark") as tab:
        assert "deep-adam-cpu takes " in answer(tab, "They differ in structure (plain, deep).")
        assert tab.value("document.documentElement.scrollWidth <= innerWidth")
        assert tab.violations() == []
        second = tab.page.locator("#pair-2")
        second.fill("bare-sgd-cpu")
        second.press("Enter")
        answer(tab, "No phase was timed in both of them.")
        assert tab.value("location.hash") == "#b=bare-sgd-cpu&a=plain-adam-cpu"
        second.fill("<b>none</b>")
        second.press("Enter")
        assert answer(tab, "No measured") == "No measured case has the id <b>none</b>."
        second.fill("plain-adam-cpu")
        second.press("Enter")
        answer(tab, "Both are the same case: choose another one.")
        assert tab.console == []


def test_the_page_of_a_case_leads_to_its_comparison(chromium: Browser, file: Path) -> None:
    with chromium.open(file, "#case=deep-adam-cpu") as tab:
        tab.wait("#case-sheet[open]")
        tab.page.get_by_role("button", name="Side by side").click()
        assert answer(tab, "deep-adam-cpu takes").startswith("deep-adam-cpu takes")
        assert not tab.page.locator("#case-sheet").is_visible()
        assert tab.value("location.hash") == "#b=deep-adam-cpu"
        assert tab.value("document.activeElement.id") == "pair-1"
        assert tab.console == []


def test_without_scripts_the_section_says_so(chromium: Browser, file: Path) -> None:
    with chromium.open(file, java_script_enabled=False) as tab:
        assert "needs scripts, which are off" in tab.page.locator("#why").inner_text()
        assert not tab.page.locator("#pair").is_visible()
