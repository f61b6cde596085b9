"""The suite's step time and a bare loop's over the same network, optimizer and batches, in one process.

    python bare.py OUT.json

For each network, milliseconds of a step:

    suite        median of the suite's own rounds: some steps between two waits for the device, about 10 ms a round
    suite_50ms   the same with rounds of about 50 ms: each step has less of the two waits
    bare         a plain loop of a second, waited for once at its end: the cost of training
    events       the same loop by the device's events
    launched     the host's time to launch a step; the device is not waited for

If `suite` is near `bare`, the suite's number is the cost of training. If `launched` is near `bare`, the host is the
limit: a faster device changes nothing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from items import DEVICE, DRY

NETWORKS = (("seed_cnn", 64, 28), ("residual_d8w32", 64, 28), ("resnet18", 64, 28), ("resnet18", 256, 64))
"""Structure, images of a batch, pixels a side."""
SECONDS = 1.0
WARMUP_STEPS = 20
OPTIMIZER = "sgd_momentum"
FEW_STEPS = 2
"""Steps with fewer launches than the device's queue holds."""


def rounds(step: Any, step_s: float, round_s: float) -> float:
    """Median of the suite's rounds, each after a first that does not count."""
    from suite.measuring.recorder import record_rounds

    steps = max(1, min(1000, round(round_s / step_s)))
    found: list[float] = []
    for _ in range(max(4, round(SECONDS / (20 * round_s)))):
        found += record_rounds(step, seconds=0.0, steps_per_round=steps, min_rounds=6).step_time[1:]
    return median(found)


def by_suite(structure: str, batch: int, size: int) -> tuple[float, float, float]:
    """Seconds of a step: a first estimate, by rounds of 10 ms, and by rounds of 50 ms."""
    from suite.measuring.modes import make_step
    from suite.records import Case

    with make_step(Case(structure, OPTIMIZER, DEVICE, batch_size=batch, image_size=size)) as step:
        for _ in range(WARMUP_STEPS):
            step()
        start = step.clock.read_s()
        for _ in range(WARMUP_STEPS):
            step()
        step_s = (step.clock.read_s() - start) / WARMUP_STEPS
        return step_s, rounds(step, step_s, 0.01), rounds(step, step_s, 0.05)


def bare_step(structure: str, batch: int, size: int) -> Callable[[int], None]:
    """A step of a plain training loop."""
    import torch
    from torch import nn

    from suite.records import NUM_CLASSES
    from suite.registry import OPTIMIZERS, STRUCTURES

    torch.manual_seed(0)
    network = STRUCTURES[structure].build(NUM_CLASSES, size).train().to(DEVICE)
    optimizer = OPTIMIZERS[OPTIMIZER].build(network.parameters())
    criterion = nn.CrossEntropyLoss()
    batches = [
        (torch.randn(batch, 3, size, size, device=DEVICE), torch.randint(NUM_CLASSES, (batch,), device=DEVICE))
        for _ in range(4)
    ]

    def step(index: int) -> None:
        images, labels = batches[index % 4]
        optimizer.zero_grad()
        criterion(network(images), labels).backward()
        optimizer.step()

    return step


def loop_s(step: Callable[[int], None], count: int, wait: Callable[[], object]) -> float:
    """Seconds of a step of a loop, waited for at both ends."""
    wait()
    start = time.perf_counter()
    for index in range(count):
        step(index)
    wait()
    return (time.perf_counter() - start) / count


def of_device(step: Callable[[int], None], count: int) -> dict[str, float]:
    """Seconds of a step by the device's events, and of its launches."""
    import torch

    begin, end = torch.Event(DEVICE, enable_timing=True), torch.Event(DEVICE, enable_timing=True)
    begin.record()
    for index in range(count):
        step(index)
    end.record()
    torch.accelerator.synchronize()
    launched = []
    for _ in range(20):
        torch.accelerator.synchronize()
        start = time.perf_counter()
        for index in range(FEW_STEPS):
            step(index)
        launched.append((time.perf_counter() - start) / FEW_STEPS)
    torch.accelerator.synchronize()
    return {"events": begin.elapsed_time(end) / 1e3 / count, "launched": median(launched)}


def measured(structure: str, batch: int, size: int) -> dict[str, float]:
    """All figures of one network, in milliseconds, and the ratio of suite and loop."""
    import torch

    step_s, suite_s, longer_s = by_suite(structure, batch, size)
    step = bare_step(structure, batch, size)
    for index in range(WARMUP_STEPS):
        step(index)
    count = max(10, min(5000, round(SECONDS / step_s)))
    bare_s = loop_s(step, count, (lambda: None) if DRY else torch.accelerator.synchronize)
    found = {"suite": suite_s, "suite_50ms": longer_s, "bare": bare_s, **({} if DRY else of_device(step, count))}
    ratio = round(suite_s / bare_s, 4)
    return {name: round(seconds * 1e3, 4) for name, seconds in found.items()} | {"suite/bare": ratio}


def main() -> None:
    """Measure each network; write after each."""
    from suite.registry import load_levels

    load_levels(())
    found = {}
    for structure, batch, size in NETWORKS[: 2 if DRY else None]:
        name = f"{structure} b{batch} i{size}"
        found[name] = measured(structure, batch, size)
        print(f"{name:<24} {json.dumps(found[name])}", flush=True)
        Path(sys.argv[1]).write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
