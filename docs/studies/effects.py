"""`make effects`: how often intervals of effects hold the truth, on simulated runs whose effects are known.

A run has 6 structures and 3 optimizers on a machine of `tests/fakes/machines.py`, with drift, processes that differ,
heavy tails and skipped cells (`tests/fakes/designed_runs.py`). For each machine the study prints the share of 95 %
intervals that hold the truth, and the typical half-width:

    main effects       truth: the mean over the matched cases that were measured
    interactions       truth: the difference of two true effects, of the cells that were measured
    networks to come   truth: the effect in the mean of all networks, from which those of the run were drawn
    predictions        truth: the step time of a cell that was removed, a quarter of all

One run in 20 is written to a record and read again. Then the shares of variance and a fit are compared with those of
statsmodels, if that is installed. `RUNS=1000` sets the runs of the first machine; the others have a tenth.
"""

from __future__ import annotations

import importlib.util
import math
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path
from statistics import fmean, median

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # each process has one core
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from suite.effects.linear_model import Fit
from suite.effects.separation import design_of, responses_of, separation
from suite.effects.sizes import Size
from suite.effects.study import Study, study
from suite.records import Run
from suite.records.store import RunWriter, read_run
from tests.effects import test_separation as cells
from tests.fakes.designed_runs import OPTIMIZERS, Plan, designed

RUNS = int(os.environ.get("RUNS", "1000"))
WORKERS = len(os.sched_getaffinity(0))
ON_DISK = 20
"""One run in so many goes through a record."""
REMOVED = 0.25
"""Share of the cells that are removed to be predicted."""
PLANS = {
    "slow drift of 6 % in 100 s": Plan(),
    "still": Plan(machine="still"),
    "spells of a minute, 30 %, +15 %": Plan(machine="spells of a minute, 30 %, +15 %"),
    "restless": Plan(machine="restless: 0.5 s, 10 %, and 5 s, 6 %"),
    "processes differ by 1.5 %": Plan(between=0.015),
    "4 cases alone": Plan(structures=("plain_d2", "plain_d4"), optimizers=(0.0, 0.1), skipped=0.0),
    "2 passes": Plan(passes=2),
}
LEFT_OUT = (cells.STRUCTURES[0], cells.OPTIMIZERS[0], cells.TUNINGS[1])
"""A cell that `cells.UNBALANCED` lacks."""
Held = tuple[str, bool, float]
"""Kind of an interval, whether it holds the truth, and half its width."""


def one_run(task: tuple[Plan, int]) -> list[Held]:
    """All intervals of one simulated run."""
    plan, seed = task
    source = np.random.default_rng([seed, 38])
    run, truth = designed(plan, source)
    if seed % ON_DISK == 0:
        run = through_disk(run)
    found = list(of_effects(plan, study(run, "step_time"), truth))
    kept = tuple(record for record in run.cases if record.outcome == "measured" and source.random() > REMOVED)
    if kept:
        header = replace(run.header, planned=tuple(truth))
        rest = study(replace(run, header=header, cases=kept), "step_time").predictions.found
        found += [held("predictions", one.size, truth[one.id]) for one in rest]
    return found


def of_effects(plan: Plan, found: Study, truth: dict[str, float]) -> Iterator[Held]:
    """The intervals of effects and interactions."""
    for effect in filter(lambda one: one.is_matched, found.effects):
        true = fmean(
            fmean(truth[one] for one in pair.ids) - fmean(truth[one] for one in pair.against_ids)
            for pair in effect.pairs
        )
        yield held("main effects", effect.size, true)
        if effect.networks and effect.dimension == "optimizer":
            population = dict(zip(OPTIMIZERS, plan.optimizers, strict=False))
            yield held("networks to come", effect.networks, population[str(effect.level)] - plan.optimizers[0])
    for one in found.interactions:
        if one.dimensions == ("structure", "optimizer"):
            a, b, c, d = (
                truth[f"{structure}-{optimizer}-cpu"]
                for structure in (one.levels[0], one.against[0])
                for optimizer in (one.levels[1], one.against[1])
            )
            yield held("interactions", one.size, a - b - c + d)


