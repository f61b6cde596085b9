"""Runs made from fixed values, for tests of everything that reads records: no torch, no clock, no disk."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from suite.records import (
    Case,
    Footer,
    Header,
    Measurement,
    Metric,
    Run,
    RunPlan,
    RunRecord,
    Series,
    Visit,
    WorkerSettings,
)

METRICS = {
    "step_time": Metric("step_time", "s", "lower", "Wall time of one training step."),
    "cpu_time": Metric("cpu_time", "s", "lower", "Time on cores during one step."),
    "minor_faults": Metric("minor_faults", "count", "lower", "Pages mapped in during one step."),
    "queue_time": Metric("queue_time", "s", "lower", "Time in which a thread waited for a core."),
}
STRUCTURES = ("seed_cnn", "plain_d4w32", "residual_d4w32", "residual_d8w32", "mobilenet_v3_small", "resnet18")
OPTIMIZERS = ("sgd_momentum", "adam", "adamw", "rmsprop")
ENVIRONMENT: dict[str, Any] = {
    "machine": {"host": "bench-1", "processor": "A processor, 2 cores", "cores_usable": 2, "memory_bytes": 2**34},
    "software": {"python": "3.11.2", "torch": "2.11.0", "torch_build": {"mkl": True, "debug": False}},
    "container": {"inside": True, "kind": "docker", "cpu_quota_cores": None},
    "commit": {"revision": "6723e12", "branch": "main", "dirty": False},
    "threads": {"torch": 1, "OMP_NUM_THREADS": "1"},
    "load_before": {"load_1min": 0.25, "steal_share_since_boot": 0.013, "disks": [{"name": "sda"}, {"name": "sdb"}]},
}
SELECTION: dict[str, Any] = {"profile": "quick", "profiles_file": "cases/profiles.toml", "plugins": [], "shard": None}


def visit(index: int, turns: Sequence[int], *, stopped_by: Any = "precision", steady: bool = True) -> Visit:
    """A visit with `turns` counted rounds in each turn."""
    return Visit(
        index=index,
        turns=tuple(turns),
        warmup_rounds=6,
        steps_per_round=2,
        started_s=10.0 * index,
        seconds=2.0,
        overhead_s=0.5,
        stopped_by=stopped_by,
        precision=0.01,
        steady=steady,
    )


def measurement(
    step_s: Sequence[float], visits: Sequence[Visit], *, queued: Sequence[bool] = (), warnings: Sequence[str] = ()
) -> Measurement:
    """The rounds `step_s` in the order of the visits' turns; those that are `queued` were disturbed."""
    queue_s = [
        0.5 * step if waits else 0.0 for step, waits in zip(step_s, queued or [False] * len(step_s), strict=True)
    ]
    columns = {
        "step_time": step_s,
        "cpu_time": [0.98 * step for step in step_s],
        "minor_faults": [12.0] * len(step_s),
        "queue_time": queue_s,
    }
    series = tuple(Series(METRICS[name], tuple(values)) for name, values in columns.items())
    return Measurement(series, (), tuple(visits), tuple(warnings))


def measured(case: Case, step_s: float, seed: int = 0, *, rounds: int = 10, noise: float = 0.01) -> RunRecord:
    """A case of three visits with two turns each, whose step times scatter around `step_s` with a tail to the right."""
    generator = random.Random(seed)
    values = [
        step_s * (1 + noise * (generator.random() + (3 if generator.random() < 0.1 else 0))) for _ in range(6 * rounds)
    ]
    queued = [generator.random() < 0.05 for _ in values]
    visits = [visit(index, (rounds, rounds)) for index in range(3)]
    return RunRecord(case, "measured", "", attributes_of(case), measurement(values, visits, queued=queued))


def learnt(case: Case, level: float) -> RunRecord:
    """A learning case of three seeds whose final accuracies lie around a level."""
    metric = replace(METRICS["step_time"], name="accuracy", unit="ratio", better="higher")
    visits = [visit(index, (2,)) for index in range(3)]
    found = measurement([0.01] * 6, visits)
    finals = [0.5, level - 0.005, 0.5, level, 0.5, level + 0.005]
    accuracy = replace(found.series[0], metric=metric, values=tuple(finals))
    return RunRecord(
        case, "measured", attributes=attributes_of(case), measurement=replace(found, series=(*found.series, accuracy))
    )


