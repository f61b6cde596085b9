"""README's findings, and an effect computed by hand from the csv, are those of the pages of the published runs."""

import csv
import io
import math
import re
from pathlib import Path

import pytest

from suite import units
from suite.effects import text, wording
from suite.exports.csv_table import render
from suite.records.store import read_run
from suite.report.facts import Facts
from suite.report.views import effects, findings
from tests.conftest import PROJECT

PUBLISHED = PROJECT / "reports" / "published"
NUMBER = re.compile(r"\d+\.\d")
READMES = ("README.md", "README.zh-CN.md")

pytestmark = pytest.mark.skipif(not PUBLISHED.is_dir(), reason="no run is published in this checkout")


def published(name: str) -> Facts:
    return Facts(read_run(PUBLISHED / name))


def test_the_effect_of_adam_against_sgd_with_momentum_is_that_of_the_csv_by_hand():
    facts = published("quick")
    rows = csv.DictReader(io.StringIO(render(facts.run)))
    times = {one["id"]: float(one["step_time_without_drift_s"]) for one in rows if one["id"] in facts.place}
    names = {one.case.structure for one in facts.ranked}
    ratios = {name: times[f"{name}-adam-cpu"] / times[f"{name}-sgd_momentum-cpu"] for name in names}
    ends = sorted(ratios, key=lambda name: ratios[name])
    assert ends[-1] == "resnet18"
    (row,) = (
        row
        for group in effects.view(facts).values["sections"][0].effects
        for row in group.rows
        if row.words[:2] == ("adam", "sgd_momentum")
    )
    low, high = (units.percent(ratios[name] - 1, sign=True) for name in (ends[0], "resnet18"))
    mean = math.prod(ratios.values()) ** (1 / len(ratios))
    assert row.words[2] == units.percent(mean - 1, sign=True)
    assert row.words[4:6] == (str(len(ratios)), f"{low.removesuffix(' %')} to {high}")


@pytest.mark.slow
def test_the_findings_in_readme_are_on_the_page_of_the_published_overview():
    facts = published("overview")
    study, _ = facts.study("step_time")
    shares = " ".join(f"{wording.term(one.term)} {units.percent(one.share)}" for one in text.known(study.separation))
    on_page = [shares, findings.shares(facts), *(one.text for one in facts.overview.findings)]
    for name in READMES:
        found = bullets(PROJECT / name)
        assert len(found) == 3
        for bullet in found:
            numbers = NUMBER.findall(bullet)
            assert numbers
            assert any(set(numbers) <= set(NUMBER.findall(one)) for one in on_page), bullet


def bullets(readme: Path) -> list[str]:
    """The list under the sentence about published runs."""
    _, after = readme.read_text(encoding="utf-8").split("(reports/published)", 1)
    return [line for line in after.split("\n\n", 1)[0].splitlines() if line.startswith("- ")]
