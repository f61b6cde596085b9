"""Differences between the two sides of a gate, and verdicts by level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from suite.analysis.change_text import is_time
from suite.analysis.thresholds import VERDICTS
from suite.gate.verdict import GateChange, GateVerdict
from suite.markup.github_markdown import clipped
from suite.records.factors import FACTORS
from suite.theme.tables import Column, Row, Table

HARMLESS = ("text", "tree", "dirty", "reason", "code", "note")
"""Facts of an arm that do not change results: names, folders and remarks. Hashes say whether the code differs."""
MAY, HARMLESS_MARK = "may change results", "harmless"
HASHES = ("revision", "sha256", "tree")
LONGEST_HASH = 12
LONGEST_FACT = 300
"""Characters of a fact that a table shows."""


def differences(verdict: GateVerdict) -> tuple[Table | None, int]:
    """The facts in which the sides differ, and the number of facts that were compared."""
    sides = [leaves(verdict.arms.get(side), "") for side in ("baseline", "candidate")]
    names = [name for name in dict.fromkeys((*sides[0], *sides[1])) if name != "text"]
    rows = []
    for name in names:
        values = [side.get(name) for side in sides]
        if values[0] != values[1]:
            is_harmless = name.split(".")[0] in HARMLESS
            most = LONGEST_HASH if name.endswith(HASHES) else LONGEST_FACT
            cells = (name, *(shown(value, most) for value in values), HARMLESS_MARK if is_harmless else MAY)
            rows.append(Row(cells, HARMLESS_MARK if is_harmless else "may"))
    columns = (
        Column("fact", is_code=True),
        Column("baseline", is_text=True, is_code=True),
        Column("candidate", is_text=True, is_code=True),
        Column("effect", is_text=True, name="effect"),
    )
    rows.sort(key=lambda row: row.kind == HARMLESS_MARK)
    return Table("differences", "Facts that differ", columns, tuple(rows)) if rows else None, len(names)


def leaves(value: Any, name: str) -> dict[str, Any]:
    """Facts without facts inside, by their full names."""
    if isinstance(value, Mapping):
        inner = (leaves(one, f"{name}.{key}" if name else str(key)) for key, one in value.items())
        return {full: one for found in inner for full, one in found.items()}
    is_absent = value is None or (isinstance(value, str | list | tuple) and not value)
    return {} if is_absent or not name else {name: value}


def shown(value: Any, most: int) -> str:
    """A fact as text of up to `most` characters."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return clipped(" ".join(map(str, value)), most)
    return "none" if value is None else str(value)[:most] if most == LONGEST_HASH else clipped(str(value), most)


def by_level(verdict: GateVerdict) -> Table | None:
    """Number of cases with each verdict by level, of factors whose levels are shared."""
    cases = [case for case in verdict.cases if is_time(case)]
    rows = []
    for place, factor in enumerate(FACTORS[:3]):
        members: dict[str, list[GateChange]] = {}
        for case in cases:
            words = case.name.split("-")
            members.setdefault(words[place] if len(words) > place else "", []).append(case)
        if 1 < len(members) < len(cases):
            rows += [Row((f"{factor.name} {level}", *counts(some))) for level, some in sorted(members.items())]
    columns = (Column("level"), Column("cases"), *(Column(one) for one in VERDICTS))
    return Table("by-level", "Verdicts on step time, by level", columns, tuple(rows)) if rows else None


def counts(cases: Sequence[GateChange]) -> list[str]:
    """Number of cases, and of those with each verdict; nothing for none."""
    numbers = [sum(case.verdict == verdict for case in cases) for verdict in VERDICTS]
    return [f"{len(cases):,}", *(f"{number:,}" if number else "–" for number in numbers)]