def attributes_of(case: Case) -> dict[str, Any]:
    """Attributes as a worker tells them."""
    return {
        "structure": {"family": case.structure.split("_")[0], "depth": 8, "layer": "convolution", "parameters": 78042},
        "optimizer": {"family": case.optimizer, "implementation": "forloop", "lr": 0.001},
        "execution": {"device": case.execution, "devices": 1},
        "input": {"augmentation": "none"},
    }


def run(records: Sequence[RunRecord], *, missing: Sequence[str] = (), complete: bool = True, **header: Any) -> Run:
    """A run of `records`, with `missing` planned and not measured; `header` replaces fields of the header."""
    fields: dict[str, Any] = {
        "run_id": "2026-01-02T03-04-05-quick",
        "started_at": "2026-01-02T03:04:05+00:00",
        "plan": RunPlan(),
        "workers": WorkerSettings(),
        "planned": (*(record.case.id for record in records), *missing),
        "selection": SELECTION,
        "environment": ENVIRONMENT,
        **header,
    }
    counts = {name: sum(record.outcome == name for record in records) for name in ("measured", "skipped", "failed")}
    footer = Footer("2026-01-02T03:14:05+00:00", counts, {"load_after": {"load_1min": 1.5}}) if complete else None
    return Run(Header(**fields), tuple(records), footer)


def quick_run(*, complete: bool = True) -> Run:
    """Every outcome at once: 24 measured cases, some with remarks, two kinds of skipped and of failed ones."""
    records = [
        measured(Case(structure, optimizer, "cpu"), 0.0011 * 1.9**row * (1 + 0.09 * column), seed=10 * row + column)
        for row, structure in enumerate(STRUCTURES)
        for column, optimizer in enumerate(OPTIMIZERS)
    ]
    records += [
        RunRecord(Case(structure, "adam", "cuda"), "skipped", "execution cuda: no CUDA device is visible")
        for structure in STRUCTURES
    ]
    records += [unsteady(Case("resnet18", "sgd", "cpu")), failed(Case("seed_cnn", "rmsprop", "cpu", batch_size=128))]
    records.append(RunRecord(Case("seed_cnn", "lbfgs", "cpu"), "failed", "the loss is nan: the step does not train"))
    return run(records, missing=() if complete else ("seed_cnn-sgd-cpu", "resnet18-adam-cpu-b128"), complete=complete)


def unsteady(case: Case) -> RunRecord:
    """A measured case with everything that data quality remarks on."""
    steps = [0.010 + 0.0001 * (place % 7) for place in range(20)] + [
        0.012 + 0.0001 * (place % 5) for place in range(20)
    ]
    visits = [visit(0, (10, 10), stopped_by="time", steady=False), visit(1, (10, 10))]
    warning = "pass 1: the step time had not settled when the warm-up's time was spent"
    queued = [place % 3 == 0 for place in range(40)]
    return RunRecord(
        case, "measured", "", attributes_of(case), measurement(steps, visits, queued=queued, warnings=[warning])
    )


def failed(case: Case) -> RunRecord:
    """A case that failed after one visit had measured it."""
    steps = [0.002 + 0.00001 * place for place in range(20)]
    return RunRecord(
        case,
        "failed",
        "the worker was killed by signal 9, 2 times in a row",
        {},
        measurement(steps, [visit(0, (10, 10))]),
    )


def large_run(count: int) -> Run:
    """`count` measured cases over many levels, for sizes and times."""
    executions, batch_sizes = ("cpu", "data_parallel"), range(1, 1 + -(-count // 240))
    structures = [
        f"{kind}_d{depth}w{width}"
        for kind in ("plain", "residual")
        for depth in (2, 4, 8, 16)
        for width in (16, 32, 64)
    ]
    levels = list(product(structures, (*OPTIMIZERS, "sgd"), executions, batch_sizes))[:count]
    return run(
        [
            measured(Case(structure, optimizer, execution, batch_size=8 * size), 0.001 * (1 + number % 97), number)
            for number, (structure, optimizer, execution, size) in enumerate(levels)
        ]
    )
