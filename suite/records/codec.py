"""Values of a run as the plain lines of its record, and back.

Every schema ever written stays readable.

Schema history:
    1  `record.jsonl`: header, one line per case, footer. `visits.jsonl` in the same folder while the run lasts: one
       line per visit of a case that is not finished yet, so that a killed run loses only the visits under way.
    2  `per_visit` in the lines of cases and visits: series with one value a visit. Metrics `data_wait` and, with some
       tunings, others; attributes of the tuning.
    3  `priority` of the plan, which was `normal` before; `schedule` and `epochs` of a case, mode `learn`, whose rounds
       are epochs with the metrics `accuracy` and `test_loss`; a visit may have stopped by `epochs`.
    4  `surveyed` in the lines of cases: series that instruments measured, each with a length that is not that of the
       rounds; `surveys` of the plan, of which there were none before.
    5  `neighbour` of a visit; `per_visit` has the load of other processes during the visit. Later also `first_turn` of
       a visit, where it is not 0.
       `task` of a case, where it is not `classify`.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from suite.records import (
    Case,
    Footer,
    Header,
    Measurement,
    Metric,
    Rounds,
    RunPlan,
    RunRecord,
    Series,
    Visit,
    VisitResult,
    WorkerSettings,
)
from suite.records.decoding import WrongValue, convert
from suite.records.factors import FACTORS
from suite.records.invariants import check_header, check_measurement, check_record
from suite.records.values import WORKER_FIELDS

SCHEMA = 5
BEFORE_KEYS = {"priority": "normal", "surveys": "none"}
"""Keys that the plan of an older schema does not have, with what such a run did."""
PLAN_KEYS = (
    "passes",
    "target_precision",
    "case_seconds",
    "warmup_seconds",
    "round_seconds",
    "case_timeout",
    "abreast",
    "order_seed",
    "threads",
    "allocator",
    "priority",
    "surveys",
)
"""Keys of the object in which files have a plan and its worker settings, in their order."""

Line = dict[str, Any]


def encode_metric(metric: Metric) -> dict[str, str]:
    """A metric as plain values of a line or a message."""
    return {
        "name": metric.name,
        "unit": metric.unit,
        "better": metric.better,
        "description": metric.description,
    }


def encode_series(series: tuple[Series, ...]) -> list[Line]:
    """Series as plain values of a line or a message."""
    return [{"metric": encode_metric(one.metric), "values": list(one.values)} for one in series]


def encode_visit(visit: Visit) -> Line:
    """The facts of a visit as plain values.

    `first_turn` is written only where it is not 0, for readers that do not know it.
    """
    line = asdict(visit)
    return line if visit.first_turn else {name: value for name, value in line.items() if name != "first_turn"}


def encode_result(case: Case, visited: VisitResult) -> Line:
    """A visit as its line of the journal."""
    return {
        "kind": "visit",
        "id": case.id,
        "visit": encode_visit(visited.visit) if visited.visit else None,
        "series": encode_series(visited.rounds.series),
        "warmup": encode_series(visited.warmup.series),
        "per_visit": encode_series(visited.per_visit),
        "attributes": dict(visited.attributes),
        "warnings": list(visited.warnings),
    }


def decode_result(line: Line) -> tuple[str, VisitResult]:
    """The id of a case and its visit, from a line of the journal.

    Raises:
        WrongValue: a value is not of its kind, or contradicts another.
    """
    case_id = convert(str, line["id"], "id of a visit")
    where = f"the visit of {case_id}"
    facts = part(line, needed=("visit", "attributes", "warnings"), later=("per_visit",))
    visited = convert(VisitResult, facts, where)
    rounds = convert(tuple[Series, ...], line["series"], f"series of {where}")
    warmup = convert(tuple[Series, ...], line["warmup"], f"warmup of {where}")
    if visited.visit is None:
        return case_id, visited
    check_measurement(Measurement(rounds, warmup, (visited.visit,), per_visit=visited.per_visit), where)
    turns = Rounds(rounds).by(visited.visit.turns)
    return case_id, replace(visited, turns=tuple(turns), warmup=Rounds(warmup))


def encode_levels(case: Case) -> dict[str, Any]:
    """A case as plain values of a line or a message.

    A silent factor is written only where it is not at its default, for readers and workers that do not know it.
    """
    silent = [factor.name for factor in FACTORS if factor.silent and not factor.word_of(case)]
    return {name: value for name, value in asdict(case).items() if name not in silent}


def encode_case(record: RunRecord) -> Line:
    """A case as its line of the record."""
    line: Line = {
        "kind": "case",
        "id": record.case.id,
        "case": encode_levels(record.case),
        "outcome": record.outcome,
        "reason": record.reason,
        "attributes": record.attributes,
        "series": [],
    }
    if record.measurement is not None:
        line["series"] = encode_series(record.measurement.series)
        line["warmup"] = encode_series(record.measurement.warmup)
        line["per_visit"] = encode_series(record.measurement.per_visit)
        line["surveyed"] = encode_series(record.measurement.surveyed)
        line["visits"] = [encode_visit(visit) for visit in record.measurement.visits]
        line["warnings"] = list(record.measurement.warnings)
    return line


def decode_case(line: Line) -> tuple[str, RunRecord]:
    """The id of a case and its record, from a line of the record.

    Raises:
        WrongValue: a value is not of its kind, or contradicts another.
    """
    case_id = convert(str, line["id"], "id of a case")
    where = f"case {case_id}"
    record = convert(RunRecord, part(line, needed=("case", "outcome", "reason", "attributes")), where)
    if case_id != record.case.id:
        raise WrongValue(f"the levels of {where} are those of {record.case.id!r}; allowed: one id for the same levels.")
    if convert(list[Any], line["series"], f"series of {where}"):
        rounds = part(line, needed=("series", "warmup", "visits", "warnings"), later=("per_visit", "surveyed"))
        record = replace(record, measurement=convert(Measurement, rounds, where))
    check_record(record, where)
    return case_id, record


def part(line: Line, needed: tuple[str, ...], later: tuple[str, ...] = ()) -> Line:
    """The keys of one value in a line that holds several.

    Args:
        line: of a file.
        needed: keys that every schema has.
        later: keys that older schemas lack.

    Raises:
        KeyError: a needed key is missing.
    """
    return {key: line[key] for key in needed} | {key: line[key] for key in later if key in line}


def encode_plan(plan: RunPlan, workers: WorkerSettings) -> Line:
    """A plan and its worker settings as one object, which all files have."""
    values = {**asdict(plan), **asdict(workers)}
    return {**{key: values[key] for key in PLAN_KEYS}, **values}


def decode_plan(line: Line, where: str) -> tuple[RunPlan, WorkerSettings]:
    """The plan and the worker settings from the line of a header.

    Raises:
        WrongValue: a value is not of its kind, or there is no plan.
    """
    if "workers" in line:
        raise WrongValue(f"{where} has a key 'workers', which this version of stepmark does not know.")
    if "plan" not in line:
        raise WrongValue(f"{where} has no plan.")
    found, where = line["plan"], f"the plan of {where}"
    if not isinstance(found, dict):
        return convert(RunPlan, found, where), WorkerSettings()  # raises: it is no object
    of_workers = {key: value for key, value in found.items() if key in WORKER_FIELDS}
    of_run = {key: value for key, value in found.items() if key not in WORKER_FIELDS}
    return convert(RunPlan, of_run, where), convert(WorkerSettings, of_workers, where)


def encode_header(header: Header) -> Line:
    """The header as the first line of the record."""
    facts = {key: value for key, value in asdict(header).items() if key != "workers"}
    return {"kind": "header", "schema": SCHEMA, **facts, "plan": encode_plan(header.plan, header.workers)}


def decode_header(line: Line) -> Header:
    """The header from its line; raises `WrongValue` where it is none."""
    if isinstance(line.get("plan"), dict):
        line = {**line, "plan": {**BEFORE_KEYS, **line["plan"]}}
    plan, workers = decode_plan(line, "the header")
    facts = {key: value for key, value in line.items() if key not in ("kind", "schema")}
    header = replace(convert(Header, {**facts, "plan": {}, "workers": {}}, "the header"), plan=plan, workers=workers)
    check_header(header)
    return header


def encode_footer(footer: Footer) -> Line:
    """The footer as the last line of the record."""
    return {"kind": "footer", **asdict(footer)}


def decode_footer(line: Line) -> Footer:
    """The footer from its line; raises `WrongValue` where it is none."""
    return convert(Footer, {key: value for key, value in line.items() if key != "kind"}, "the footer")
