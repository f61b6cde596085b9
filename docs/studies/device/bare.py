"""The suite's step time and a bare loop's over the same network, optimizer and batches, by turns in one process.

    python bare.py OUT.json [SECONDS]

For each network, milliseconds of a step, medians of loops in the order A B B A:

    suite        the suite's own rounds of 50 ms, as it measures a device: some steps between two waits
    bare         a plain loop as long as five rounds, waited for once at its end: the cost of training
    events       the same loop by the device's events
    launched     the host's time to launch a step; the device is not waited for

`suite/bare` and `events/bare` are medians of the ratios of neighbours. If `suite` is near `bare`, the suite's number is
the cost of training. If `launched` is near `bare`, the host is the limit: a faster device changes nothing.
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

NETWORKS = (("seed_cnn", 64, 28), ("resnet18", 128, 224), ("resnet18", 64, 28))
"""Structure, images of a batch, pixels a side."""
SECONDS = 8.0
"""Of all measured loops of a network."""
WARMUP_STEPS = 20
ROUND_S, ROUNDS = 0.05, 5
OPTIMIZER = "sgd_momentum"
FEW_STEPS = 2
"""Steps with fewer launches than the device's queue holds."""


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


def of_events(step: Callable[[int], None], count: int) -> tuple[float, float]:
    """Seconds of a step of a loop by the host's clock, and by the device's events."""
    import torch

    torch.accelerator.synchronize()
    begin, end = torch.Event(DEVICE, enable_timing=True), torch.Event(DEVICE, enable_timing=True)
    start = time.perf_counter()
    begin.record()
    for index in range(count):
        step(index)
    end.record()
    torch.accelerator.synchronize()
    return (time.perf_counter() - start) / count, begin.elapsed_time(end) / 1e3 / count


def launch_s(step: Callable[[int], None]) -> float:
    """Seconds in which the host launches a step."""
    import torch

    launched = []
    for _ in range(20):
        torch.accelerator.synchronize()
        start = time.perf_counter()
        for index in range(FEW_STEPS):
            step(index)
        launched.append((time.perf_counter() - start) / FEW_STEPS)
    torch.accelerator.synchronize()
    return median(launched)


def measured(structure: str, batch: int, size: int, seconds: float) -> dict[str, Any]:
    """All figures of one network: times in milliseconds, and ratios."""
    from suite.measuring.modes import make_step
    from suite.measuring.recorder import record_rounds
    from suite.records import Case

    bare = bare_step(structure, batch, size)
    with make_step(Case(structure, OPTIMIZER, DEVICE, batch_size=batch, image_size=size)) as step:
        loop_s(lambda _: step(), WARMUP_STEPS, step.clock.read_s)
        loop_s(bare, WARMUP_STEPS, step.clock.read_s)
        step_s = loop_s(lambda _: step(), WARMUP_STEPS, step.clock.read_s)
        steps = max(1, min(1000, round(ROUND_S / step_s)))

        def by_suite() -> tuple[float, float]:
            taken = record_rounds(step, seconds=0.0, steps_per_round=steps, min_rounds=ROUNDS + 1).step_time[1:]
            return median(taken), 0.0

        def by_loop() -> tuple[float, float]:
            count = ROUNDS * steps
            return (loop_s(bare, count, step.clock.read_s), 0.0) if DRY else of_events(bare, count)

        pairs = []
        until_s = time.monotonic() + seconds
        while len(pairs) < 4 or time.monotonic() < until_s:
            first, second, third, last = by_suite(), by_loop(), by_loop(), by_suite()
            pairs += [(first[0], *second), (last[0], *third)]
    suite_s, bare_s, events_s = (median(values) for values in zip(*pairs, strict=True))
    found = {"suite": suite_s, "bare": bare_s}
    ratios = {"suite/bare": [ours / theirs for ours, theirs, _ in pairs]}
    if not DRY:
        found |= {"events": events_s, "launched": launch_s(bare)}
        ratios["events/bare"] = [device / host for _, host, device in pairs]
    return (
        {name: round(value * 1e3, 4) for name, value in found.items()}
        | {name: round(median(values), 4) for name, values in ratios.items()}
        | {"quartiles of suite/bare": quartiles(ratios["suite/bare"])}
        | {"pairs": len(pairs), "steps of a round": steps}
    )


def quartiles(values: list[float]) -> list[float]:
    """The quartiles."""
    ordered = sorted(values)
    return [round(ordered[len(ordered) // 4], 4), round(ordered[-1 - len(ordered) // 4], 4)]


def main() -> None:
    """Measure each network; write after each."""
    from suite.registry import load_levels

    load_levels(())
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    found = {}
    for structure, batch, size in NETWORKS[: 1 if DRY else None]:
        name = f"{structure} b{batch} i{size}"
        found[name] = measured(structure, batch, size, seconds)
        print(f"{name:<24} {json.dumps(found[name])}", flush=True)
        Path(sys.argv[1]).write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
