"""Networks of the registry and inputs for them, whichever task they are for."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from suite.contracts.task import Task
from suite.records import DEFAULT_TASK, Case
from suite.registry import STRUCTURES, TASKS

SIZE = 28


def task_of(name: str, count: int = 1, size: int = SIZE) -> Task:
    """The task of a structure, for batches of `count` examples."""
    task = STRUCTURES[name].task
    return TASKS[task].strategy(Case(name, "sgd", "cpu", task=task, batch_size=count, image_size=size))


def network_of(name: str, size: int = SIZE) -> nn.Module:
    """The network of a structure, for images of `size` pixels a side if it takes images."""
    return task_of(name, size=size).make_network(STRUCTURES[name].build)


def inputs_of(name: str, count: int, size: int = SIZE) -> Any:
    """Inputs of `count` examples for that network."""
    return task_of(name, count, size).batch(torch.Generator().manual_seed(0))[0]


def takes_images(name: str) -> bool:
    """Whether a structure is for the default task."""
    return STRUCTURES[name].task == DEFAULT_TASK
