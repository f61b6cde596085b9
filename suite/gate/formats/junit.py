"""A verdict as JUnit XML, which most services of continuous integration show as a list of tests.

Source: the layout that Jenkins, GitLab and pytest agree on (`testsuites`, `testsuite`, `testcase`, one of `failure`,
`error`, `skipped`); there is no standard.
"""

from __future__ import annotations

import math
from xml.etree import ElementTree

from suite.gate.formats.method import conditions
from suite.gate.formats.numbers import change
from suite.gate.formats.sanitize import printable
from suite.gate.formats.sentences import (
    also,
    case_label,
    culprits,
    failures,
    finding,
    level_label,
    not_compared,
    sentence,
)
from suite.gate.verdict import GateVerdict, Judged

SUITE = "stepmark gate"
UNJUDGED = "step_time"
"""Class of a case that has no verdict by any metric: the one that it has where it was measured, so that its history
stays one."""


def render(verdict: GateVerdict) -> str:
    """A test for each case and metric: failed by a regression, skipped where nothing certain is known.

    A level is a test only where it is a regression.
    """
    verdict = printable(verdict)
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite", name=SUITE)
    properties = ElementTree.SubElement(suite, "properties")
    for label, text in conditions(verdict):
        ElementTree.SubElement(properties, "property", name=label, value=text)
    for one in verdict.cases:
        add(suite, one, case_label(one))
    for one in verdict.levels:
        if one.verdict == "regression":
            add(suite, one, level_label(one))
    add_unjudged(suite, verdict)
    ElementTree.SubElement(suite, "system-out").text = "\n".join(
        [sentence(verdict), *(f"{label}: {change(one)}" for label, one in culprits(verdict))]
    )
    for element in (root, suite):
        count(element, suite, verdict.seconds)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def add(suite: ElementTree.Element, one: Judged, label: str) -> None:
    """Add one case, or one level, by one metric."""
    test = ElementTree.SubElement(suite, "testcase", classname=one.metric, name=label)
    if one.verdict == "regression":
        ElementTree.SubElement(test, "failure", message=f"{change(one)}{also(one)}", type="regression").text = change(
            one
        )
    elif one.verdict == "inconclusive":
        ElementTree.SubElement(test, "skipped", message=finding(one))
    else:
        ElementTree.SubElement(test, "system-out").text = f"{change(one)}; {finding(one)}"


def add_unjudged(suite: ElementTree.Element, verdict: GateVerdict) -> None:
    """Add cases that failed, those left out, and what makes the whole inconclusive."""
    for one in failures(verdict):
        test = ElementTree.SubElement(suite, "testcase", classname=UNJUDGED, name=one.name)
        ElementTree.SubElement(test, "error", message=one.reason, type="failed").text = one.reason
    skipped = [
        (UNJUDGED, one.name, f"{one.side}: {one.reason}" if one.side else one.reason) for one in not_compared(verdict)
    ]
    if verdict.control_alarm:
        skipped.append(("gate", "control", verdict.control_alarm))
    if verdict.dependence_alarm:
        skipped.append(("gate", "order of blocks", verdict.dependence_alarm))
    if verdict.interrupted:
        skipped.append(("gate", "whole budget", "the gate was ended before it was over"))
    for metric, name, reason in skipped:
        test = ElementTree.SubElement(suite, "testcase", classname=metric, name=name)
        ElementTree.SubElement(test, "skipped", message=reason)


def count(element: ElementTree.Element, suite: ElementTree.Element, seconds: float) -> None:
    """Write the counts of the suite's tests as attributes of an element, and the time that the gate took."""
    element.set("tests", str(len(suite.findall("testcase"))))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    element.set("time", f"{seconds if math.isfinite(seconds) else 0:.3f}")
