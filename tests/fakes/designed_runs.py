"""Runs whose effects are known: levels of structure, optimizer and tuning on a simulated machine.

The log of a case's step time is a constant, one number for each level, one for each pair of levels, and one for the
case. The machine of `tests.fakes.machines` drifts, processes differ, rounds have heavy tails, and some cells of the
matrix are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from suite.records import Case, Run, RunRecord, Series
from tests.fakes import made_runs
from tests.fakes.machines import Setting, measured

STRUCTURES = ("plain_d2", "plain_d4", "plain_d8", "residual_d2", "residual_d4", "residual_d8")
OPTIMIZERS = ("sgd_momentum", "adam", "adam_fused")
TUNINGS = ("eager", "bf16")
REFUSED = "bf16 needs a processor with AVX512_BF16"


@dataclass(frozen=True)
class Plan:
    """The sizes of what a run is made of, as standard deviations of logs.

    Attributes:
        structure, interaction, cell: of the numbers for a structure, for a pair of levels, and for a case.
        tails: scale of the heavy tails (Student's t with 3 degrees of freedom) of single rounds.
        skipped: share of the cells that are refused.
        optimizers: what each optimizer adds to the log, in their order.
    """

    machine: str = "slow: 100 s, 6 %"
    structures: tuple[str, ...] = STRUCTURES
    optimizers: tuple[float, ...] = (0.0, 0.10, 0.06)
    tunings: tuple[float, ...] = (0.0,)
    structure: float = 0.8
    interaction: float = 0.04
    cell: float = 0.01
    between: float = 0.007
    own: float = 0.02
    tails: float = 0.02
    skipped: float = 0.15
    passes: int = 3
    turns: int = 12
    abreast: int = 6


def designed(plan: Plan, source: np.random.Generator) -> tuple[Run, dict[str, float]]:
    """A run, and the true log of the step time of each cell by case id, as the machine was in this run."""
    cases = [
        Case(structure, optimizer, "cpu", tuning)
        for structure, optimizer, tuning in product(
            plan.structures, OPTIMIZERS[: len(plan.optimizers)], TUNINGS[: len(plan.tunings)]
        )
    ]
    truth = true_logs(plan, cases, source)
    refused = source.random(len(cases)) < plan.skipped
    refused[0] = False
    runs = [case for case, is_refused in zip(cases, refused, strict=True) if not is_refused]
    setting = Setting(plan.machine, len(runs), plan.between, plan.own, plan.abreast, plan.passes, plan.turns)
    noise, speed = measured(setting, source)
    records = [noisy(case, truth[case.id], one, plan, source) for case, one in zip(runs, noise, strict=True)]
    records += [
        RunRecord(case, "skipped", REFUSED) for case, is_refused in zip(cases, refused, strict=True) if is_refused
    ]
    return made_runs.run(records, planned=tuple(case.id for case in cases)), {
        case_id: log + speed for case_id, log in truth.items()
    }


def true_logs(plan: Plan, cases: Sequence[Case], source: np.random.Generator) -> dict[str, float]:
    """The log of the step time of each case without noise."""
    networks = dict(zip(plan.structures, source.normal(-5.0, plan.structure, len(plan.structures)), strict=True))
    optimizers = dict(zip(OPTIMIZERS, plan.optimizers, strict=False))
    tunings = dict(zip(TUNINGS, plan.tunings, strict=False))
    pairs: dict[tuple[str, str], float] = {}
    truth = {}
    for case in cases:
        log = networks[case.structure] + optimizers[case.optimizer] + tunings[case.tuning]
        for pair in level_pairs(plan, case):
            log += pairs.setdefault(pair, float(source.normal(0.0, plan.interaction)))
        truth[case.id] = float(log + source.normal(0.0, plan.cell))
    return truth


def level_pairs(plan: Plan, case: Case) -> list[tuple[str, str]]:
    """The pairs of levels that interact: tunings only if there are several."""
    pairs = [(case.structure, case.optimizer)]
    if len(plan.tunings) > 1:
        pairs += [(case.structure, case.tuning), (case.optimizer, case.tuning)]
    return pairs


def noisy(case: Case, log: float, noise: RunRecord, plan: Plan, source: np.random.Generator) -> RunRecord:
    """A measured case: the rounds of a simulated machine, times its step time, with heavy tails."""
    measurement = noise.measurement
    if measurement is None:
        raise AssertionError("a simulated case has rounds")
    (series,) = measurement.series
    tails = np.exp(plan.tails * source.standard_t(3, len(series.values)))
    values = tuple(math.exp(log) * value * float(tail) for value, tail in zip(series.values, tails, strict=True))
    return RunRecord(
        case,
        "measured",
        attributes=attributes_of(case),
        measurement=replace(measurement, series=(Series(series.metric, values),)),
    )


def attributes_of(case: Case) -> dict[str, Any]:
    """Attributes as a worker writes them: connection and depth in the structure's name."""
    connection, _, depth = case.structure.partition("_d")
    family, _, implementation = case.optimizer.partition("_")
    own = "fused" if implementation == "fused" else "forloop"
    return {
        "structure": {"connection": connection, "depth": int(depth or 0), "layer": "convolution", "parameters": 7},
        "optimizer": {"family": family, "implementation": own, "lr": 0.1 if family == "sgd" else 0.001},
    }