def held(kind: str, size: Size, true: float) -> Held:
    """Whether an interval holds the truth."""
    low, high = (size.middle if end is None else end for end in (size.low, size.high))
    return kind, low <= true <= high, (high - low) / 2


def through_disk(run: Run) -> Run:
    """The same run, written and read again."""
    with tempfile.TemporaryDirectory() as folder:
        with RunWriter.create(Path(folder) / "run", run.header) as writer:
            for record in run.cases:
                writer.case(record)
        return read_run(Path(folder) / "run")


def coverage() -> None:
    """The table of all machines."""
    kinds = ("main effects", "interactions", "networks to come", "predictions")
    print("| machine | runs |", " | ".join(f"{kind}: held, half-width" for kind in kinds), "|")
    print("| --- " * (2 + len(kinds)) + "|")
    with Pool(WORKERS) as pool:
        for place, (name, plan) in enumerate(PLANS.items()):
            runs = RUNS if place == 0 else max(RUNS // 10, 1)
            shares: dict[str, list[bool]] = defaultdict(list)
            widths: dict[str, list[float]] = defaultdict(list)
            for found in pool.imap(one_run, [(plan, seed) for seed in range(runs)], chunksize=5):
                for kind, is_held, half in found:
                    shares[kind].append(is_held)
                    widths[kind].append(half)
            texts = [
                f"{fmean(shares[kind]):.3f} of {len(shares[kind]):,}, {median(widths[kind]):.2%}"
                if shares[kind]
                else "–"
                for kind in kinds
            ]
            print(f"| {name} | {runs} | {' | '.join(texts)} |", flush=True)


def agreement() -> None:
    """Sums of squares of an unbalanced matrix, here and by statsmodels."""
    values = cells.UNBALANCED
    found = separation(values)
    if found is None:
        raise AssertionError("the cells differ")
    middle = math.fsum(one.response for one in values) / len(values)
    total = math.fsum((one.response - middle) ** 2 for one in values)
    own = {":".join(one.term): (one.share or 0.0) * total for one in found.shares} | of_prediction()
    other = by_statsmodels() if importlib.util.find_spec("statsmodels") else {}
    print("\n| sum of squares of type II, or prediction | here | statsmodels |\n| --- | --- | --- |")
    for term, squares in sorted(own.items()):
        print(f"| {term} | {squares:.10f} | {other.get(term, math.nan):.10f} |")


def of_prediction() -> dict[str, float]:
    """The prediction of a cell that was left out, by the model of main effects."""
    design = design_of(cells.UNBALANCED)
    middle = math.fsum(one.response for one in cells.UNBALANCED) / len(cells.UNBALANCED)
    model = Fit(design, tuple((name,) for name in design.factors), responses_of(cells.UNBALANCED))
    (row,) = design.matrix(model.terms, [LEFT_OUT])
    size = model.prediction(row)
    if size is None or size.low is None or size.high is None:
        raise AssertionError("the cells determine the prediction")
    return {"prediction": size.middle + middle, "its low end": size.low + middle, "its high end": size.high + middle}


def by_statsmodels() -> dict[str, float]:
    """Sums of squares by term, and the prediction with its ends."""
    import pandas
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    cases = pandas.DataFrame(
        [
            {
                "y": one.response,
                "structure": one.case.structure,
                "optimizer": one.case.optimizer,
                "tuning": one.case.tuning,
            }
            for one in cells.UNBALANCED
        ]
    )
    table = anova_lm(ols("y ~ (structure + optimizer + tuning) ** 2", cases).fit(), typ=2)
    left_out = pandas.DataFrame([dict(zip(("structure", "optimizer", "tuning"), LEFT_OUT, strict=True))])
    found = ols("y ~ structure + optimizer + tuning", cases).fit().get_prediction(left_out).summary_frame(alpha=0.05)
    names = {"mean": "prediction", "obs_ci_lower": "its low end", "obs_ci_upper": "its high end"}
    squares = {str(term): float(one) for term, one in table["sum_sq"].items() if term != "Residual"}
    return squares | {name: float(found[column].iloc[0]) for column, name in names.items()}


def main() -> None:
    """All tables."""
    begun = time.perf_counter()
    coverage()
    agreement()
    print(f"\n{time.perf_counter() - begun:.0f} s on {WORKERS} cores")


if __name__ == "__main__":
    main()
