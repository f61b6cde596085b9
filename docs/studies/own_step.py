"""Step time of a step in another order, by a loop that is written by hand.

    python docs/studies/own_step.py             20 repetitions of each row: about 15 minutes
    python docs/studies/own_step.py --short     3 repetitions

The step accumulates the gradients of four parts of a batch, then updates. A repetition is a fresh process in which
three loops alternate in bursts of the same wall time, there and back:

    suite    rounds of the suite's recorder, over the step that a plug-in's task makes of the phases
    same     the same lines of plain PyTorch, over the network, optimizer and batches of that step
    own      the same lines over a network, an optimizer and batches that no code of the suite has made or sees

suite / same is the cost of the suite. suite / own also has the difference between two networks in one process, whose
memory lies elsewhere: it scatters from process to process, and its median does not. Where gradients and activations
lie changes a step by some percent as well, so memory is taken before each burst, and as much for the three loops that
follow each other. Printed are medians of the ratios of repetitions, with an interval of 95 % by order statistics.
Wanted: both within 1 % of 1.
"""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from hot_loop import BURST_ROUNDS, interval

from suite.contracts.task import Phases, StepFunction
from suite.levels.tasks.classify import Classify
from suite.levels.tasks.next_token import NextToken
from suite.machine.allocators import environment as allocated
from suite.machine.priority import raise_priority
from suite.records import Case
from suite.registry import TASKS, TaskSpec, load_levels

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

ONCE = "--once"
"""The argument with which this file is one repetition."""
REPETITIONS, SHORT = 20, 3
PARTS = 4
BURST_S = 0.15
BURSTS = 16
"""Of each loop in a repetition; an even number, there and back."""
HELD, MOST_HELD = 16, 2**16
"""Tensors held during a burst, and the most numbers in one."""
ROUND_S = 0.01
WARM_STEPS = 30
ROWS = {
    "fully connected": Case("mlp_d2w128", "sgd_momentum", "cpu", task="accumulate", batch_size=32),
    "seed CNN": Case("seed_cnn", "sgd_momentum", "cpu", task="accumulate"),
    "transformer": Case("transformer_d2w64h4", "adamw", "cpu", task="accumulate_tokens", batch_size=16),
}
KINDS = ("suite", "same", "own")


def accumulated(phases: Phases) -> StepFunction:
    """A step that accumulates the gradients of the parts of a batch."""

    def step(inputs: Any, targets: Any) -> Any:
        phases.zero_grad()
        for some_inputs, some_targets in zip(inputs.chunk(PARTS), targets.chunk(PARTS), strict=True):
            with phases.autocast():
                loss = phases.compare(phases.forward(some_inputs), some_targets) / PARTS
            phases.backward(loss)
        phases.update()
        return loss

    return step


class Accumulate(Classify):
    """Images, with accumulated gradients."""

    def make_step(self, phases: Phases) -> StepFunction:
        """Four parts, then one update."""
        return accumulated(phases)


class AccumulateTokens(NextToken):
    """Tokens, with accumulated gradients."""

    def make_step(self, phases: Phases) -> StepFunction:
        """Four parts, then one update."""
        return accumulated(phases)


def register() -> None:
    """Register the levels of the project and both tasks."""
    load_levels()
    TASKS.add(TaskSpec("accumulate", Accumulate, like="classify"))
    attributes = TASKS["next_token"].attributes
    TASKS.add(TaskSpec("accumulate_tokens", AccumulateTokens, attributes, like="next_token"))


def by_hand(network: nn.Module, optimizer: Optimizer, batches: Sequence[Any], loss_of: Any) -> Callable[[], None]:
    """The loop that a user would write, one step of it."""
    endless = cycle(batches)

    def step() -> None:
        inputs, targets = next(endless)
        optimizer.zero_grad(set_to_none=True)
        for some_inputs, some_targets in zip(inputs.chunk(PARTS), targets.chunk(PARTS), strict=True):
            loss = loss_of(network(some_inputs), some_targets) / PARTS
            loss.backward()
        optimizer.step()

    return step


def own_loop(case: Case) -> tuple[nn.Module, Callable[[], None], Callable[[], None]]:
    """A network that no code of the suite sees, the loop over it, and what returns it to its first state."""
    import torch
    from torch import nn

    from suite.contracts.tuning import Tuning
    from suite.measuring.snapshot import snapshot
    from suite.registry import OPTIMIZERS, STRUCTURES

    torch.manual_seed(case.seed)
    task = TASKS[case.task].strategy(case)
    network = task.make_network(STRUCTURES[case.structure].build).train()
    optimizer = OPTIMIZERS[case.optimizer].build(network.parameters())
    generator = torch.Generator().manual_seed(case.seed)
    batches = [tuple(one.contiguous() for one in task.batch(generator)) for _ in range(4)]
    loss = nn.CrossEntropyLoss() if isinstance(task, Classify) else task.loss
    step = by_hand(network, optimizer, batches, loss)
    step()
    return network, step, snapshot(network, [optimizer], Tuning("cpu"))


