"""The page's cost at 1,000 and 10,000 cases: seconds to make, megabytes, seconds until a reader can use it.

`make report-bench` prints a table against the goals of decision 42. The browser is headless Chromium, and has no
network.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))  # the tests' browser and made runs

from suite import report
from suite.report import charts
from tests.fakes.browser import CHROMIUM, NO_BROWSER, Browser, browser
from tests.fakes.made_runs import large_run

GOALS = {1_000: (5.0, 2.0, 2.0), 10_000: (5.0, 6.0, 2.0)}
"""Cases -> seconds to make a page, megabytes, and seconds until it is usable, at most."""
OPENINGS = 3
"""The page is opened so often; the median counts."""
READY = """() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"""
"""Milliseconds from the start of the page's loading until its scripts ran, the table was laid out and a frame drawn."""


def main() -> None:
    """Print a row for each number of cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, nargs="+", default=list(GOALS), help="numbers of cases")
    chosen = parser.parse_args().cases
    if CHROMIUM is None:
        sys.exit(NO_BROWSER)
    charts.scripts()  # a process makes Vega's bundle once, whatever the number of pages
    print(f"{'cases':>7}  {'made in s':>9}  {'MB':>5}  {'usable in s':>11}  {'filtered in s':>13}  goals")
    with tempfile.TemporaryDirectory() as folder, browser() as opened:
        for count in chosen:
            print(row(count, Path(folder) / f"{count}.html", opened), flush=True)


def row(count: int, file: Path, opened: Browser) -> str:
    """Make a page of so many cases, open it, and filter it."""
    run = large_run(count)
    started = time.perf_counter()
    text = report.render(run)
    made_s = time.perf_counter() - started
    file.write_text(text, encoding="utf-8")
    usable_s, filtered_s = (median(column) for column in zip(*openings(file, opened), strict=True))
    size = file.stat().st_size / 1e6
    found = (made_s, size, usable_s)
    missed = [
        f"{name} {goal:g}"
        for name, value, goal in zip(("made", "MB", "usable"), found, GOALS.get(count, ()), strict=False)
        if value > goal
    ]
    verdict = f"missed: {', '.join(missed)}" if missed else "met"
    return f"{count:>7,}  {made_s:>9.2f}  {size:>5.2f}  {usable_s:>11.2f}  {filtered_s:>13.2f}  {verdict}"


def openings(file: Path, opened: Browser) -> Iterator[tuple[float, float]]:
    """Seconds until the page is usable, and seconds that a filter takes, of each opening."""
    for _ in range(OPENINGS):
        with opened.open(file) as tab:
            usable_s = tab.value(READY) / 1000
            before = tab.value("performance.now()")
            tab.page.locator("#words").fill("optimizer:adam*")
            yield usable_s, (tab.value(READY) - before) / 1000


if __name__ == "__main__":
    main()
