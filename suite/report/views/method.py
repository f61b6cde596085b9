"""How the figures were measured, and the words of the page."""

from __future__ import annotations

from suite.analysis.estimates import CONFIDENCE, DISTURBED_SHARE, ENOUGH_UNDISTURBED
from suite.report.facts import Facts
from suite.report.view import View


def view(_: Facts) -> View:
    """The method, the same for every run."""
    return View(
        id="method",
        title="Method",
        navigation="Method",
        template="method.html.j2",
        values={
            "confidence": CONFIDENCE,
            "disturbed_share": DISTURBED_SHARE,
            "enough_undisturbed": ENOUGH_UNDISTURBED,
        },
    )
