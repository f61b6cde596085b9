"""The run's plan, and the machine and software that it was measured with."""

from __future__ import annotations

import json

from suite.report.facts import Facts
from suite.report.provenance import environment_entries, run_entries
from suite.report.view import View


def view(facts: Facts) -> View:
    """Run and environment as nested entries, the environment as JSON too."""
    return View(
        id="environment",
        title="Environment",
        navigation="Environment",
        template="environment.html.j2",
        values={
            "run": run_entries(facts.run, facts.record_path),
            "environment": environment_entries(facts.run),
            "json": json.dumps(facts.run.header.environment, indent=2, ensure_ascii=False),
        },
    )
