"""The page in a real browser: it draws, sorts and filters under its own Content-Security-Policy."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from suite import report
from suite.records import Case
from tests.fakes.html_page import Page
from tests.fakes.made_runs import large_run, measured, quick_run, run

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"),
    *("--virtual-time-budget=10000", "--dump-dom"),
)
TIMEOUT_S = 120

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH, so no browser can open the page")


@dataclass
class Opened:
    """A page after its scripts have run, and what the browser's console said."""

    page: Page
    console: list[str]

    def shown(self) -> list[str]:
        """Ids of the rows of the ranked table that are not hidden, in their order."""
        bodies = [one for one in self.page.all("tr", "ranked") if one.words.strip()][1:]
        rows = self.page.rows("ranked")
        return [row[1].split()[0] for row, tr in zip(rows, bodies, strict=True) if "hidden" not in tr.attributes]


def browse(text: str, folder: Path, fragment: str = "", *flags: str) -> Opened:
    """Open a page from disk in a fresh browser."""
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    command = [str(CHROMIUM), *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", f"{file.as_uri()}{fragment}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    return Opened(Page(done.stdout), [line for line in done.stderr.splitlines() if "CONSOLE" in line])


def with_script(text: str, script: str) -> str:
    """The page with one more script at its end, which does what a reader would."""
    before, end, after = text.rpartition("</body>")  # Vega's code has one too
    return f'{before}<script type="module">{script}</script>{end}{after}'


def test_the_chart_draws_and_nothing_is_refused(tmp_path: Path) -> None:
    opened = browse(report.render(quick_run()), tmp_path)
    assert opened.console == [], "no violation of the policy, no error, no warning"
    assert len(opened.page.all("svg", "chart")) == 1
    marks = [one for one in opened.page.all("path", "chart") if "fill" in one.attributes]
    assert len(marks) >= 25
    assert opened.page.words("shown") == "25 cases, none hidden."


@pytest.mark.slow
def test_many_cases_are_drawn_on_a_canvas_and_listed_in_part(tmp_path: Path) -> None:
    printing = 'dispatchEvent(new Event("beforeprint"))'
    opened = browse(with_script(report.render(large_run(1600)), printing), tmp_path)
    assert opened.console == []
    assert len(opened.page.all("canvas", "chart")) == 1
    assert len(opened.shown()) == 500
    assert opened.page.words("shown") == "1,600 cases, 1,100 hidden; 1,100 since only the first 500 are shown. Show all"


def test_the_hash_filters_the_rows_and_says_how_many_are_hidden(tmp_path: Path) -> None:
    opened = browse(report.render(quick_run()), tmp_path, "#filter=RESNET18%20adam")
    assert opened.shown() == ["resnet18-adam-cpu", "resnet18-adamw-cpu"]
    assert opened.page.words("shown") == "25 cases, 23 hidden; 23 by the filter “RESNET18 adam”."


def test_a_filter_that_nothing_matches_says_so(tmp_path: Path) -> None:
    opened = browse(report.render(quick_run()), tmp_path, "#filter=%3Cscript%3E")
    assert opened.shown() == []
    assert "no case has all of these words in its id" in opened.page.words("shown")
    assert opened.console == []


def test_a_link_to_a_section_is_no_filter(tmp_path: Path) -> None:
    assert len(browse(report.render(quick_run()), tmp_path, "#environment").shown()) == 25


@pytest.mark.parametrize(
    ("column", "first", "last"),
    [
        ("Throughput", "seed_cnn-sgd_momentum-cpu", "resnet18-rmsprop-cpu"),
        ("Case", "mobilenet_v3_small-adam-cpu", "seed_cnn-sgd_momentum-cpu"),
        ("Step time", "resnet18-rmsprop-cpu", "seed_cnn-sgd_momentum-cpu"),
    ],
)
def test_a_click_on_a_header_sorts_by_it(tmp_path: Path, column: str, first: str, last: str) -> None:
    click = f'[...document.querySelectorAll("#ranked thead button")].find((b) => b.textContent === "{column}").click()'
    opened = browse(with_script(report.render(quick_run()), click), tmp_path)
    assert [opened.shown()[0], opened.shown()[-1]] == [first, last]
    assert len([one for one in opened.page.all("th", "ranked") if "aria-sort" in one.attributes]) == 1


def test_sorting_understands_units(tmp_path: Path) -> None:
    steps_s = {"adam": 2.0, "adamw": 0.0005, "sgd": 0.03, "rmsprop": 0.00002}
    made = run([measured(Case("seed_cnn", name, "cpu"), step_s) for name, step_s in steps_s.items()])
    click = '[...document.querySelectorAll("#ranked thead button")].find((b) => b.textContent === "CPU time").click()'
    opened = browse(with_script(report.render(made), click), tmp_path)
    assert [row[8].split()[1] for row in opened.page.rows("ranked")] == ["µs", "µs", "ms", "s"]
    assert [row[0] for row in opened.page.rows("ranked")] == ["1", "2", "3", "4"]


def test_an_empty_run_opens_without_a_word_on_the_console(tmp_path: Path) -> None:
    assert browse(report.render(run([])), tmp_path).console == []
