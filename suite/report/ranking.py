"""The ranked table: one row for each measured case, fastest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.records import DEFAULT_MODE, Run, Stop
from suite.report.provenance import command, in_one_line
from suite.report.svg import Scale, interval_path, spark_path

DETAILED_ROWS = 800
"""Cases up to which each row carries its command and attributes; beyond, one pattern of the command stands for all, so
that 1,000 cases stay within 2 MB and 10,000 within 6 MB."""
DIGITS = 3
"""Significant digits of figures that stand beside the step time."""
PLACEHOLDER = "CASE"
STOPS: tuple[Stop, ...] = get_args(Stop)


@dataclass(frozen=True, slots=True)
class Row:
    """A measured case in the ranked table, as text and path data."""

    id: str
    step_time: str
    interval: str
    interval_path: str
    spark_path: str
    throughput: str
    memory: str
    faults: str
    cpu_time: str
    rounds: str
    stops: str
    command: str
    attributes: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ranked table; `nothing` says why where it is empty."""

    rows: tuple[Row, ...]
    scale: str
    scale_ends: tuple[str, str]
    pattern: str
    nothing: str


def ranking(run: Run, facts: Sequence[CaseFigures]) -> Ranking:
    """One row for each measured case, in the order of `facts`: fastest first."""
    scale = Scale(
        min((one.step_time.low for one in facts), default=0.0), max((one.step_time.high for one in facts), default=0.0)
    )
    detailed = len(facts) <= DETAILED_ROWS
    return Ranking(
        rows=tuple(row(run, one, scale, detailed) for one in facts),
        scale="logarithmic" if scale.logarithmic else "linear",
        scale_ends=(units.text(scale.low, "s", DIGITS), units.text(scale.high, "s", DIGITS)),
        pattern=command(run, PLACEHOLDER, facts[0].case.mode if facts else DEFAULT_MODE),
        nothing="" if facts else nothing_measured(run),
    )


def row(run: Run, facts: CaseFigures, scale: Scale, detailed: bool) -> Row:
    """A case's row; with `detailed`, also its command and attributes."""
    estimate = facts.step_time
    return Row(
        id=facts.case.id,
        step_time=units.text(estimate.median, "s"),
        interval=units.interval(estimate.low, estimate.high, "s"),
        interval_path=interval_path(estimate, scale),
        spark_path=spark_path(facts.rounds),
        throughput=units.text(facts.throughput, "count"),
        memory=units.text(facts.peak_memory_bytes, "B"),
        faults=units.text(facts.minor_faults, "count", DIGITS),
        cpu_time=units.text(facts.cpu_time_s, "s"),
        rounds=f"{estimate.rounds} / {facts.taken}",
        stops=", ".join(f"{reason} {count}" for reason in STOPS if (count := facts.stopped_by(reason))),
        command=command(run, facts.case.id, facts.case.mode) if detailed else "",
        attributes=in_one_line(facts.record.attributes) if detailed else "",
    )


def nothing_measured(run: Run) -> str:
    """Why the ranked table is empty."""
    if not run.header.planned and not run.cases:
        return "No case was measured: the run planned none."
    outcomes = Counter(record.outcome for record in run.cases)
    parts = [f"{outcomes[name]} {name}" for name in ("skipped", "failed") if outcomes[name]]
    parts += [f"{outcomes['measured']} without a recorded round"] if outcomes["measured"] else []
    parts += [f"{len(run.missing)} without an outcome"] if run.missing else []
    return f"No case was measured: {', '.join(parts)}."