def once(name: str, threads: int) -> dict[str, list[float]]:
    """Median seconds of a step in each burst, by loop, in this process."""
    import torch

    from suite.measuring.modes import TrainingStep
    from suite.measuring.recorder import record_rounds

    raise_priority()
    register()
    torch.set_num_threads(threads)
    case = ROWS[name]
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with TrainingStep(case) as step:
        for _ in range(WARM_STEPS):
            step()
        started_s = perf_counter()
        for _ in range(WARM_STEPS):
            step()
        steps = max(1, round(ROUND_S * WARM_STEPS / (perf_counter() - started_s)))
        same = by_hand(step.network, step.optimizer, [next(step.batches) for _ in range(4)], step.task.criterion())
        own_network, own, restore_own = own_loop(case)

        def suite_burst() -> list[float]:
            return list(
                record_rounds(step, seconds=BURST_S, steps_per_round=steps, min_rounds=BURST_ROUNDS).step_time[1:]
            )

        bursts = {
            "suite": suite_burst,
            "same": lambda: bare(same, step.restore, steps),
            "own": lambda: bare(own, restore_own, steps),
        }
        gc.collect()
        gc.freeze()
        for number in range(BURSTS):
            sizes = random.choices(range(1, MOST_HELD), k=HELD)  # noqa: S311 - places in memory, not secrets
            for kind in KINDS if number % 2 == 0 else reversed(KINDS):  # drift in one direction reaches all alike
                for one in (step.network, own_network):
                    one.zero_grad(set_to_none=True)
                held = [torch.empty(size) for size in sizes]
                taken[kind].append(median(bursts[kind]()))
                del held
    return taken


def bare(step: Callable[[], None], restore: Callable[[], None], steps: int) -> list[float]:
    """Seconds of a step, by rounds: the clock and the loop alone."""
    restore()
    rounds: list[float] = []
    gc.collect()
    gc.disable()
    deadline = perf_counter() + BURST_S
    while len(rounds) < BURST_ROUNDS or perf_counter() < deadline:
        start = perf_counter()
        for _ in range(steps):
            step()
        rounds.append((perf_counter() - start) / steps)
    gc.enable()
    return rounds[1:]


def repetition(name: str, threads: int) -> dict[str, float]:
    """Seconds of a step in a fresh process, and the ratios of loops in bursts that follow each other; medians."""
    said = subprocess.run(
        [sys.executable, __file__, ONCE, name, str(threads)],
        stdout=subprocess.PIPE,
        env={**allocated("steady"), "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        text=True,
        check=True,
    ).stdout
    bursts: dict[str, list[float]] = json.loads(said)
    ratios = {other: [mine / its for mine, its in zip(bursts["suite"], bursts[other], strict=True)] for other in KINDS}
    return {**{other: median(values) for other, values in ratios.items()}, "suite": median(bursts["suite"])}


def with_interval(ratios: list[float]) -> str:
    """A median and its interval."""
    low, high = interval(ratios)
    return f"{median(ratios):.4f} ({low:.4f} to {high:.4f})"


def main() -> None:
    """Measure all rows, by turns, and print the ratios."""
    count = SHORT if "--short" in sys.argv else REPETITIONS
    threads = int(os.environ.get("THREADS", "1"))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ROWS}
    for number in range(count):
        for name, lines in found.items():
            lines.append(repetition(name, threads))
            print(f"{name}, {number + 1}: {lines[-1]['same'] - 1:+.2%}, {lines[-1]['own'] - 1:+.2%}", file=sys.stderr)
    print(f"{'step':<18}{'n':>4}{'step time':>13}  {'suite / same':<28}{'suite / own':<28}")
    for name, lines in found.items():
        cells = "".join(f"{with_interval([line[other] for line in lines]):<28}" for other in KINDS[1:])
        print(f"{name:<18}{len(lines):>4}{median(line['suite'] for line in lines) * 1e3:>10.3f} ms  {cells}")


if __name__ == "__main__":
    if ONCE in sys.argv:
        print(json.dumps(once(sys.argv[-2], int(sys.argv[-1]))))
    else:
        main()
