"""The largest effects of levels, in words, each with a link to its cases."""

from __future__ import annotations

from urllib.parse import quote

from suite.report.facts import Facts
from suite.report.view import View


def view(facts: Facts) -> View | None:
    """Sentences with intervals; None where no effect is clear."""
    found = facts.overview.findings
    if not found:
        return None
    return View(
        id="findings",
        title="Which choices matter most",
        navigation="Findings",
        template="findings.html.j2",
        values={"findings": [(one.text, one.filter, quote(one.filter)) for one in found]},
    )
