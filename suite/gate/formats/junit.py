"""A verdict as JUnit XML: one test for each case and metric."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from suite.analysis.change_text import with_interval
from suite.gate.formats.conditions import conditions
from suite.gate.formats.sentences import (
    INTERRUPTED,
    case_label,
    culprits,
    explanation,
    failures,
    finding,
    level_label,
    not_compared,
    sentence,
)
from suite.gate.verdict import GateChange, GateVerdict
from suite.markup.junit import add_properties, finished, new_suite

SUITE = "stepmark gate"
UNJUDGED = "step_time"
"""Class of a case without a verdict: that of a measured case, so that its history has no gap."""


def render(verdict: GateVerdict) -> str:
    """One test for each case and metric; a regression fails, "inconclusive" skips.

    A level is a test only if it regressed.
    """
    root, suite = new_suite(SUITE)
    add_properties(suite, conditions(verdict))
    for case in verdict.cases:
        add(suite, case, case_label(case))
    for level in verdict.levels:
        if level.verdict == "regression":
            add(suite, level, level_label(level))
    add_unjudged(suite, verdict)
    SubElement(suite, "system-out").text = "\n".join(
        [sentence(verdict), *(f"{label}: {with_interval(judged)}" for label, judged in culprits(verdict))]
    )
    return finished(root, suite, verdict.seconds)


def add(suite: Element, judged: GateChange, label: str) -> None:
    """Add a case or level by one metric."""
    test = SubElement(suite, "testcase", classname=judged.metric, name=label)
    if judged.verdict == "regression":
        message = f"{with_interval(judged)}{explanation(judged)}"
        SubElement(test, "failure", message=message, type="regression").text = with_interval(judged)
    elif judged.verdict == "inconclusive":
        SubElement(test, "skipped", message=finding(judged))
    else:
        SubElement(test, "system-out").text = f"{with_interval(judged)}; {finding(judged)}"


def add_unjudged(suite: Element, verdict: GateVerdict) -> None:
    """Add failed cases, cases not compared, and reasons why the gate is inconclusive."""
    for case in failures(verdict):
        test = SubElement(suite, "testcase", classname=UNJUDGED, name=case.name)
        SubElement(test, "error", message=case.reason, type="failed").text = case.reason
    skipped = [
        (UNJUDGED, case.name, f"{case.side}: {case.reason}" if case.side else case.reason)
        for case in not_compared(verdict)
    ]
    if verdict.control_alarm:
        skipped.append(("gate", "control", verdict.control_alarm))
    if verdict.dependence_alarm:
        skipped.append(("gate", "order of blocks", verdict.dependence_alarm))
    if verdict.interrupted:
        skipped.append(("gate", "whole budget", INTERRUPTED))
    for metric, name, reason in skipped:
        test = SubElement(suite, "testcase", classname=metric, name=name)
        SubElement(test, "skipped", message=reason)
