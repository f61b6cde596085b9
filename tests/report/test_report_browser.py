"""The page in a real browser from disk: under its own Content-Security-Policy, without a network."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from suite import report
from suite.records import Case
from suite.report.data import columns
from suite.report.facts import Facts
from tests.conftest import TESTS
from tests.fakes.browser import CHROMIUM, NO_BROWSER, PATIENCE_MS, Browser
from tests.fakes.made_runs import large_run, measured, quick_run, run
from tests.report.test_instrument_section import surveyed

EXAMPLES = json.loads((TESTS / "fakes" / "filter_examples.json").read_text(encoding="utf-8"))
READ = """(({{ tests, refusals }}, cases) => [
  cases.flatMap((one, place) => (tests.every((test) => test.matches(one)) ? [place] : [])), refusals,
])(stepmark.read({}), {})"""
DRAWN = "#chart svg, #chart canvas"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with every outcome; some cases have readings of all instruments."""
    made = quick_run()
    cases = [surveyed(one) if one.outcome == "measured" and place < 4 else one for place, one in enumerate(made.cases)]
    return written(tmp_path_factory.mktemp("page"), replace(made, cases=tuple(cases)))


def written(folder: Path, made) -> Path:
    return report.write(made, folder / "page.html")


def test_the_page_draws_and_nothing_is_refused_or_asked_for(chromium: Browser, quick: Path) -> None:
    with chromium.open(quick) as tab:
        tab.page.locator("#chart").scroll_into_view_if_needed()
        tab.wait(DRAWN)
        assert (tab.console, tab.requests) == ([], []), "no violation of the policy, no error, no request"
        assert tab.page.locator("#shown").inner_text() == "25 cases, none hidden."


@pytest.mark.slow
def test_the_filter_shows_the_cases_of_each_example_and_refuses_what_has_no_meaning(
    chromium: Browser, quick: Path
) -> None:
    with chromium.open(quick) as tab:
        for example in (*EXAMPLES["accepted"], *EXAMPLES["refused"]):
            shows, refusals = tab.value(READ.format(json.dumps(example["filter"]), json.dumps(EXAMPLES["cases"])))
            if "shows" in example:
                assert (shows, refusals) == (example["shows"], []), example
            else:
                assert len(refusals) == 1
                assert all(words in refusals[0] for words in example["says"]), refusals


@pytest.mark.slow
def test_words_check_boxes_tokens_and_hash_are_one_filter(chromium: Browser, quick: Path) -> None:
    with chromium.open(quick, "#filter=RESNET18+adam") as tab:
        assert tab.shown_ids() == ["resnet18-adam-cpu", "resnet18-adamw-cpu"]
        assert tab.page.locator("#shown").inner_text() == "25 cases, 23 hidden; 23 by the filter “RESNET18 adam”."
        tab.page.locator("#words").fill("optimizer:adam* time<10ms")
        assert tab.value("location.hash") == "#filter=optimizer%3Aadam*+time%3C10ms"
        before = tab.shown_ids()
        tab.page.locator("#levels summary").click()
        tab.page.locator("#levels").get_by_label("seed_cnn").check()
        assert tab.page.locator("#words").input_value() == "optimizer:adam* time<10ms structure:seed_cnn"
        assert tab.shown_ids() == [one for one in before if one.startswith("seed_cnn")]
        assert tab.page.locator("#levels label", has_text="plain_d4w32").inner_text().split() == ["plain_d4w32", "2"]
        tab.page.get_by_role("button", name="Remove optimizer:adam*").click()
        assert tab.page.locator("#words").input_value() == "time<10ms structure:seed_cnn"
        assert len(tab.shown_ids()) == 4
        assert tab.console == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<script>", "is no metric; allowed: time, memory, energy, accuracy, throughput."),
        ("colour:red", "“colour” in “colour:red” is no factor; allowed: structure, optimizer"),
    ],
)
def test_a_word_without_a_meaning_hides_nothing_and_says_why(
    chromium: Browser, quick: Path, text: str, reason: str
) -> None:
    with chromium.open(quick, f"#filter={text}") as tab:
        assert reason in tab.page.locator("#refusal").inner_text()
        assert len(tab.shown_ids()) == 25
        assert tab.console == []


