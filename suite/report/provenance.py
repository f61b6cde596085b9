"""Provenance of a run as readable entries, and commands that repeat a case."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from suite import units
from suite.options import command_options
from suite.records import DEFAULT_MODE, TESTS, Run
from suite.records.codec import encode_plan

SUFFIX_UNITS = {"_bytes": "B", "_seconds": "s", "_share": "ratio", "_hz": "Hz", "_w": "W"}
"""Ends of keys that name a base unit."""
PLAN_UNITS = {
    "target_precision": "ratio",
    "case_seconds": "s",
    "warmup_seconds": "s",
    "round_seconds": "s",
    "case_timeout": "s",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A named value: text, or further entries."""

    label: str
    text: str = ""
    children: tuple[Entry, ...] = ()


def command(run: Run, case_id: str, mode: str = DEFAULT_MODE) -> str:
    """The shell command that measures a case of a mode again as this run did."""
    header, selection = run.header, run.header.selection
    words = ["stepmark", "run", f"{TESTS[mode]}[{case_id}]"]
    if selection.get("profile"):
        words += ["--profile", str(selection["profile"])]
    if selection.get("profiles_file"):
        words += ["--profiles", str(selection["profiles_file"])]
    for structure in selection.get("structures") or ():
        words += ["--structure", str(structure)]
    return shlex.join([*words, *command_options(header.plan, header.workers)])


def run_entries(run: Run, record_path: str) -> tuple[Entry, ...]:
    """Identity of the run: id, times, record, selection, plan."""
    header, footer = run.header, run.footer
    finished = footer.finished_at if footer else "not finished"
    times = [Entry("run", header.run_id), Entry("started", header.started_at), Entry("finished", finished)]
    record = [Entry("record", record_path)] if record_path else []
    plan = tuple(plan_entry(key, value) for key, value in encode_plan(header.plan, header.workers).items())
    resumed = tuple(entry(str(number), one) for number, one in enumerate(footer.resumed, 1)) if footer else ()
    return (
        *times,
        *record,
        entry("selection", shown_selection(header.selection)),
        Entry("plan", children=plan),
        *([Entry("resumed", children=resumed)] if resumed else []),
    )


def shown_selection(selection: Mapping[str, Any]) -> dict[str, Any]:
    """A run's selection; a design with the number of cases that it chose."""
    counts = ("design_cases", "matrix_cases", "refused_cases")
    shown = {key: value for key, value in selection.items() if key not in counts}
    chosen, matrix = selection.get("design_cases"), selection.get("matrix_cases")
    if chosen is not None and matrix is not None and selection.get("design") != "full":
        shown["design"] = f"{plain(selection.get('design'))}: {plain(chosen)} of {plain(matrix)} cases"
    return shown


def plan_entry(key: str, value: Any) -> Entry:
    """A field of the plan in its unit."""
    text = units.text(value, PLAN_UNITS[key], 3) if key in PLAN_UNITS else plain(value)
    return Entry(readable(key), text)


def environment_entries(run: Run) -> tuple[Entry, ...]:
    """The environment at the start, and what was recorded of it at the end."""
    after = run.footer.environment if run.footer else {}
    return tuple(entry(str(key), value) for key, value in {**run.header.environment, **after}.items())


def entry(key: str, value: Any) -> Entry:
    """A key and its value; nested values become nested entries."""
    if isinstance(value, Mapping) and value:
        return Entry(readable(key), children=tuple(entry(str(name), inner) for name, inner in value.items()))
    if isinstance(value, (list, tuple)) and any(isinstance(inner, (Mapping, list, tuple)) for inner in value):
        numbered = (entry(str(number), inner) for number, inner in enumerate(value, 1))
        return Entry(readable(key), children=tuple(numbered))
    for suffix, unit in SUFFIX_UNITS.items():
        if key.endswith(suffix) and isinstance(value, (int, float)) and not isinstance(value, bool):
            return Entry(readable(key.removesuffix(suffix)), units.text(value, unit))
    return Entry(readable(key), plain(value))


def readable(key: str) -> str:
    """A key for a reader; names of variables, which have capitals, stay as they are."""
    return key.replace("_", " ").strip() if key == key.lower() else key


def plain(value: Any) -> str:
    """A value without structure as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(inner) for inner in value) or "none"
    return str(value) if value not in (None, "", {}) else "none"


def in_one_line(attributes: Mapping[str, Any]) -> str:
    """Attributes by factor: `structure: depth 8, width 32; optimizer: lr 0.001`."""
    parts = []
    for key, value in attributes.items():
        if isinstance(value, Mapping):
            inner = ", ".join(f"{readable(str(name))} {plain(one)}" for name, one in value.items())
            parts.append(f"{readable(str(key))}: {inner or 'none'}")
        else:
            parts.append(f"{readable(str(key))}: {plain(value)}")
    return "; ".join(parts)
