"""The JSON Schema of `verdict.json`."""

from __future__ import annotations

from typing import Any

from suite.errors import ExitCode
from suite.gate.formats.as_json import SCHEMA, finite
from suite.gate.formats.sentences import OUTCOMES
from suite.gate.verdict import MODE_IN_FILES, GateVerdict
from suite.records.json_schema import Schema, definitions, document

CODES = [int(code) for code in ExitCode if code != ExitCode.WRONG_USAGE]
DETAILS: dict[tuple[str, str], Schema] = {
    ("GateChange", "change"): {"description": "Candidate / baseline - 1; null if unknown, or from 0 to more."},
    **{
        ("GateChange", name): {"description": f"{end} end of the interval of the change, 95 %; null if unknown."}
        for name, end in (("low", "Low"), ("high", "High"))
    },
    ("GateChange", "ruled_out"): {"description": "Slowdown or growth that is ruled out; null if none is."},
    ("GateVerdict", "memory_tolerance"): {"description": "Growth of memory from which it is a regression."},
    ("GateVerdict", "limits"): {"description": "Limits that define the verdicts."},
    ("GateVerdict", "modes"): {"additionalProperties": {"enum": list(MODE_IN_FILES.values())}},
}
"""Descriptions of numbers that a file has as null, and words that only files have."""
DESCRIPTION = (
    "The verdict of a gate. Numbers are finite, in base units; null is a number that is unknown. A change is candidate "
    "/ baseline - 1. A key with a default may be absent. Later versions may add keys."
)


def verdict_schema() -> Schema:
    """The schema of a verdict, as `as_json` writes it."""
    found = {name: or_null(schema) for name, schema in definitions((GateVerdict,), DETAILS).items()}
    verdict = found.pop("GateVerdict")
    head: Schema = {
        "schema": {"const": SCHEMA},
        "exit_code": {"enum": CODES, "description": "The exit code of `stepmark gate`."},
        "outcome": {"enum": list(OUTCOMES)},
        "sentence": {"type": "string", "description": "The verdict in one sentence."},
    }
    return document(
        f"urn:stepmark:verdict:{SCHEMA}",
        f"A verdict of Stepmark's gate, schema {SCHEMA}",
        DESCRIPTION,
        type="object",
        properties={**head, **verdict["properties"]},
        required=[*head, *verdict["required"]],
        **{"$defs": found},
    )


def or_null(value: Any) -> Any:
    """A schema in which each number may be null, at any depth."""
    if isinstance(value, dict):
        if value.get("type") == "number":
            return {**finite(value), "type": ["number", "null"]}
        return {key: or_null(inner) for key, inner in value.items()}
    return [or_null(inner) for inner in value] if isinstance(value, list) else value
