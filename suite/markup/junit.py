"""JUnit XML, which most CI services show as a list of tests.

Source: the layout that Jenkins, GitLab and pytest agree on (`testsuites`, `testsuite`, `testcase`, one of `failure`,
`error`, `skipped`); there is no standard.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from suite.markup.printable import UNPRINTABLE, printable

COUNTED = (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
"""Attribute of a suite -> element of the tests that it counts."""


def new_suite(name: str) -> tuple[Element, Element]:
    """A file with an empty suite: the root, and the suite."""
    root = Element("testsuites")
    return root, SubElement(root, "testsuite", name=name)


def add_properties(element: Element, properties: Iterable[tuple[str, str]]) -> None:
    """Add names and values as the properties of a suite or test."""
    found = SubElement(element, "properties")
    for name, value in properties:
        SubElement(found, "property", name=name, value=value)


def finished(root: Element, suite: Element, seconds: float) -> str:
    """Set counts and time, and make each text printable; the text of the file."""
    for element in root.iter():
        element.attrib = printable(element.attrib)
        element.text = UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", element.text or "") or None
    for element in (root, suite):
        element.set("tests", str(len(suite.findall("testcase"))))
        for attribute, tag in COUNTED:
            element.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
        element.set("time", duration(seconds))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def duration(seconds: float) -> str:
    """Seconds as an attribute has them; 0 if they are unknown."""
    return f"{seconds if math.isfinite(seconds) else 0:.3f}"
