"""Values of a run as the plain lines of its record, and back: every schema ever written stays readable.

Schema history:
    1  `record.jsonl`: header, one line per case, footer. `visits.jsonl` beside it while the run lasts: one line per
       visit of a case that is not finished yet, so that a killed run loses no more than the visits under way.
    2  `per_visit` in the lines of cases and visits: series with one value a visit. Metrics `data_wait` and, with some
       tunings, others; attributes of the tuning.
    3  `priority` of the plan, which was `normal` before; `schedule` and `epochs` of a case, mode `learn`, whose rounds
       are epochs with the metrics `accuracy` and `test_loss`; a visit may have stopped by `epochs`.
    4  `surveyed` in the lines of cases: series of what was found beside the step time, each with a length of its own;
       `surveys` of the plan, of which there were none before.
    5  `neighbour` of a visit; `per_visit` tells what others did to the machine meanwhile. Later also `first_turn` of a
       visit, where it is not 0.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from suite.protocol import pack
from suite.records import Case, Footer, Header, Measurement, Outcome, RunRecord, Series, Visit, Visited
from suite.records.decoding import typed
from suite.records.invariants import refuse_header, refuse_measurement, refuse_record

SCHEMA = 5

Line = dict[str, Any]


def packed_visit(visited: Visited) -> Line:
    """A visit as plain values."""
    return {
        "visit": packed_facts(visited.visit) if visited.visit else None,
        "series": pack(visited.series),
        "warmup": pack(visited.warmup),
        "per_visit": pack(visited.per_visit),
        "attributes": dict(visited.attributes),
        "warnings": list(visited.warnings),
    }


def unpacked_visit(line: Line) -> Visited:
    """The inverse of `packed_visit`; raises `WrongValue` where the line is none."""
    where = f"a visit of {typed(str, line['id'], 'id of a visit')}"
    visited = Visited(
        visit=typed(Visit, line["visit"], where),
        series=series_of(line["series"], f"series of {where}"),
        warmup=series_of(line["warmup"], f"warmup of {where}"),
        attributes=typed(dict[str, Any], line["attributes"], f"attributes of {where}"),
        warnings=typed(tuple[str, ...], line["warnings"], f"warnings of {where}"),
        per_visit=series_of(line.get("per_visit", []), f"per_visit of {where}"),
    )
    if visited.visit is not None:
        refuse_measurement(Measurement(visited.series, visited.warmup, (visited.visit,)), where)
    return visited


def packed_case(record: RunRecord) -> Line:
    """A case as its line of the record."""
    line: Line = {
        "kind": "case",
        "id": record.case.id,
        "case": asdict(record.case),
        "outcome": record.outcome,
        "reason": record.reason,
        "attributes": record.attributes,
        "series": [],
    }
    if record.measurement is not None:
        line["series"] = pack(record.measurement.series)
        line["warmup"] = pack(record.measurement.warmup)
        line["per_visit"] = pack(record.measurement.per_visit)
        line["surveyed"] = pack(record.measurement.surveyed)
        line["visits"] = [packed_facts(visit) for visit in record.measurement.visits]
        line["warnings"] = list(record.measurement.warnings)
    return line


def unpacked_case(line: Line) -> RunRecord:
    """The inverse of `packed_case`; raises `WrongValue` where the line is none."""
    where = f"case {typed(str, line['id'], 'id of a case')}"
    measurement = None
    if line["series"]:
        measurement = Measurement(
            series=series_of(line["series"], f"series of {where}"),
            warmup=series_of(line["warmup"], f"warmup of {where}"),
            visits=typed(tuple[Visit, ...], line["visits"], f"visits of {where}"),
            warnings=typed(tuple[str, ...], line["warnings"], f"warnings of {where}"),
            per_visit=series_of(line.get("per_visit", []), f"per_visit of {where}"),
            surveyed=series_of(line.get("surveyed", []), f"surveyed of {where}"),
        )
    record = RunRecord(
        case=typed(Case, line["case"], where),
        outcome=typed(Outcome, line["outcome"], f"outcome of {where}"),  # type: ignore[arg-type]  # it is an annotation
        reason=typed(str, line["reason"], f"reason of {where}"),
        attributes=typed(dict[str, Any], line["attributes"], f"attributes of {where}"),
        measurement=measurement,
    )
    refuse_record(record, where)
    return record


def series_of(packed: Any, where: str) -> tuple[Series, ...]:
    """Series from plain values."""
    return typed(tuple[Series, ...], packed, where)


def packed_facts(visit: Visit) -> Line:
    """A visit's facts as plain values; `first_turn` only where it says something, for readers that do not know it."""
    line = asdict(visit)
    return line if visit.first_turn else {name: value for name, value in line.items() if name != "first_turn"}


def unpacked_header(line: Line) -> Header:
    """The header from its line; raises `WrongValue` where it is none."""
    own = {key: value for key, value in line.items() if key not in ("kind", "schema")}
    plan = typed(dict[str, Any], own.get("plan"), "plan of the header")
    header = typed(Header, {**own, "plan": {"priority": "normal", "surveys": "none", **plan}}, "the header")
    refuse_header(header)
    return header


def unpacked_footer(line: Line) -> Footer:
    """The footer from its line; raises `WrongValue` where it is none."""
    return typed(Footer, {key: value for key, value in line.items() if key != "kind"}, "the footer")
