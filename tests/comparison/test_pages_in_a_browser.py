"""Pages that compare in a real browser from disk: of two runs, and of a gate."""

import math
import random
from pathlib import Path

import pytest

from suite.gate.formats import render as render_gate
from tests.comparison.test_compare_page import text_of, with_facts
from tests.comparison.test_comparison import CASES, made
from tests.fakes.browser import CHROMIUM, NO_BROWSER, Browser
from tests.fakes.made_verdicts import inconclusive

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A comparison with a regression, and a gate that did not decide."""
    folder = tmp_path_factory.mktemp("pages")
    slowed = with_facts(made(random.Random(4), {CASES[5].id: math.log(1.3)}), commit={"revision": "abc"})
    texts = {"comparison": text_of(made(random.Random(3)), slowed), "gate": render_gate(inconclusive(), "page")}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


WIDER_THAN_ITS_WINDOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize("name", ["comparison", "gate"])
def test_a_page_opens_silently_fits_its_window_and_keeps_to_wcag(
    chromium: Browser, pages: dict[str, Path], name: str, scheme: str, width: int
) -> None:
    with chromium.open(pages[name], width=width, color_scheme=scheme) as tab:
        assert (tab.console, tab.requests) == ([], [])
        assert tab.value(WIDER_THAN_ITS_WINDOW) == 0
        assert tab.violations() == []


def test_marks_lie_within_the_plot_and_a_phone_shows_each_cell_with_its_column(
    chromium: Browser, pages: dict[str, Path]
) -> None:
    with chromium.open(pages["comparison"], width=390, java_script_enabled=False) as tab:
        plot = tab.page.locator("#forest").bounding_box()
        marks = [mark.bounding_box() for mark in tab.page.locator("#forest .shape").all()]
        assert len(marks) == len(CASES)
        assert all(plot["x"] - 8 <= mark["x"] <= plot["x"] + plot["width"] + 8 for mark in marks)
        cell = tab.page.locator("#cases td").first
        assert cell.get_attribute("data-label") == "change"
        assert cell.bounding_box()["width"] > 300, "a card, not a column"
