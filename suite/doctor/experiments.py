"""Measured checks: the allocator's share of a step, and the noise floor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import median

from suite import units
from suite.analysis.case_figures import step_times_without_drift
from suite.doctor.finding import Finding, disturbs, fine, unknown
from suite.machine.allocators import ALLOCATORS
from suite.matrix.structure_option import callables_in, names_in, search_first, words_of
from suite.records import Case, RunPlan, WorkerSettings
from suite.registry import STRUCTURES, load_levels
from suite.runner.events import CaseDone
from suite.runner.launcher import Launcher
from suite.runner.scheduler import Scheduler
from suite.runner.worker_handle import WorkerFailed, WorkerHandle

CASE = Case("residual_d4w32", "sgd_momentum", "cpu")
"""A network between small and large."""
SMALL = Case("seed_cnn", "sgd_momentum", "cpu")
"""A network in whose step the allocator has a larger share."""
WORKERS = 4
TURNS = 8
TURN_S = 0.1
WARMUP_S = 0.5
MUCH_LONGER = 1.05
"""Ratio of step times, default allocator to steady one, from which there is advice."""
IDENTICAL = 8
"""Identical cases, which make 28 pairs."""
SECONDS_EACH = 1.5
MUCH_NOISE = 0.03
"""Half of the pairs differ by less than a median; 3 % is the change that a gate is to find."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A user's structure that the experiments measure, or Stepmark's own ones.

    Attributes:
        structure: a registered name; empty for Stepmark's own.
        plugins: callables to load in workers.
    """

    structure: str = ""
    plugins: tuple[str, ...] = ()

    def case(self, otherwise: Case) -> Case:
        """The case with the user's structure, if there is one."""
        return replace(otherwise, structure=self.structure) if self.structure else otherwise


def examined(text: str) -> list[Examined]:
    """The structures in the text of `--structure`; Stepmark's own if it is empty.

    Raises:
        StepmarkError: a structure is not known, or its callable does not fit.
    """
    if not text:
        return [Examined()]
    words = words_of(text)
    plugins = callables_in(words)
    search_first([Path.cwd()] if plugins else [])
    load_levels(plugins)
    return [Examined(name, plugins) for name in STRUCTURES.matching(names_in(words))]


def measure_allocator(workers: WorkerSettings, one: Examined) -> Finding:
    """Measure how much longer a step takes with glibc's default allocator.

    Several workers take part, since the allocator's work depends on the history of a heap.
    """
    case, pair = one.case(SMALL), (replace(workers, allocator="default"), replace(workers, allocator="steady"))
    with Launcher(pair[0], one.plugins) as usual, Launcher(pair[1], one.plugins) as steady:
        try:
            step_s, faults = take_turns([launcher.fork(case) for launcher in (usual, steady) for _ in range(WORKERS)])
        except WorkerFailed as failed:
            return unknown("allocator", f"{case.id} does not run: {failed}")
    if steady.allocator not in (None, "steady"):
        found = f"the steady allocator has no effect here: workers have {steady.allocator}"
        return disturbs("allocator", found, "unset LD_PRELOAD, and use a Python that runs on glibc")
    best_s = median(step_s[WORKERS:])
    ratios = sorted(one / best_s for one in step_s[:WORKERS])
    found = (
        f"with glibc's default allocator a step of {case.id} takes {ratios[0]:.2f} to {ratios[-1]:.2f} times as long "
        f"as with the steady one, in {WORKERS} workers, and maps in up to {max(faults[:WORKERS]):.0f} pages"
    )
    if ratios[-1] < MUCH_LONGER:
        return fine("allocator", found)
    variables = " ".join(f"{name}={value}" for name, value in ALLOCATORS["steady"].items())
    return disturbs("allocator", found, f"Stepmark uses the steady one by default; for other training set {variables}")


def take_turns(workers: list[WorkerHandle]) -> tuple[list[float], list[float]]:
    """Medians of step time and of mapped pages, by worker. Workers take turns."""
    found: list[dict[str, list[float]]] = [{} for _ in workers]
    for worker in workers:
        worker.measure(seconds=WARMUP_S, steps_per_round=1, min_rounds=3)
    for _ in range(TURNS):
        for worker, columns in zip(workers, found, strict=True):
            for one in worker.measure(seconds=TURN_S, steps_per_round=1, min_rounds=3).series:
                columns.setdefault(one.metric.name, []).extend(one.values[1:])
    return [median(one["step_time"]) for one in found], [median(one["minor_faults"]) for one in found]


def measure_noise_floor(workers: WorkerSettings, one: Examined) -> Finding:
    """Measure how much cases differ that have another seed and are otherwise equal."""
    plan = RunPlan(abreast=IDENTICAL, case_seconds=SECONDS_EACH, surveys="none")
    case = one.case(CASE)
    cases = [replace(case, seed=seed) for seed in range(IDENTICAL)]
    with Launcher(workers, one.plugins) as launcher:
        records = [one.record for one in Scheduler(plan, launcher).run(cases) if isinstance(one, CaseDone)]
    medians = [found.median for found in step_times_without_drift(records).values()]
    if len(medians) < 2:
        return unknown(
            "noise floor", f"{case.id} does not run: {records[0].reason if records else 'no case was measured'}"
        )
    apart = [max(pair) / min(pair) - 1 for pair in combinations(medians, 2)]
    found = (
        f"identical cases differ by {units.text(median(apart), 'ratio', 2)}, the median of {len(apart)} pairs of "
        f"{case.id} with {SECONDS_EACH:g} s each, and by {units.text(max(apart), 'ratio', 2)} at most"
    )
    if median(apart) < MUCH_NOISE:
        return fine("noise floor", f"{found}; longer runs are more precise")
    return disturbs("noise floor", found, "follow the advice above; raise --case-seconds and --passes")


EXPERIMENTS = (measure_allocator, measure_noise_floor)
"""Experiments in the order in which they run."""
