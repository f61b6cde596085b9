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
    5  `neighbour` of a visit; `per_visit` tells what others did to the machine meanwhile.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from suite.protocol import pack, unpack
from suite.records import Case, Footer, Header, Measurement, Plan, RunRecord, Visit, Visited

SCHEMA = 5

Line = dict[str, Any]


def packed_visit(visited: Visited) -> Line:
    """A visit as plain values."""
    return {
        "visit": asdict(visited.visit) if visited.visit else None,
        "series": pack(visited.series),
        "warmup": pack(visited.warmup),
        "per_visit": pack(visited.per_visit),
        "attributes": dict(visited.attributes),
        "warnings": list(visited.warnings),
    }


def unpacked_visit(line: Line) -> Visited:
    """The inverse of `packed_visit`."""
    return Visited(
        visit=visit_of(line["visit"]),
        series=unpack(line["series"]),
        warmup=unpack(line["warmup"]),
        attributes=line["attributes"],
        warnings=tuple(line["warnings"]),
        per_visit=unpack(line.get("per_visit", [])),
    )


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
        line["visits"] = [asdict(visit) for visit in record.measurement.visits]
        line["warnings"] = list(record.measurement.warnings)
    return line


def unpacked_case(line: Line) -> RunRecord:
    """The inverse of `packed_case`."""
    measurement = None
    if line["series"]:
        measurement = Measurement(
            series=unpack(line["series"]),
            warmup=unpack(line["warmup"]),
            visits=tuple(visit_of(visit) for visit in line["visits"]),
            warnings=tuple(line["warnings"]),
            per_visit=unpack(line.get("per_visit", [])),
            surveyed=unpack(line.get("surveyed", [])),
        )
    return RunRecord(Case(**line["case"]), line["outcome"], line["reason"], line["attributes"], measurement)


def visit_of(line: Line) -> Visit:
    """A visit's facts from plain values."""
    return Visit(**{**line, "turns": tuple(line["turns"])})


def unpacked_header(line: Line) -> Header:
    """The header from its line."""
    return Header(
        run_id=line["run_id"],
        started_at=line["started_at"],
        plan=Plan(**{"priority": "normal", "surveys": "none", **line["plan"]}),
        planned=tuple(line["planned"]),
        selection=line["selection"],
        environment=line["environment"],
    )


def unpacked_footer(line: Line) -> Footer:
    """The footer from its line."""
    return Footer(line["finished_at"], line["counts"], line["environment"], tuple(line["resumed"]))
