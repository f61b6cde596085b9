"""Writes the published JSON Schemas anew, from the dataclasses: `make schemas`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from suite.gate.formats import as_json
from suite.gate.formats.schema import verdict_schema
from suite.records import codec
from suite.records.schema import record_schema

FOLDER = Path(__file__).resolve().parent


def published() -> dict[str, dict[str, Any]]:
    """Name of a file -> its schema; an older version of a file keeps its schema."""
    return {
        f"record-{codec.SCHEMA}.schema.json": record_schema(),
        f"verdict-{as_json.SCHEMA}.schema.json": verdict_schema(),
    }


def text_of(schema: dict[str, Any]) -> str:
    """A schema as the text of its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


if __name__ == "__main__":
    for name, schema in published().items():
        (FOLDER / name).write_text(text_of(schema), encoding="utf-8")
