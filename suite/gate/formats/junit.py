"""A verdict as JUnit XML, which most CI services show as a list of tests.

Source: the layout that Jenkins, GitLab and pytest agree on (`testsuites`, `testsuite`, `testcase`, one of `failure`,
`error`, `skipped`); there is no standard.
"""

from __future__ import annotations

import math
from xml.etree import ElementTree

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

SUITE = "stepmark gate"
UNJUDGED = "step_time"
"""Class of a case without a verdict: that of a measured case, so that its history has no gap."""


def render(verdict: GateVerdict) -> str:
    """One test for each case and metric; a regression fails, "inconclusive" skips.

    A level is a test only if it regressed.
    """
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite", name=SUITE)
    properties = ElementTree.SubElement(suite, "properties")
    for label, text in conditions(verdict):
        ElementTree.SubElement(properties, "property", name=label, value=text)
    for case in verdict.cases:
        add(suite, case, case_label(case))
    for level in verdict.levels:
        if level.verdict == "regression":
            add(suite, level, level_label(level))
    add_unjudged(suite, verdict)
    ElementTree.SubElement(suite, "system-out").text = "\n".join(
        [sentence(verdict), *(f"{label}: {with_interval(judged)}" for label, judged in culprits(verdict))]
    )
    for element in (root, suite):
        count(element, suite, verdict.seconds)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def add(suite: ElementTree.Element, judged: GateChange, label: str) -> None:
    """Add a case or level by one metric."""
    test = ElementTree.SubElement(suite, "testcase", classname=judged.metric, name=label)
    if judged.verdict == "regression":
        message = f"{with_interval(judged)}{explanation(judged)}"
        ElementTree.SubElement(test, "failure", message=message, type="regression").text = with_interval(judged)
    elif judged.verdict == "inconclusive":
        ElementTree.SubElement(test, "skipped", message=finding(judged))
    else:
        ElementTree.SubElement(test, "system-out").text = f"{with_interval(judged)}; {finding(judged)}"


def add_unjudged(suite: ElementTree.Element, verdict: GateVerdict) -> None:
    """Add failed cases, cases not compared, and reasons why the gate is inconclusive."""
    for case in failures(verdict):
        test = ElementTree.SubElement(suite, "testcase", classname=UNJUDGED, name=case.name)
        ElementTree.SubElement(test, "error", message=case.reason, type="failed").text = case.reason
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
        test = ElementTree.SubElement(suite, "testcase", classname=metric, name=name)
        ElementTree.SubElement(test, "skipped", message=reason)


def count(element: ElementTree.Element, suite: ElementTree.Element, seconds: float) -> None:
    """Set the counts of tests and the gate's time as attributes of an element."""
    element.set("tests", str(len(suite.findall("testcase"))))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    element.set("time", f"{seconds if math.isfinite(seconds) else 0:.3f}")
