"""The JSON Schema of the lines of a record."""

from __future__ import annotations

from typing import Any

from suite.records import MODES, SURVEYS, Footer, Header, Measurement, RunPlan, RunRecord, WorkerSettings
from suite.records.codec import PLAN_KEYS, SCHEMA
from suite.records.json_schema import Schema, definitions, document
from suite.units import SCALES

FROM_ZERO: Schema = {"minimum": 0}
FROM_ONE: Schema = {"minimum": 1}
TIME = "ISO 8601 in UTC, to the second."
DETAILS: dict[tuple[str, str], Schema] = {
    ("Case", "mode"): {"enum": list(MODES)},
    **{("Case", name): FROM_ONE for name in ("batch_size", "image_size", "epochs")},
    ("Metric", "unit"): {"enum": list(SCALES)},
    ("Metric", "better"): {"description": "Which values are better."},
    ("RunPlan", "surveys"): {"enum": list(SURVEYS)},
    **{("RunPlan", name): FROM_ONE for name in ("passes", "abreast")},
    **{
        ("RunPlan", name): FROM_ZERO for name in ("target_precision", "case_seconds", "warmup_seconds", "round_seconds")
    },
    ("WorkerSettings", "threads"): FROM_ONE,
    ("WorkerSettings", "case_timeout"): FROM_ZERO,
    ("Visit", "turns"): {"items": {"type": "integer", "minimum": 0}},
    **{("Visit", name): FROM_ZERO for name in ("index", "warmup_rounds", "started_s", "seconds", "first_turn")},
    ("Visit", "steps_per_round"): FROM_ONE,
    ("Header", "run_id"): {"description": "Start and profile of the run, the name of its folder."},
    ("Header", "started_at"): {"description": TIME},
    ("Footer", "finished_at"): {"description": TIME},
    ("Footer", "counts"): {"description": "Number of cases by outcome."},
    ("Footer", "environment"): {"description": "Facts that were read at the end of the run."},
    ("Footer", "resumed"): {"description": "Facts of each time that the run was resumed."},
    ("RunRecord", "reason"): {"description": "Why the case was skipped or failed; empty if it was measured."},
    ("RunRecord", "attributes"): {"description": "Properties of the levels, by factor; a plug-in may add any."},
    ("Measurement", "series"): {"description": "One value for each counted round; empty without rounds."},
    ("Measurement", "warmup"): {"description": "One value for each round before the first counted one of a visit."},
    ("Measurement", "visits"): {"description": "In order; each in a fresh worker."},
}
"""Limits of single values, which `suite.records.invariants` enforces, and descriptions."""
OF_ROUNDS = ("warmup", "visits", "warnings")
"""Keys that the line of a case has if it has rounds."""
DESCRIPTION = (
    "One line of record.jsonl, a file of UTF-8 text with one JSON object a line. The first line is the header, each "
    "line behind it is a case, the last line of a complete run is the footer. A later line of a case replaces an "
    "earlier one. Numbers are finite, in base units. A key with a default may be absent. Later versions may add keys."
)


def record_schema() -> Schema:
    """The schema of a line of `record.jsonl`, of the present schema version."""
    found = definitions((Header, RunPlan, WorkerSettings, RunRecord, Measurement, Footer), DETAILS)
    header, plan, workers = (found.pop(name) for name in ("Header", "RunPlan", "WorkerSettings"))
    record, measurement, footer = (found.pop(name) for name in ("RunRecord", "Measurement", "Footer"))
    lines = {"header": header_line(header), "case": case_line(record, measurement), "footer": line("footer", footer)}
    return document(
        f"urn:stepmark:record:{SCHEMA}",
        f"A line of a record of Stepmark, schema {SCHEMA}",
        DESCRIPTION,
        oneOf=[{"$ref": f"#/$defs/{name}"} for name in lines],
        **{"$defs": {**lines, "plan": plan_schema(plan, workers), **found}},
    )


def line(kind: str, found: Schema, **first: Any) -> Schema:
    """The schema of a line of one kind, with its first keys."""
    return {
        **{key: found[key] for key in ("description", "type")},
        "properties": {"kind": {"const": kind}, **first, **found["properties"]},
        "required": ["kind", *first, *found["required"]],
    }


def header_line(schema: Schema) -> Schema:
    """The schema of the first line; its plan has the worker settings, too."""
    properties = {key: value for key, value in schema["properties"].items() if key != "workers"}
    required = [key for key in schema["required"] if key != "workers"]
    whole = {**schema, "properties": {**properties, "plan": {"$ref": "#/$defs/plan"}}, "required": required}
    return line("header", whole, schema={"const": SCHEMA})


def case_line(record: Schema, measurement: Schema) -> Schema:
    """The schema of a case's line: its outcome, and its rounds if it has some."""
    properties = {key: value for key, value in record["properties"].items() if key != "measurement"}
    whole = {
        **record,
        "properties": {**properties, **measurement["properties"]},
        "required": ["case", "outcome", "reason", "attributes", "series"],
    }
    made = line("case", whole, id={"type": "string", "description": "The levels of the case in one word."})
    has_rounds = {"properties": {"series": {"minItems": 1}}, "required": ["series"]}
    return {**made, "if": has_rounds, "then": {"required": list(OF_ROUNDS)}}


def plan_schema(plan: Schema, workers: Schema) -> Schema:
    """The schema of a plan with the worker settings in one object."""
    properties = {**plan["properties"], **workers["properties"]}
    ordered = {key: properties[key] for key in (*PLAN_KEYS, *properties)}
    return {"description": plan["description"], "type": "object", "properties": ordered}
