"""A verdict as one JSON object, for programs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from suite.gate.formats.sentences import outcome, sentence
from suite.gate.verdict import MODE_IN_FILES, GateVerdict

SCHEMA = 1
"""Version of the layout. A changed name or meaning raises it; a new name does not."""
CHANGE_KEYS = (
    "name",
    "metric",
    "unit",
    "verdict",
    "change",
    "low",
    "high",
    "ruled_out",
    "blocks",
    "candidate",
    "baseline_median",
    "candidate_median",
    "discarded",
    "p_value",
    "holm",
    "benjamini_hochberg",
    "explained_by",
    "reason",
    "size",
    "judged_change",
)
"""Keys of a case or level, in their order."""


def render(verdict: GateVerdict) -> str:
    """All fields of `suite.gate.verdict`, the exit code and the sentence.

    Numbers that are not finite are null: a change, an interval or a bound that is unknown.
    """
    head = {
        "schema": SCHEMA,
        "exit_code": verdict.exit_code,
        "outcome": outcome(verdict),
        "sentence": sentence(verdict),
    }
    facts = asdict(verdict)
    for key in ("cases", "levels"):
        facts[key] = [{name: change[name] for name in CHANGE_KEYS} for change in facts[key]]
    facts["modes"] = {case: MODE_IN_FILES.get(mode, mode) for case, mode in verdict.modes.items()}
    whole = {**head, **finite(facts)}
    return json.dumps(whole, indent=2, allow_nan=False, default=str) + "\n"


def finite(value: Any) -> Any:
    """The value with None in place of each number that is not finite, at any depth."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return value
