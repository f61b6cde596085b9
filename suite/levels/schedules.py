"""Schedules of the learning rate of learning cases, one entry each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.registry import SCHEDULES, ScheduleSpec

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler


def constant(optimizer: Optimizer, steps: int) -> None:
    """The optimizer's own rate throughout."""


def cosine(optimizer: Optimizer, steps: int) -> LRScheduler:
    """From the optimizer's rate to 0 along half a cosine."""
    from torch.optim.lr_scheduler import CosineAnnealingLR

    return CosineAnnealingLR(optimizer, T_max=steps)


def one_cycle(optimizer: Optimizer, steps: int) -> LRScheduler:
    """From 1/25 of the optimizer's rate up to it, then down to nearly 0.

    The rate rises in the first 30 % of the steps. Momentum, if there is one, goes the other way.
    """
    from torch.optim.lr_scheduler import OneCycleLR

    cycles = bool(optimizer.defaults.get("momentum") or optimizer.defaults.get("betas"))
    return OneCycleLR(optimizer, max_lr=optimizer.defaults["lr"], total_steps=steps, cycle_momentum=cycles)


SCHEDULES.add(ScheduleSpec("constant", constant, {"final_share": 1.0}))
SCHEDULES.add(
    ScheduleSpec(
        "cosine",
        cosine,
        {"final_share": 0.0},
        source="Loshchilov and Hutter 2017, SGDR: stochastic gradient descent with warm restarts, equation 5.",
    )
)
SCHEDULES.add(
    ScheduleSpec(
        "one_cycle",
        one_cycle,
        {"final_share": 4e-6},
        source="Smith and Topin 2019, Super-convergence: very fast training of neural networks using large rates.",
    )
)
