"""Records in other tools' formats: a run in, text out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict, fields
from statistics import median
from typing import Any

from suite.analysis.estimates import Estimate, kept_rounds, throughput
from suite.analysis.intervals import estimates
from suite.analysis.learning_curves import FINAL_METRICS, final_values
from suite.analysis.run_validity import issues_of_run
from suite.analysis.validity import verdict
from suite.records import TESTS, Case, Measurement, Metric, Run, RunRecord, StepmarkError

LEVELS_AND_SIZES = tuple(field.name for field in fields(Case))
FIGURES = ("rounds", "step_time_s", "step_time_low_s", "step_time_high_s", "throughput_images_per_s")
"""Columns of the primary metric: how many rounds count, their median, its interval, and all images over all time."""
SUFFIXES = {
    "s": "_s",
    "B": "_bytes",
    "B/s": "_bytes_per_s",
    "FLOP/s": "_per_s",
    "W": "_w",
    "J": "_j",
    "images/s": "_images_per_s",
}
"""Base unit -> end of a column's name; counts, operations and ratios have none."""


def export(run: Run, fmt: str) -> str:
    """The run in the format `fmt`, a name in `FORMATS`: rounds as they were measured, and what follows from them.

    Raises:
        StepmarkError: `export format 'xml' is not known; allowed: csv, pytest-benchmark.`
    """
    if fmt not in FORMATS:
        raise StepmarkError(f"export format {fmt!r} is not known; allowed: {', '.join(FORMATS)}.")
    return FORMATS[fmt](run)


def as_csv(run: Run) -> str:
    """One row per case, skipped and failed ones too, with numbers at full precision.

    Only measured cases have figures. The rounds of a case that failed later stay in the record. A figure is the median
    over the kept rounds, over the visits, or over the readings of an instrument. `learning_curves.FINAL_METRICS` have
    their last value instead. `validity` is `steady`, or the kinds of issues (`suite.analysis.validity`).

    Source: RFC 4180 for quotes and line ends.
    """
    known, by_case = estimates(run.cases), issues_of_run(run.cases)
    parts = [measured(record) for record in run.cases]
    series = [one for part in parts for one in (*part.series, *part.per_visit, *part.surveyed)]
    columns = list(dict.fromkeys(column(one.metric) for one in series if one.metric.name != "step_time"))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["id", *LEVELS_AND_SIZES, "outcome", "reason", "validity", *FIGURES, *columns])
    for record in run.cases:
        found = measured(record)
        rounds = {one.metric: [v for turn in kept_rounds(found, one.metric.name) for v in turn] for one in found.series}
        rounds.update({one.metric: list(one.values) for one in (*found.per_visit, *found.surveyed)})
        rounds.update(
            {
                one.metric: final_values(found, one.metric.name)
                for one in found.series
                if one.metric.name in FINAL_METRICS
            }
        )
        medians = {column(metric): median(values) for metric, values in rounds.items() if values}
        writer.writerow(
            [
                record.case.id,
                *asdict(record.case).values(),
                record.outcome,
                record.reason,
                verdict(by_case[record.case.id]) if found.series else "",
                *figures(record, known.get(record.case.id)),
                *map(medians.get, columns),
            ]
        )
    return text.getvalue()


def as_pytest_benchmark(run: Run) -> str:
    """The layout of pytest-benchmark's `--benchmark-json`; its rounds are exactly those that count.

    Skipped and failed cases are left out, as pytest-benchmark leaves them out. Its own `Stats` computes the figures, so
    that they agree with its table to the last digit.

    Source: pytest-benchmark 5.3.1, `plugin.pytest_benchmark_generate_json` and `stats.Metadata.as_dict`.
    """
    import pytest_benchmark

    exported = {
        "machine_info": machine_info(run.header.environment),
        "commit_info": commit_info(run.header.environment),
        "benchmarks": [benchmark(record) for record in run.cases if any(kept_rounds(measured(record)))],
        "datetime": run.footer.finished_at if run.footer else run.header.started_at,
        "version": pytest_benchmark.__version__,
    }
    return json.dumps(exported, indent=4) + "\n"


FORMATS: dict[str, Callable[[Run], str]] = {"csv": as_csv, "pytest-benchmark": as_pytest_benchmark}
"""Name of the format -> what makes it."""


def measured(record: RunRecord) -> Measurement:
    """The rounds of a measured case; none of a skipped or failed one."""
    found = record.measurement if record.outcome == "measured" else None
    return found or Measurement((), (), ())


def figures(record: RunRecord, found: Estimate | None) -> tuple[float | None, ...]:
    """The values of `FIGURES`; None where there is no round, or the case was not measured to its end."""
    if found is None or record.outcome != "measured":
        return (None,) * len(FIGURES)
    return found.rounds, found.median, found.low, found.high, throughput(measured(record), record.case.batch_size)


def column(metric: Metric) -> str:
    """A metric's column: its name, ending in its unit (`cpu_time_s`, `minor_faults`)."""
    suffix = SUFFIXES.get(metric.unit, "")
    return metric.name.removesuffix(suffix) + suffix


def benchmark(record: RunRecord) -> dict[str, Any]:
    """A measured case as an entry of pytest-benchmark's list."""
    from pytest_benchmark.stats import Stats

    test = TESTS[record.case.mode]
    stats: Any = Stats()  # type: ignore[no-untyped-call]  # pytest-benchmark has no annotations
    stats.data = [value for turn in kept_rounds(measured(record)) for value in turn]
    return {
        "group": None,
        "name": f"{test.rpartition('::')[2]}[{record.case.id}]",
        "fullname": f"{test}[{record.case.id}]",  # by which pytest-benchmark matches benchmarks of two files
        "params": {"case_id": record.case.id},
        "param": record.case.id,
        "extra_info": {"case_id": record.case.id, "attributes": record.attributes},
        "options": {"timer": "stepmark", "disable_gc": True, "warmup": False},
        "stats": {**stats.as_dict(), "data": stats.data, "iterations": 1},
    }


def machine_info(environment: dict[str, Any]) -> dict[str, Any]:
    """The machine under pytest-benchmark's names; None where the record does not say."""
    machine, software = environment.get("machine", {}), environment.get("software", {})
    return {
        "node": machine.get("host"),
        "processor": machine.get("processor"),
        "machine": machine.get("architecture"),
        "python_implementation": software.get("implementation"),
        "python_version": software.get("python"),
        "release": machine.get("kernel"),
        "system": machine.get("system"),
        "cpu": {"brand_raw": machine.get("processor"), "count": machine.get("cores_logical")},
    }


def commit_info(environment: dict[str, Any]) -> dict[str, Any]:
    """The commit under pytest-benchmark's names; `unversioned` outside a checkout, as it says it."""
    commit = environment.get("commit", {})
    return {
        "id": commit.get("revision") or "unversioned",
        "time": None,
        "author_time": None,
        "dirty": bool(commit.get("dirty")),
        "project": "stepmark",
        "branch": commit.get("branch") or "(unknown)",
    }
