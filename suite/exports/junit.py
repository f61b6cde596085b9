"""A run as JUnit XML: one test for each case."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from suite import units
from suite.analysis.case_figures import CaseFigures, figures_of
from suite.analysis.validity import label
from suite.markup.github_markdown import clipped
from suite.markup.junit import add_properties, duration, finished, new_suite
from suite.records import TESTS, Case, Run, RunRecord

SUITE = "stepmark"
MISSING = "the run ended before this case was measured"
LONGEST_REASON = 2000
"""Characters of a reason; GitLab takes 30 MB for all tests together."""


def render(run: Run) -> str:
    """Write a test for each case; one that the run did not reach is an error.

    Names are those that pytest gives to the cases, so that a history of tests goes on. The time of a test is that of
    measuring the case; its step time is a property, `step_time_s`.

    Source: the properties of a test are where pytest's `record_property` writes them.
    """
    figures = figures_of(run.cases)
    root, suite = new_suite(SUITE)
    suite.set("timestamp", run.header.started_at)
    suite.set("hostname", str((run.header.environment.get("machine") or {}).get("host") or ""))
    add_properties(suite, [("run", run.header.run_id)])
    for record in run.cases:
        add(suite, record, figures.get(record.case.id))
    for case_id in run.missing:
        test = SubElement(suite, "testcase", classname=SUITE, name=case_id, time=duration(0.0))
        SubElement(test, "error", message=MISSING, type="missing").text = MISSING
    return finished(root, suite, sum(seconds_of(record) for record in run.cases))


def add(suite: Element, record: RunRecord, figures: CaseFigures | None) -> None:
    """Add a case."""
    classname, name = names_of(record.case)
    test = SubElement(suite, "testcase", classname=classname, name=name, time=duration(seconds_of(record)))
    reason = clipped(record.reason, LONGEST_REASON)
    if record.outcome == "skipped":
        SubElement(test, "skipped", message=reason)
    elif record.outcome == "failed":
        SubElement(test, "failure", message=reason, type="failed").text = reason
    elif figures:
        add_properties(test, properties(figures))
        SubElement(test, "system-out").text = sentence(figures)


def names_of(case: Case) -> tuple[str, str]:
    """Class and name of a case's test, as pytest writes them."""
    path, _, function = TESTS[case.mode].rpartition("::")
    return path.removesuffix(".py").replace("/", "."), f"{function}[{case.id}]"


def seconds_of(record: RunRecord) -> float:
    """Seconds that a case took, all visits together."""
    return sum(visit.seconds for visit in record.measurement.visits) if record.measurement else 0.0


def properties(figures: CaseFigures) -> list[tuple[str, str]]:
    """Names and values of a measured case's figures, as in the CSV table."""
    found = figures.step_time
    return [
        ("step_time_s", repr(found.median)),
        ("step_time_low_s", repr(found.low)),
        ("step_time_high_s", repr(found.high)),
        ("rounds", str(found.rounds)),
        ("validity", label(figures.issues)),
    ]


def sentence(figures: CaseFigures) -> str:
    """A measured case in one line: `5.124 ms, [5.090, 5.160] ms; steady`."""
    found = figures.step_time
    return (
        f"step time {units.text(found.median, 's')}, 95 % interval {units.interval(found.low, found.high, 's')}; "
        f"{label(figures.issues)}"
    )