@pytest.mark.slow
def test_an_empty_result_says_which_word_nothing_matches(chromium: Browser, quick: Path) -> None:
    with chromium.open(quick, "#filter=resnet18+vgg") as tab:
        assert tab.shown_ids() == []
        assert "No case matches “vgg”." in tab.page.locator("#shown").inner_text()
        tab.page.get_by_role("button", name="Clear the filter").click()
        assert len(tab.shown_ids()) == 25


@pytest.mark.slow
def test_a_link_to_a_section_keeps_the_filter(chromium: Browser, quick: Path) -> None:
    with chromium.open(quick, "#filter=adam") as tab:
        tab.page.locator("nav").get_by_role("link", name="Environment").click()
        assert tab.value("location.hash") == "#filter=adam"
        assert tab.value("document.activeElement.id") == "environment"
    with chromium.open(quick, "#environment") as tab:
        assert len(tab.shown_ids()) == 25
        assert not tab.page.locator("#course-table").is_visible()
        tab.page.locator("#quality figcaption").get_by_role("link", name="The same as a table").click()
        assert tab.page.locator("#course-table").is_visible(), "its fold is opened"
        assert tab.value("document.activeElement.id") == "course-table"


@pytest.mark.slow
def test_the_rows_of_each_table_of_cases_follow_the_filter_from_the_start_and_are_counted(
    chromium: Browser, quick: Path
) -> None:
    with chromium.open(quick, "#filter=optimizer:adamw,rmsprop") as tab:
        rows, line = tab.page.locator("#phases-table tbody tr:not([hidden])"), tab.page.locator("#anatomy .followed")
        assert (rows.count(), line.first.inner_text()) == (2, "4 rows, 2 hidden by the filter or a selection.")
        tab.page.locator("#words").fill("")
        assert (rows.count(), line.first.inner_text()) == (4, "4 rows, none hidden.")
        assert tab.console == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "first", "last"),
    [
        ("Throughput", "seed_cnn-sgd_momentum-cpu", "resnet18-rmsprop-cpu"),
        ("Case", "mobilenet_v3_small-adam-cpu", "seed_cnn-sgd_momentum-cpu"),
        ("Step time", "resnet18-rmsprop-cpu", "seed_cnn-sgd_momentum-cpu"),
    ],
)
def test_a_click_on_a_header_sorts_by_it(chromium: Browser, quick: Path, column: str, first: str, last: str) -> None:
    with chromium.open(quick) as tab:
        tab.page.locator("#ranked thead").get_by_role("button", name=column).click()
        found = tab.shown_ids()
        assert [found[0], found[-1]] == [first, last]
        assert tab.page.locator("#ranked th[aria-sort]").count() == 1


@pytest.mark.slow
def test_sorting_is_by_value_and_cases_without_one_come_last(chromium: Browser, tmp_path: Path) -> None:
    steps_s = {"adam": 2.0, "adamw": 0.0005, "sgd": 0.03, "rmsprop": 0.00002}
    records = [measured(Case("seed_cnn", name, "cpu"), step_s) for name, step_s in steps_s.items()]
    with chromium.open(written(tmp_path, run([surveyed(records[0]), *records[1:]]))) as tab:
        header = tab.page.locator("#ranked thead")
        header.get_by_role("button", name="Case").click()
        header.get_by_role("button", name="Step time").click()
        assert [one.split("-")[1] for one in tab.shown_ids()] == ["rmsprop", "adamw", "sgd", "adam"]
        for _ in range(2):
            header.get_by_role("button", name="Peak memory").click()
            assert tab.shown_ids()[0] == "seed_cnn-adam-cpu", "the only one with a peak, in both directions"


@pytest.mark.slow
def test_a_selection_in_a_chart_leaves_its_rows_and_says_so(chromium: Browser, quick: Path) -> None:
    with chromium.open(quick, "#filter=adam") as tab:
        tab.value("stepmark.brush([0, 1, 2, 3])")
        assert set(tab.shown_ids()) == {"seed_cnn-adam-cpu", "seed_cnn-adamw-cpu"}
        assert "by the selection in a chart" in tab.page.locator("#shown").inner_text()
        tab.page.get_by_role("button", name="Clear the selection").click()
        assert len(tab.shown_ids()) == 12


