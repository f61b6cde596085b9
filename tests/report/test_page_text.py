"""The text of a page against a stored one, so that a change of wording is seen in review.

`python -m tests.report.test_page_text` stores the present text, in `tests/golden/page.txt`.
"""

from dataclasses import replace

from suite import report
from suite.records import Case, Metric, Run, RunRecord, Series
from tests.conftest import TESTS
from tests.fakes.html_page import Element, Page
from tests.fakes.made_runs import failed, measured, run, unsteady
from tests.report.test_instrument_section import surveyed
from tests.report.test_scaling import shared

STORED = TESTS / "golden" / "page.txt"
BLOCKS = {"h1", "h2", "h3", "p", "li", "dt", "dd", "tr", "figcaption", "nav", "summary", "pre"}


def made() -> Run:
    """A run with something for every section but learning."""
    loaded = measured(Case("seed_cnn", "sgd", "cpu"), 0.002)
    cores = Series(Metric("others_cores", "1", "lower", ""), (0.9, 0.9, 0.9))
    compiled = Series(Metric("compile_time", "s", "lower", "Time of compilation."), (1.5, 1.25, 1.25))
    loaded = replace(loaded, measurement=replace(loaded.measurement, per_visit=(cores,)))
    adam = surveyed(measured(Case("seed_cnn", "adam", "cpu"), 0.01))
    adam = replace(adam, measurement=replace(adam.measurement, per_visit=(compiled,)))
    records = [
        adam,
        loaded,
        unsteady(Case("resnet18", "sgd", "cpu")),
        shared("distributed_r1", 0.012, 1, 2),
        shared("distributed", 0.01, 2, 1),
        failed(Case("seed_cnn", "rmsprop", "cpu", batch_size=128)),
        RunRecord(Case("seed_cnn", "adam", "cuda"), "skipped", "execution cuda: no CUDA device is visible"),
    ]
    return run(records, missing=["seed_cnn-adamw-cpu"], complete=False)


def text_of(page: Page) -> str:
    """The page's text, a block a line; a row's cells are divided by bars."""
    lines = []
    row_end = 0
    blocks = [one for one in page.elements if one.tag in BLOCKS]
    for one in page.elements:
        if one.tag in ("td", "th"):
            lines[-1] += f" | {' '.join(one.words.split())}"
        elif one.tag == "tr":
            lines.append("-")
            row_end = one.end or 0
        elif one in blocks and one.start >= row_end and not any(holds(one, other) for other in blocks):
            lines.append(" ".join(one.words.split()))
    return "\n".join(lines) + "\n"


def holds(block: Element, other: Element) -> bool:
    """Whether another block lies within a block, which then has no line."""
    return other is not block and block.start <= other.start and (other.end or 0) <= (block.end or 0)


def test_the_text_of_the_page_is_the_stored_one():
    assert text_of(Page(report.render(made()))) == STORED.read_text(encoding="utf-8")


if __name__ == "__main__":
    STORED.write_text(text_of(Page(report.render(made()))), encoding="utf-8")
