"""Whether taking turns with another worker on the same device changes the step time of either.

    python turns.py OUT.json [SECONDS]

For each network, in bursts as the gate takes them, milliseconds of a step (medians):

    before   a worker that has the device to itself
    alone    the same worker while another one waits for its turn, and takes none
    turns    both take turns, A B B A; `other` is the other worker's time

`alone` and `turns` follow each other several times; `turns/alone` is the median of the ratios of neighbours, and
`other/turns` that of the two workers. A gate is true if the first is near 1, and fair if the second is.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from items import DEVICE, DRY

NETWORKS = (("seed_cnn", 64, 28), ("resnet18", 128, 224))
OPTIMIZER = "sgd_momentum"
SECONDS = 14.0
"""Of all measured bursts of a network."""
CYCLES = 6
WARM_S = 1.0
"""Seconds of a worker before it counts."""


def bursts(workers: Iterable[Any], burst: tuple[int, int, int], seconds: float) -> list[list[float]]:
    """Step times of each worker, in bursts by turns."""
    steps, discarded, rounds = burst
    order = list(workers)
    found: list[list[float]] = [[] for _ in order]
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        for place in (*range(len(order)), *reversed(range(len(order)))):
            taken = order[place].measure(seconds=0.0, steps_per_round=steps, min_rounds=discarded + rounds)
            found[place] += taken.step_time[discarded:]
    return found


def measured(launcher: Any, structure: str, batch: int, size: int, seconds: float) -> dict[str, Any]:
    """All figures of a network."""
    from suite.gate.measuring.pair import burst_of
    from suite.records import Case

    case = Case(structure, OPTIMIZER, DEVICE, batch_size=batch, image_size=size)
    stretch_s = seconds / (2 + 3 * CYCLES)
    first = launcher.fork(case)
    warm = first.measure(seconds=WARM_S, steps_per_round=2, min_rounds=4)
    burst = burst_of(median(warm.step_time[2:]))
    (before,) = bursts([first], burst, 2 * stretch_s)
    second = launcher.fork(case)
    second.measure(seconds=WARM_S, steps_per_round=2, min_rounds=4)
    cycles = []
    for _ in range(CYCLES):
        (alone,) = bursts([first], burst, stretch_s)
        ours, theirs = bursts([first, second], burst, 2 * stretch_s)
        cycles.append(tuple(map(median, (alone, ours, theirs))))
    second.end()
    first.end()
    alone_s, ours_s, theirs_s = (median(values) for values in zip(*cycles, strict=True))
    ms = {"before": median(before), "alone": alone_s, "turns": ours_s, "other": theirs_s}
    ratios = {
        "turns/alone": [ours / alone for alone, ours, _ in cycles],
        "other/turns": [theirs / ours for _, ours, theirs in cycles],
    }
    return {name: round(value * 1e3, 5) for name, value in ms.items()} | {
        name: [round(value, 4) for value in (median(values), min(values), max(values))]
        for name, values in ratios.items()
    }


def main() -> None:
    """Measure each network; write after each."""
    from suite.records import WorkerSettings
    from suite.registry import load_levels
    from suite.runner.launcher import Launcher

    load_levels(())
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    found = {}
    with Launcher(WorkerSettings(threads=1)) as launcher:
        for structure, batch, size in NETWORKS[: 1 if DRY else None]:
            name = f"{structure} b{batch} i{size}"
            found[name] = measured(launcher, structure, batch, size, seconds)
            print(f"{name:<24} {json.dumps(found[name])}", flush=True)
            Path(sys.argv[1]).write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
