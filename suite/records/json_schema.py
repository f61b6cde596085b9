"""JSON Schemas of values, made from the dataclasses that files become.

Source: JSON Schema 2020-12, as msgspec writes it; descriptions are those of the docstrings.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ATTRIBUTES = re.compile(r"^Attributes:\n((?: .*\n?|\n)+)", re.MULTILINE)
NEXT_ATTRIBUTE = re.compile(r"\n(?=    \S)")
NUMBER = [{"type": "integer"}, {"type": "number"}]
"""The union of whole and other numbers, which is one type in JSON."""
NULL = {"type": "null"}
OF_PYTHON = re.compile(r"; see `suite[^`]*`")
"""References to modules, which no reader of a file needs."""

Schema = dict[str, Any]


def definitions(kinds: Sequence[type], details: Mapping[tuple[str, str], Schema]) -> dict[str, Schema]:
    """The schema of each dataclass, and of those within, by name.

    Args:
        kinds: dataclasses.
        details: keywords of a field's schema that its annotation and docstring do not have, by dataclass and field.
    """
    import msgspec  # not at the top, as in `decoding`

    _, found = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    types = {kind.__name__: kind for kind in inner_types(kinds)}
    return {name: described(schema, types.get(name), details) for name, schema in found.items()}


def inner_types(kinds: Sequence[type]) -> list[type]:
    """Dataclasses, and those of their modules, which may be fields of them."""
    modules = [inspect.getmodule(kind) for kind in kinds]
    members = [one for module in modules for _, one in inspect.getmembers(module, inspect.isclass)]
    return [*members, *kinds]


def described(schema: Schema, kind: type | None, details: Mapping[tuple[str, str], Schema]) -> Schema:
    """A schema of msgspec with the descriptions of a docstring, and details."""
    name = schema["title"]
    words = attributes_of(kind) if kind else {}
    properties = {
        key: {
            **plain(value),
            **({"description": sentence(words[key])} if key in words else {}),
            **details.get((name, key), {}),
        }
        for key, value in schema["properties"].items()
    }
    first = " ".join(schema.get("description", "").split("\n\n")[0].split())
    return {**schema, "description": first, "properties": properties}


def sentence(text: str) -> str:
    """The description of a field for a reader of JSON."""
    text = OF_PYTHON.sub("", text).replace("None", "null")
    return text[:1].upper() + text[1:]


def plain(value: Any) -> Any:
    """A schema with a list of types in place of a union of them, at any depth."""
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    union = value.get("anyOf")
    if union == NUMBER:
        return {"type": "number"}
    if union and NULL in union and all(set(one) == {"type"} for one in union):
        others = {key: inner for key, inner in value.items() if key != "anyOf"}
        return {"type": [one["type"] for one in union], **others}
    return {key: plain(inner) for key, inner in value.items()}


def attributes_of(kind: type) -> dict[str, str]:
    """Descriptions of a dataclass's fields, by name, from its docstrings."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        section = ATTRIBUTES.search(inspect.cleandoc(one.__doc__ or ""))
        for entry in NEXT_ATTRIBUTE.split(section[1]) if section else ():
            names, _, text = entry.strip().partition(": ")
            found |= {name.strip("` "): " ".join(text.split()) for name in names.split(",")}
    return found


def document(identifier: str, title: str, description: str, **keywords: Any) -> Schema:
    """A schema with its head."""
    return {"$schema": DIALECT, "$id": identifier, "title": title, "description": description, **keywords}