@pytest.mark.slow
def test_scripts_see_the_figures_and_quantiles_of_the_record(chromium: Browser, quick: Path) -> None:
    made = quick_run()
    facts = Facts(made)
    with chromium.open(quick) as tab:
        found = tab.value("stepmark.cases")
        assert [one["id"] for one in found] == [one.case.id for one in facts.ranked]
        assert [one["step_time"] for one in found] == columns(facts)["step_time"]
        for place in (0, 24):
            quantiles = tab.value(f"stepmark.quantiles({place})")
            rounds = facts.ranked[place].rounds
            assert len(quantiles) == 101
            assert quantiles[0] == pytest.approx(rounds[0], rel=1e-12)
            assert quantiles[100] == pytest.approx(rounds[-1], rel=2e-4)
            assert quantiles == sorted(quantiles)
            assert quantiles[50] == pytest.approx(
                (rounds[len(rounds) // 2] + rounds[(len(rounds) - 1) // 2]) / 2, rel=2e-4
            )


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_of_wcag(chromium: Browser, quick: Path, scheme: str) -> None:
    with chromium.open(quick, "#filter=adam+colour:red", color_scheme=scheme) as tab:
        tab.page.get_by_role("button", name="Expand all").click()
        tab.page.locator("#levels summary").click()
        tab.page.locator("#more").check()
        tab.page.locator("#chart").scroll_into_view_if_needed()
        tab.wait(DRAWN)
        assert "\n".join(tab.violations()) == ""


@pytest.mark.slow
def test_no_mark_of_a_chart_is_black_in_the_dark(chromium: Browser, tmp_path: Path) -> None:
    """The shapes of a legend are black by default."""
    cases = [measured(Case("seed_cnn", "sgd", execution), 0.01) for execution in ("cpu", "distributed")]
    with chromium.open(written(tmp_path, run(cases)), color_scheme="dark") as tab:
        tab.page.locator("#chart").scroll_into_view_if_needed()
        tab.wait("#chart svg .role-legend-symbol path")
        fills = tab.value("[...document.querySelectorAll('#chart svg path')].map((one) => getComputedStyle(one).fill)")
        assert "rgb(0, 0, 0)" not in [fill for fill in fills if fill != "none"]


@pytest.mark.slow
def test_the_switch_of_the_theme_redraws_and_is_kept(chromium: Browser, quick: Path) -> None:
    with chromium.open(quick, color_scheme="light") as tab:
        light = tab.value("getComputedStyle(document.body).backgroundColor")
        tab.page.get_by_role("button", name="Dark", exact=True).click()
        dark = tab.value("getComputedStyle(document.body).backgroundColor")
        assert light != dark
        tab.page.reload()
        assert tab.value("getComputedStyle(document.body).backgroundColor") == dark
        tab.page.get_by_role("button", name="Light", exact=True).click()
        assert tab.value("getComputedStyle(document.body).backgroundColor") == light
        assert tab.console == []


@pytest.mark.slow
def test_the_keyboard_reaches_and_works_every_control(chromium: Browser, quick: Path) -> None:
    with chromium.open(quick) as tab:
        tab.page.keyboard.press("Tab")
        assert tab.page.locator(":focus").inner_text() == "Skip to the ranked table"
        tab.page.keyboard.press("Enter")
        assert tab.value("document.activeElement.id") == "ranking"
        seen = []
        for _ in range(14):
            tab.page.keyboard.press("Tab")
            seen.append(tab.value("document.activeElement.innerText || document.activeElement.id").strip())
        wanted = ["How to read this table", "more", "Rank", "Case", "Step time", "95 % interval", "Throughput"]
        assert [one for one in seen if one in wanted] == wanted
        tab.page.locator("#ranked summary").first.focus()
        tab.page.keyboard.press("Enter")
        tab.page.get_by_role("button", name="Copy the row as Markdown").wait_for()


IS_UNCOVERED = """(() => {
  const first = document.querySelector("#best tbody th");
  first.scrollIntoView({ behavior: "instant", block: "center" });
  const { left, top, height } = first.getBoundingClientRect();
  return document.elementFromPoint(left + 5, top + height / 2) === first;
})()"""
"""Whether a reader sees the first row of the first table."""


@pytest.mark.slow
def test_no_width_makes_the_page_scroll_sideways_and_columns_wait_behind_a_box(chromium: Browser, quick: Path) -> None:
    for width in (390, 1280, 2560):
        with chromium.open(quick, width=width) as tab:
            assert tab.value("document.documentElement.scrollWidth <= innerWidth"), width
            if width == 390:
                assert tab.value(IS_UNCOVERED)
            if width == 1280:
                box = "document.querySelector('#ranking .scroll')"
                assert tab.value(f"{box}.scrollWidth <= {box}.clientWidth")
            cells = tab.page.locator("#ranked tbody tr").first.locator("th, td")
            assert cells.nth(12).is_visible() == (width == 2560)
            if width < 2560:
                tab.page.locator("#more").check()
                assert cells.nth(12).is_visible()


MANY = ("adagrad", "adam", "adam_foreach", "adam_fused", "adamw", "muon", "nadam", "rmsprop", "sgd_momentum")


@pytest.mark.slow
def test_a_heat_map_and_effects_of_eleven_optimizers_fit_a_window(chromium: Browser, tmp_path: Path) -> None:
    optimizers = (*MANY, "sgd_momentum_foreach", "sgd_momentum_fused")
    levels = product(("residual_bottleneck_d4w32", "mobilenet_v3_small"), optimizers)
    records = [measured(Case(*level, "cpu"), 0.01 * (1 + place / 20), place) for place, level in enumerate(levels)]
    with chromium.open(written(tmp_path, run(records))) as tab:
        for table in ("#heatmap .heat", "#effects-step_time"):
            box = f"document.querySelector('{table}').parentElement"
            assert tab.value(f"{box}.scrollWidth <= {box}.clientWidth"), table


TITLES = """(id) => [...document.querySelectorAll(`#${id} thead th`)]
  .filter((one) => getComputedStyle(one).display !== "none").map((one) => one.firstElementChild.textContent)"""


@pytest.mark.slow
@pytest.mark.parametrize("table", ["phases-table", "memory-table", "utilization-table", "roofline-table"])
def test_lesser_columns_of_a_wide_table_wait_behind_a_box(chromium: Browser, quick: Path, table: str) -> None:
    with chromium.open(quick, width=2560) as tab:
        everything = tab.page.evaluate(TITLES, table)
        assert not tab.page.locator(f"#more-{table}").is_visible()
    with chromium.open(quick) as tab:
        shown = tab.page.evaluate(TITLES, table)
        lesser = ", ".join(one for one in everything if one not in shown)
        assert tab.page.locator(f"label[for='more-{table}']").inner_text() == f"More columns: {lesser}"
        box = f"document.getElementById('{table}').parentElement"
        assert tab.value(f"{box}.scrollWidth <= {box}.clientWidth"), "no column is cut"
        row = tab.page.locator(f"#{table} tbody tr").first.locator("th, td")
        assert sum(one.is_visible() for one in row.all()) == len(shown) < len(everything)
        tab.page.locator(f"#more-{table}").focus()
        tab.page.keyboard.press("Space")
        assert tab.page.evaluate(TITLES, table) == everything


@pytest.mark.slow
@pytest.mark.parametrize("without_scripts", [True, False])
def test_on_paper_and_without_scripts_wide_tables_have_all_columns(
    chromium: Browser, quick: Path, without_scripts: bool
) -> None:
    with chromium.open(quick, java_script_enabled=not without_scripts) as tab:
        if not without_scripts:
            tab.page.emulate_media(media="print")
        assert tab.page.locator(".wide .x").count() > 0
        assert all(one.is_visible() for one in tab.page.locator(".wide .x").all())
        assert not any(one.is_visible() for one in tab.page.locator(".wide > .more").all())


@pytest.mark.slow
def test_titles_of_a_card_are_those_of_the_columns(chromium: Browser, quick: Path) -> None:
    with chromium.open(quick, width=390) as tab:
        titles = tab.value(
            "[...document.querySelectorAll('#ranked thead th')].map((one) => one.firstElementChild.textContent)"
        )
        cells = "[...document.querySelector('#ranked tbody tr').cells]"
        found = tab.value(f"{cells}.map((one) => getComputedStyle(one, '::before').content.replaceAll('\"', ''))")
        assert [one for place, one in enumerate(found) if place != 1] == [
            one for place, one in enumerate(titles) if place != 1
        ]


CARDS = """(id) => {
  const [head, row] = ["thead tr", "tbody tr:not(.group-head)"].map((one) => document.querySelector(`#${id} ${one}`));
  const title = (cell) => [...cell.childNodes].map((node) => node.textContent).join(" ");
  const label = (cell) => getComputedStyle(cell, "::before").content.replace(/^"(.*)"$/, "$1");
  return [...head.cells].slice(1).map((cell) => [title(cell), label(row.cells[cell.cellIndex])]);
}"""


@pytest.mark.slow
def test_an_effect_is_a_card_on_a_phone_and_each_figure_has_the_title_of_its_column(
    chromium: Browser, quick: Path
) -> None:
    with chromium.open(quick, width=390) as tab:
        found = tab.page.evaluate(CARDS, "effects-step_time")
        assert [label for _, label in found if label] == [
            *("Against", "Change", "95 % interval", "Pairs of cases", "Smallest to largest", "Networks to come")
        ]
        assert all(title.startswith(label) for title, label in found)
        box = "document.querySelector('#effects-step_time').parentElement"
        assert tab.value(f"{box}.scrollWidth <= {box}.clientWidth")


@pytest.mark.slow
def test_without_scripts_every_table_reads(chromium: Browser, quick: Path) -> None:
    with chromium.open(quick, java_script_enabled=False) as tab:
        rows = tab.page.locator("#ranked tbody tr")
        assert rows.count() == 25
        assert rows.last.is_visible()
        assert "needs scripts" in tab.page.locator("#chart").inner_text()
        assert not tab.page.locator("#filter").is_visible()
        tab.page.locator("#more").check()
        assert tab.page.locator("#ranked tbody tr").first.locator("td").last.is_visible()


@pytest.mark.slow
def test_printing_draws_opens_and_leaves_out_controls(chromium: Browser, quick: Path) -> None:
    with chromium.open(quick, color_scheme="dark") as tab:
        tab.wait(DRAWN)
        assert tab.page.pdf().startswith(b"%PDF")
        tab.page.emulate_media(media="print")
        assert not tab.page.locator("#filter").is_visible()
        assert tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert tab.page.locator("#environment pre").is_visible()
        assert tab.console == []


@pytest.mark.slow
def test_many_cases_are_listed_in_part_until_all_are_asked_for(chromium: Browser, tmp_path: Path) -> None:
    with chromium.open(written(tmp_path, large_run(1600))) as tab:
        assert len(tab.shown_ids()) == 500
        text = "1,600 cases, 1,100 hidden; 1,100 since only the first 500 are shown. Show all"
        assert tab.page.locator("#shown").inner_text() == text
        tab.page.get_by_role("button", name="Show all").click()
        assert len(tab.shown_ids()) == 1600
        assert tab.console == []


@pytest.mark.slow
def test_a_filter_finds_cases_beyond_those_that_are_shown_at_first(chromium: Browser, tmp_path: Path) -> None:
    made = large_run(600)
    with chromium.open(written(tmp_path, made)) as tab:
        first, last = tab.shown_ids()[0], Facts(made).ranked[-1].case.id
        tab.page.locator("#words").fill(last)
        assert tab.shown_ids() == [last]
        tab.page.locator("#words").fill("")
        assert (len(tab.shown_ids()), tab.shown_ids()[0]) == (500, first)
        tab.page.locator("#ranked thead").get_by_role("button", name="Step time").click()
        assert (len(tab.shown_ids()), last in tab.shown_ids(), first in tab.shown_ids()) == (500, True, False)
        assert tab.console == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    ["document.querySelector('#ranked tbody').rows[3].insertCell()", "document.getElementById('refusal').append('!')"],
    ids=["a cell that comes", "a filter that needs another line"],
)
def test_a_small_change_does_not_style_the_whole_table_again(chromium: Browser, tmp_path: Path, change: str) -> None:
    with chromium.open(written(tmp_path, large_run(100))) as tab:
        undrawn = tab.page.locator(".chart:not(:has(svg, canvas))")
        undrawn.first.wait_for(state="detached", timeout=PATIENCE_MS)  # Vega adds a style sheet
        assert tab.restyled(change) < 100, "100 rows have 1,400 cells"


@pytest.mark.slow
def test_an_empty_run_opens_without_a_word_on_the_console(chromium: Browser, tmp_path: Path) -> None:
    with chromium.open(written(tmp_path, run([]))) as tab:
        assert (tab.console, tab.requests) == ([], [])
