"""`make overhead`: cost of a visit without its rounds, ratio to a bare loop.

Prints medians and a ratio; asserts nothing, since machines differ. Inside the overhead: fork, making network, optimizer
and batches, rewinding, telemetry, messages, end. Outside: the warm-up and the counted rounds.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from contextlib import ExitStack
from copy import deepcopy
from itertools import cycle
from statistics import median
from time import perf_counter

from ways import WAYS, quick_cases

from suite.machine.allocators import environment
from suite.machine.threads import default_threads
from suite.measuring.instruments import instruments_of
from suite.records import Case
from suite.runner.events import VisitDone
from suite.runner.launcher import Launcher
from suite.runner.scheduler import Scheduler

FRESH_REPEATS = 3
ONE_PROCESS = "one-process"
"""The argument with which this file compares the two steps alone."""
PAIRS = 200
"""Of a step through the suite and one of the bare loop, in one process."""
PROCESSES = 3
"""That compare the two: where a process's memory lies is part of what its steps cost."""
FRESH = """
import sys
import torch, torchvision
from suite.records import Case
from suite.registry import load_levels
from suite.measuring.modes import TrainingStep
load_levels()
torch.set_num_threads(int(sys.argv[2]))
with TrainingStep(Case(sys.argv[1], "sgd_momentum", "cpu")):
    pass
"""


def visits() -> None:
    """The overhead of every visit that the quick profile makes."""
    plan, workers = WAYS["default"]
    cases = quick_cases()
    overheads: dict[str, list[float]] = {}
    with Launcher(workers) as launcher:
        started = perf_counter()
        launcher.start()
        zygote_s = perf_counter() - started
        for progress in Scheduler(plan, launcher, instruments=instruments_of(plan, workers)).run(cases):
            if isinstance(progress, VisitDone) and progress.result.visit is not None:
                overheads.setdefault(progress.case.structure, []).append(progress.result.visit.overhead_s)
    everything = [value for values in overheads.values() for value in values]
    print(f"zygote, once a run                         {zygote_s:.2f} s")
    print(f"overhead of a visit, median of {len(everything):3}         {median(everything):.3f} s")
    for structure, values in overheads.items():
        print(f"    {structure:<38} {median(values):.3f} s")


def fresh_interpreters() -> None:
    """The same up to the first step in a new interpreter."""
    taken = []
    for _ in range(FRESH_REPEATS):
        started = perf_counter()
        command = [sys.executable, "-c", FRESH, "seed_cnn", str(default_threads())]
        subprocess.run(command, check=True, env=environment("steady"))
        taken.append(perf_counter() - started)
    print(f"a fresh interpreter per case, median of {FRESH_REPEATS}  {median(taken):.3f} s")


def bare_loops() -> None:
    """Ratio of a suite's step to a hand-written loop's, in several processes."""
    command = [sys.executable, __file__, ONE_PROCESS]
    told = [subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout for _ in range(PROCESSES)]
    ratios = sorted(map(float, told))
    each = ", ".join(f"{ratio:.4f}" for ratio in ratios)
    print(f"step time, suite / bare loop, medians of {PAIRS}    {median(ratios):.4f}  ({each})")


def bare_loop() -> float:
    """The seed's step by the suite and by a hand-written loop, in turns."""
    import torch
    from torch import nn

    from suite.levels.inputs.synthetic import BATCHES
    from suite.measuring.modes import TrainingStep
    from suite.measuring.recorder import record_rounds
    from suite.measuring.step import RESTORE_AFTER
    from suite.registry import load_levels

    load_levels()
    torch.set_num_threads(default_threads())
    step = ExitStack().enter_context(TrainingStep(Case("seed_cnn", "sgd_momentum", "cpu")))  # open until the end
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, foreach=False)
    criterion = nn.CrossEntropyLoss()
    batches = cycle([(torch.randn(64, 3, 28, 28), torch.randint(10, (64,))) for _ in range(BATCHES)])

    def bare_s() -> float:
        started = perf_counter()
        images, labels = next(batches)
        optimizer.zero_grad()
        loss = criterion(network(images), labels)
        loss.backward()
        optimizer.step()
        return perf_counter() - started

    def suite_s() -> float:
        return record_rounds(step, seconds=0.0, steps_per_round=1, min_rounds=2).step_time[1]

    def second_bare_s() -> float:
        bare_s()
        return bare_s()

    gc.collect()
    gc.freeze()  # as the worker does: a collection before each round would else walk through all that was imported
    for _ in range(20):
        suite_s(), second_bare_s()
    start = deepcopy((network.state_dict(), optimizer.state_dict()))
    ratios = []
    for number in range(PAIRS):
        if 2 * number % RESTORE_AFTER == 0:  # the suite's goes back too: memorised batches are other work
            network.load_state_dict(start[0])
            optimizer.load_state_dict(deepcopy(start[1]))
        if number % 2:
            ours, bare = suite_s(), second_bare_s()
        else:
            bare, ours = second_bare_s(), suite_s()
        ratios.append(ours / bare)
    return median(ratios)


if __name__ == "__main__":
    if "STEADY" not in os.environ:  # the allocator is set before the process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], {**environment("steady"), "STEADY": "1"})
    if sys.argv[1:] == [ONE_PROCESS]:
        print(bare_loop())
    else:
        visits()
        fresh_interpreters()
        bare_loops()
