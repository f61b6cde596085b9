"""Entries of the registries: one frozen value for each level.

No torch at import: an entry names its builder or its class, and a worker calls it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from suite.records.factors import DEFAULT_TASK
from suite.records.json_values import name_of, plain

if TYPE_CHECKING:
    import torch
    from torch import nn

    from suite.contracts.execution import Execution
    from suite.contracts.input_pipeline import InputPipeline
    from suite.contracts.task import StepMaker, Task
    from suite.contracts.tuning import Tuning

StructureBuilder = Callable[..., "nn.Module"]
"""Makes a network; its task gives the arguments."""


@dataclass(frozen=True, slots=True)
class StructureSpec:
    """A network structure: `build(num_classes, image_size)`, fresh from torch's seed.

    Images (N, 3, image_size, image_size) -> logits (N, num_classes). The builder of a structure for another task takes
    the arguments that `Task.make_network` of that task gives.
    """

    name: str
    build: StructureBuilder
    attributes: dict[str, Any] = field(default_factory=dict)
    min_image_size: int = 1
    reference: str = ""
    """The structure's source, if one builder makes structures of several sources."""
    min_image_size_alone: int = 1
    """Pixels a side from which one image trains alone: a batch norm over a map of one pixel needs a second image."""
    task: str = DEFAULT_TASK
    """The task that the network is for."""
    needs: str = ""
    """The package that it needs in addition to torch, if any."""
    make_step: StepMaker | None = None
    """Makes a training step in another order; None for the order of its task."""

    @property
    def source(self) -> str:
        """The docstring of the builder, and the structure's reference if it has one."""
        docstring = inspect.getdoc(self.build.func if isinstance(self.build, partial) else self.build) or ""
        return f"{docstring}\n\nSource: {self.reference}" if self.reference else docstring


def lacks_nothing(device: str) -> str:  # noqa: ARG001 - optimizers that lack a kernel read it
    """The installed torch has all kernels of an optimizer."""
    return ""


@dataclass(frozen=True, slots=True)
class OptimizerSpec:
    """An optimizer setting: `factory(parameters, **kwargs)`.

    Attributes:
        factory: the optimizer's class, or its dotted path (`torch.optim.SGD`), which is looked up by the worker.
        kwargs: keyword arguments, pinned; the learning rate and the implementation are recorded as attributes.
        source: the paper or documentation that the setting follows.
        closure: whether its step evaluates loss and gradients through a closure, as often as it wants.
        flattens: whether it takes each gradient as a flat view, which a gradient in channels-last order does not have.
        full_batch: whether each of its steps takes the whole training set.
        lacks_kernel: (kind of device, such as `cuda`) -> reason why the installed torch has no kernel for its step
            there; empty if it has. Imports no torch.
    """

    name: str
    factory: str | Callable[..., torch.optim.Optimizer]
    kwargs: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    closure: bool = False
    flattens: bool = False
    full_batch: bool = False
    lacks_kernel: Callable[[str], str] = lacks_nothing

    @property
    def attributes(self) -> dict[str, Any]:
        """`family`, `implementation`, and every keyword argument as a plain value."""
        path = self.factory if isinstance(self.factory, str) else name_of(self.factory)
        chosen = [name for name in ("fused", "foreach") if self.kwargs.get(name)]
        pinned = "foreach" in self.kwargs or "fused" in self.kwargs
        implementation = chosen[0] if chosen else "forloop" if pinned else "default"
        others = {key: plain(value) for key, value in self.kwargs.items() if key not in ("fused", "foreach")}
        attributes = {"family": path.rsplit(".", 1)[-1].lower(), "implementation": implementation, **others}
        return {**attributes, "full_batch": True} if self.full_batch else attributes

    def build(self, parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimizer over a network's parameters."""
        factory = self.factory
        if isinstance(factory, str):
            module, _, attribute = factory.rpartition(".")
            factory = getattr(importlib.import_module(module), attribute)
        optimizer: torch.optim.Optimizer = factory(parameters, **self.kwargs)
        return optimizer


@dataclass(frozen=True, slots=True)
class ExecutionSpec:
    """The device and the processes that run a step; only workers make a `strategy`."""

    name: str
    strategy: type[Execution]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task: the batches, the loss and the quality of a case.

    Attributes:
        attributes: its properties; an instance of `strategy` reads its own here.
        like: another task whose structures and inputs this one takes too; empty for none.
    """

    name: str
    strategy: type[Task]
    attributes: dict[str, Any] = field(default_factory=dict)
    like: str = ""

    def takes(self, task: str | None) -> bool:
        """Whether a structure or an input for `task` fits; None is for every task."""
        return task is None or task in (self.name, self.like)


@dataclass(frozen=True, slots=True)
class TuningSpec:
    """A way of running the same step; `eager` changes nothing."""

    name: str
    strategy: type[Tuning]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InputSpec:
    """An input pipeline: yields the batches that the steps train on.

    Attributes:
        task: the task whose batches it yields; None if it yields those of every task.
    """

    name: str
    pipeline: type[InputPipeline]
    attributes: dict[str, Any] = field(default_factory=dict)
    task: str | None = DEFAULT_TASK


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """How the learning rate changes over the steps of a learning case.

    Attributes:
        make: (optimizer, steps of the whole training) -> the schedule, whose `step` is called after each step; None if
            the rate is constant.
    """

    name: str
    make: Callable[[torch.optim.Optimizer, int], torch.optim.lr_scheduler.LRScheduler | None]
    attributes: dict[str, Any] = field(default_factory=dict)
    source: str = ""
