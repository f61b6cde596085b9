"""The largest effects of levels, in words, each with a link to its cases."""

from __future__ import annotations

from urllib.parse import quote

from suite import units
from suite.effects import text, wording
from suite.report.facts import Facts
from suite.report.view import View

MOST_SHARES = 3
"""Terms whose share of the variance is named."""
MOST_OF_ALL = 1.05
"""Sum of all shares up to which they are shares of one whole."""


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
        values={
            "findings": [(one.text, one.filter, quote(one.filter)) for one in found],
            "shares": shares(facts) if facts.is_studied else "",
        },
    )


def shares(facts: Facts) -> str:
    """The largest shares of the variance of step time; empty if none are known.

    In a matrix with many holes a term explains a part of another's share. Such shares add up to far more than 100 %,
    and are left to the section of effects.
    """
    study, _ = facts.study("step_time")
    if study is None or study.separation is None:
        return ""
    known = text.known(study.separation)
    if not known or text.sum_of(known) + study.separation.rest > MOST_OF_ALL:
        return ""
    parts = [f"{wording.term(one.term)} {units.percent(one.share or 0.0)}" for one in known[:MOST_SHARES]]
    rest = f"all factors together leave {units.percent(study.separation.rest)} unexplained"
    return f"Shares of the variance of step time: {', '.join(parts)}; {rest}."
