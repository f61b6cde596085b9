"""A verdict as one JSON object, for programs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from suite.gate.formats.sentences import outcome, sentence
from suite.gate.verdict import GateVerdict

SCHEMA = 1
"""Number of the layout: raised whenever a name or a meaning changes, not where a name is added."""


def render(verdict: GateVerdict) -> str:
    """All of it under the names of `suite.gate.verdict`, with the exit code and the sentence.

    Numbers that are not finite are null: a change, an interval or a bound that is not known.
    """
    head = {
        "schema": SCHEMA,
        "exit_code": verdict.exit_code,
        "outcome": outcome(verdict),
        "sentence": sentence(verdict),
    }
    whole = {**head, **finite(asdict(verdict))}
    return json.dumps(whole, indent=2, allow_nan=False, default=str) + "\n"


def finite(value: Any) -> Any:
    """A value with None for every number in it, however deep, that JSON has no text for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return value
