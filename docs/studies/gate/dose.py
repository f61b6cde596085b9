"""How much work a dose is, and how much slower it makes a step: bare steps in a process without the gate.

    python dose.py calibrate CASE THREADS SECONDS          what a step takes, and one product
    python dose.py measure CASE THREADS SECONDS COUNT      a step against the same step with so many products

until the time is up:
    step, step with work, step with work, step: one log ratio

Both print JSON. The study calls them through `counts_of` and `measured`; a count is found once for a case and kept, so
that every trial has the same.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from changes import VARIABLES, work

CALIBRATED = Path("reports/studies/gate_doses.jsonl")
"""What a step and a product took, by case and threads."""
CALIBRATION_S = 5.0
DOSE_S = 15.0
"""Seconds of steps of one measured dose."""
PRODUCTS = 100
"""Timed together, after each step of a calibration."""
WARM_UP_STEPS = 10
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Calibration:
    """Medians, in seconds.

    Attributes:
        step_s: one step.
        product_s: one product of `changes.work`, in the same seconds.
    """

    case: str
    threads: int
    step_s: float
    product_s: float


@dataclass(frozen=True)
class Dose:
    """A measured dose.

    Attributes:
        share: by which a step with the work is longer: the median of `taken` ratios.
        low, high: its 95 % interval, by order statistics.
        count: products a step.
    """

    share: float
    low: float
    high: float
    taken: int
    count: int


def step_of(case_id: str, threads: int) -> Callable[[], object]:
    """A warm training step."""
    import torch

    from rivals.steps import case_of
    from suite.measuring.modes import make_step

    torch.set_num_threads(threads)
    step = ExitStack().enter_context(make_step(case_of(case_id)))  # open until the process ends
    for _ in range(WARM_UP_STEPS):
        step()
    return step


def calibrate(case_id: str, threads: int, seconds: float) -> Calibration:
    """Time steps and products by turns."""
    step, products = step_of(case_id, threads), work(PRODUCTS)
    steps_s, products_s, until_s = [], [], perf_counter() + seconds
    while perf_counter() < until_s:
        steps_s.append(timed(step))
        products_s.append(timed(products) / PRODUCTS)
    return Calibration(case_id, threads, median(steps_s), median(products_s))


def measure(case_id: str, threads: int, seconds: float, count: int) -> Dose:
    """Time steps without the work and with it, A B B A."""
    step, more = step_of(case_id, threads), work(count)

    def both() -> None:
        step()
        more()

    ratios, until_s = [], perf_counter() + seconds
    while perf_counter() < until_s:
        first_s, with_s, again_s, last_s = (timed(run) for run in (step, both, both, step))
        ratios.append(math.log((with_s + again_s) / (first_s + last_s)))
    low, high = ends(len(ratios))
    ratios.sort()
    return Dose(
        *(math.expm1(one) for one in (median(ratios), ratios[low], ratios[high])),
        taken=len(ratios),
        count=count,
    )


def ends(count: int) -> tuple[int, int]:
    """Places of the order statistics that hold the median of so many values at 95 %."""
    from scipy import stats

    low = max(0, int(stats.binom.ppf((1 - CONFIDENCE) / 2, count, 0.5)) - 1)
    return low, count - 1 - low


def timed(run: Callable[[], object]) -> float:
    """Seconds of a call."""
    started_s = perf_counter()
    run()
    return perf_counter() - started_s


def counts_of(case_ids: list[str], share: float, threads: int) -> dict[str, int]:
    """Products a step that make a share of it, by case; each calibrated once."""
    from live import keep
    from suite.records.line_file import read_lines

    lines = read_lines(CALIBRATED)[0] if CALIBRATED.exists() else []
    known = {(one["case"], one["threads"]): one for one in lines}
    for case_id in case_ids:
        if (case_id, threads) not in known:
            known[case_id, threads] = asked("calibrate", case_id, threads, CALIBRATION_S)
            keep(CALIBRATED, known[case_id, threads])
    found = (known[case_id, threads] for case_id in case_ids)
    return {one["case"]: max(1, round(abs(share) * one["step_s"] / one["product_s"])) for one in found}


def measured(counts: dict[str, int], threads: int) -> dict[str, dict[str, float]]:
    """Present size of each dose, by case."""
    return {case_id: asked("measure", case_id, threads, DOSE_S, count) for case_id, count in counts.items()}


def asked(*arguments: str | float) -> dict[str, float]:
    """The answer of a fresh process, in which no step is changed."""
    bare = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, str(Path(__file__)), *map(str, arguments)]
    said = subprocess.run(command, env=bare, stdout=subprocess.PIPE, text=True, check=True).stdout
    answer: dict[str, float] = json.loads(said)
    return answer


def main() -> None:
    """Answer a request of the command line."""
    match sys.argv[1:]:
        case ["calibrate", case_id, threads, seconds]:
            print(json.dumps(asdict(calibrate(case_id, int(threads), float(seconds)))))
        case ["measure", case_id, threads, seconds, count]:
            print(json.dumps(asdict(measure(case_id, int(threads), float(seconds), int(count)))))
        case other:
            raise SystemExit(f"{other} is no request; allowed: calibrate CASE THREADS SECONDS, measure ... COUNT.")


if __name__ == "__main__":
    main()
