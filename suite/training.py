"""Case -> TrainingStep: the only place where the factors meet."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from suite.clock import Clock
from suite.records import NUM_CLASSES, Case
from suite.registry import EXECUTIONS, INPUTS, OPTIMIZERS, STRUCTURES


class TrainingStep:
    """One batch through `zero_grad`, forward, loss, backward and optimizer step. Calling it trains one step.

    Inside a call: those five, and taking the next batch from the input pipeline. Outside: making the network, the
    optimizer, and (with synthetic input) the batches.
    """

    def __init__(self, case: Case) -> None:
        execution = EXECUTIONS[case.execution].strategy()
        torch.manual_seed(case.seed)
        self.network = execution.place(STRUCTURES[case.structure].build(NUM_CLASSES, case.image_size))
        self.network.train()
        self.optimizer = OPTIMIZERS[case.optimizer].build(self.network.parameters())
        self.criterion = nn.CrossEntropyLoss()
        self.batches = INPUTS[case.input].pipeline().batches(case, execution.device())
        self.clock: Clock = execution.clock()
        self.loss: Tensor | None = None
        self._rewind: Callable[[], None] | None = None

    def __call__(self) -> None:
        """Train one step on the next batch: images (N, 3, H, W), labels (N,)."""
        images, labels = next(self.batches)
        self.optimizer.zero_grad(set_to_none=True)
        self.loss = self.criterion(self.network(images), labels)
        self.loss.backward()
        self.optimizer.step()

    def rewind(self) -> None:
        """Put weights, optimizer state and random state back to where they stood after the first rounds.

        The same work is then measured however long a visit lasts: training on would drive the gradients of memorised
        batches towards denormal numbers, which are many times slower on a CPU. Before the first step there is
        nothing to return to: optimizers allocate their state in it.
        """
        if self.loss is None:
            return
        if self._rewind is None:
            self._rewind = snapshot(self.network, self.optimizer)
        self._rewind()

    def check(self) -> None:
        """Refuse to go on with a loss that is not finite: its step may cost anything.

        Raises:
            DivergedError: the loss is NaN or infinite.
        """
        loss = math.nan if self.loss is None else float(self.loss.detach())
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss}: the step does not train, and its time means nothing")


class DivergedError(ArithmeticError):
    """The loss stopped being a number."""


def snapshot(network: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """Remember weights, buffers, optimizer state and random state; calling the result copies them back in place."""
    held = [*network.parameters(), *network.buffers(), *state_tensors(optimizer)]
    copies = [tensor.detach().clone() for tensor in held]
    random_state = torch.get_rng_state()

    def restore() -> None:
        with torch.no_grad():
            for tensor, copy in zip(held, copies, strict=True):
                tensor.copy_(copy)
        torch.set_rng_state(random_state)

    return restore


def state_tensors(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Every tensor in an optimizer's state (momentum buffers, moments, step counts)."""
    states = itertools.chain.from_iterable(state.values() for state in optimizer.state.values())
    return [value for value in states if isinstance(value, Tensor)]


def attributes(case: Case, step: TrainingStep | None = None) -> dict[str, Any]:
    """What the levels of a case are made of, by factor, and the size of the network once it is made."""
    facts: dict[str, Any] = {
        "structure": dict(STRUCTURES[case.structure].attributes),
        "optimizer": dict(OPTIMIZERS[case.optimizer].attributes),
        "execution": dict(EXECUTIONS[case.execution].attributes),
        "input": dict(INPUTS[case.input].attributes),
    }
    if step is not None:
        facts["structure"]["parameters"] = sum(weights.numel() for weights in step.network.parameters())
    return facts
