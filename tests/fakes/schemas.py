"""Validators of the published JSON Schemas, strict enough to show what a schema does not know."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from suite.gate.formats.schema import verdict_schema
from suite.records.schema import record_schema


def closed(schema: Any) -> Any:
    """A schema that refuses keys it does not name, at any depth; as published it allows those of later versions."""
    if isinstance(schema, list):
        return [closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: inner if key == "if" else closed(inner) for key, inner in schema.items()}
    return {**made, "additionalProperties": False} if "properties" in made and "type" in made else made


RECORD = Draft202012Validator(closed(record_schema()))
VERDICT = Draft202012Validator(closed(verdict_schema()))


def faults_of_record(lines: str) -> list[str]:
    """The faults of a record's lines: none if each has the published schema."""
    return [
        f"line {number}: {error.json_path}: {error.message[:200]}"
        for number, line in enumerate(lines.splitlines(), 1)
        for error in RECORD.iter_errors(json.loads(line))
    ]


def faults_of_verdict(text: str) -> list[str]:
    """The faults of a `verdict.json`: none if it has the published schema."""
    return [f"{error.json_path}: {error.message[:200]}" for error in VERDICT.iter_errors(json.loads(text))]
