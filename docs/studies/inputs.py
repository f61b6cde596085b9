"""Cost of each input pipeline: step time and wait for data of the seed's step.

Each has a worker, and workers take turns.

Prints medians and means over the rounds of all turns; asserts nothing, since machines differ. `data wait` is the part
of a step in which it waited for its batch; `rest` is the mean of what is left, which loader workers that compete for
the same cores make longer. `python docs/studies/inputs.py [TURNS [BATCH_SIZE]]`.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from statistics import fmean, median

from suite.matrix.refusals import refusal
from suite.records import Case, WorkerSettings
from suite.registry import INPUTS, load_levels
from suite.runner.launcher import Launcher

TURN_S = 0.5
WARMUP_S = 1.0


def main(turns: int = 8, batch_size: int = 64) -> None:
    """Measure and print the table."""
    load_levels()
    cases = {name: Case("seed_cnn", "sgd_momentum", "cpu", input=name, batch_size=batch_size) for name in INPUTS}
    refused = {name: refusal(case) for name, case in cases.items()}
    rounds: dict[str, dict[str, list[float]]] = {name: {} for name in INPUTS if not refused[name]}
    with Launcher(WorkerSettings(threads=1)) as launcher, ExitStack() as stack:
        workers = {name: launcher.fork(cases[name]) for name in rounds}
        for worker in workers.values():
            stack.callback(worker.end)
            worker.measure(seconds=WARMUP_S, steps_per_round=1, min_rounds=6)
        for _ in range(turns):
            for name, worker in workers.items():
                for series in worker.measure(seconds=TURN_S, steps_per_round=1, min_rounds=6).series:
                    rounds[name].setdefault(series.metric.name, []).extend(series.values[1:])
    print(f"{'input':<14} {'rounds':>6}  step, median  mean   data wait, median  mean   rest")
    for name, columns in rounds.items():
        steps, waits = columns["step_time"], columns["data_wait"]
        shown = [1e3 * value for value in (median(steps), fmean(steps), median(waits), fmean(waits))]
        step, mean_step, wait, mean_wait = shown
        print(
            f"{name:<14} {len(steps):>6}  {step:9.2f} ms {mean_step:7.2f}  {wait:14.3f} ms {mean_wait:7.3f}"
            f"{mean_step - mean_wait:8.2f}"
        )
    for name, reason in refused.items():
        if reason:
            print(f"{name:<14} refused: {reason}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
