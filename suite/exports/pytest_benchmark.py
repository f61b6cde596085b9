"""A run in the layout of pytest-benchmark's `--benchmark-json`."""

from __future__ import annotations

import json
from typing import Any

from suite.analysis.case_figures import CaseFigures, figures_of
from suite.records import TESTS, Run


def render(run: Run) -> str:
    """The kept rounds of each measured case, with pytest-benchmark's own figures.

    Skipped and failed cases are left out, as pytest-benchmark leaves them out. Its own `Stats` computes the figures, so
    that they agree with its table to the last digit.

    Source: pytest-benchmark 5.3.1, `plugin.pytest_benchmark_generate_json` and `stats.Metadata.as_dict`.
    """
    import pytest_benchmark

    exported = {
        "machine_info": machine_info(run.header.environment),
        "commit_info": commit_info(run.header.environment),
        "benchmarks": [benchmark(one) for one in figures_of(run.cases).values() if one.is_measured],
        "datetime": run.footer.finished_at if run.footer else run.header.started_at,
        "version": pytest_benchmark.__version__,
    }
    return json.dumps(exported, indent=4) + "\n"


def benchmark(figures: CaseFigures) -> dict[str, Any]:
    """A measured case as an entry of pytest-benchmark's list."""
    from pytest_benchmark.stats import Stats

    case = figures.case
    test = TESTS[case.mode]
    stats: Any = Stats()  # type: ignore[no-untyped-call]  # pytest-benchmark has no annotations
    stats.data = figures.kept()
    return {
        "group": None,
        "name": f"{test.rpartition('::')[2]}[{case.id}]",
        "fullname": f"{test}[{case.id}]",  # by which pytest-benchmark matches benchmarks of two files
        "params": {"case_id": case.id},
        "param": case.id,
        "extra_info": {"case_id": case.id, "attributes": figures.record.attributes},
        "options": {"timer": "stepmark", "disable_gc": True, "warmup": False},
        "stats": {**stats.as_dict(), "data": stats.data, "iterations": 1},
    }


def machine_info(environment: dict[str, Any]) -> dict[str, Any]:
    """The machine under pytest-benchmark's names; None if the record does not have it."""
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
    """The commit under pytest-benchmark's names; `unversioned` outside a checkout."""
    commit = environment.get("commit", {})
    return {
        "id": commit.get("revision") or "unversioned",
        "time": None,
        "author_time": None,
        "dirty": bool(commit.get("dirty")),
        "project": "stepmark",
        "branch": commit.get("branch") or "(unknown)",
    }
