"""Phases, memory, utilization and roofline of a step, from the instruments."""

from __future__ import annotations

from suite.report.facts import Facts
from suite.report.instruments import instruments
from suite.report.view import View


def view(facts: Facts) -> View | None:
    """Tables of the instruments; None where none measured a case."""
    found = instruments(facts.ranked)
    if found.is_empty:
        return None
    return View(
        id="instruments",
        title="Phases, memory and utilization of a step",
        navigation="Memory and utilization",
        template="instruments.html.j2",
        values={
            "breakdown": found.breakdown,
            "memory": found.memory,
            "utilization": found.utilization,
            "roofline": found.roofline,
        },
    )
