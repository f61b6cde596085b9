"""Task: the batches of a case, its loss, the order of its step, and its quality.

No torch at import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from suite.contracts.batches import Batch, each_tensor
from suite.records import Case

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Phases(Protocol):
    """The phases of a training step, for a step in another order.

    Each phase applies the case's tuning, and instruments see it. Work outside of phases counts for the step time alone.

    Attributes:
        network: placed, wrapped and compiled, as execution and tuning want it.
        module: the same network as its structure made it, with its attributes.
        optimizer: the case's, over all parameters of the network.
    """

    network: nn.Module
    module: nn.Module
    optimizer: torch.optim.Optimizer

    def make_optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Another optimizer with the case's setting, over some of the parameters.

        Its state is restored and counted as that of `optimizer`.
        """

    def autocast(self) -> AbstractContextManager[Any]:
        """The tuning's context around forward and loss."""

    def zero_grad(self, optimizer: torch.optim.Optimizer | None = None, /) -> None:
        """Free the gradients of an optimizer's parameters; None: `optimizer`."""

    def forward(self, inputs: Any, /) -> Any:
        """Inputs -> outputs, by `Task.forward`."""

    def compare(self, outputs: Any, targets: Any, /) -> Tensor:
        """Outputs and targets -> loss (), by `Task.loss`."""

    def backward(self, loss: Tensor, /) -> None:
        """Add the gradients of a loss ()."""

    def update(self, optimizer: torch.optim.Optimizer | None = None, /) -> None:
        """Take an optimizer's step; None: that of `optimizer`."""


StepFunction = Callable[[Any, Any], "Tensor"]
"""A whole training step: inputs and targets -> its loss (), by which a step that does not train is found."""
StepMaker = Callable[[Phases], StepFunction]


class LearningSet(Protocol):
    """The data set of learning cases.

    Attributes:
        test: inputs and targets that no step trains on.
        attributes: its name and sizes, for the record.
    """

    test: Batch
    attributes: dict[str, Any]

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """Endless full batches, shuffled anew in each epoch by the generator."""


class Task:
    """Batches without images, whose network takes no arguments when it is made.

    A task derives from this class, makes batches, compares outputs with targets, and overrides what else differs. Its
    classmethods and attributes are read without torch; an instance is made in a worker.

    Args:
        case: gives batch size N, seed and sizes.

    Attributes:
        examples: the plural noun of what a batch has N of.
        has_images: whether inputs are images of the case's image size. Other tasks have the default size alone, and no
            tuning that changes the order of dimensions of images.
        infers: whether forward alone, without targets, is a use of the network.
        calls_network: whether forward calls the network as a whole. A task that calls another method of it has no
            execution that wraps the network, and no compiled tuning.
        training_examples: number of examples in the training set of learning cases; 0 for a task without quality.
        training_noun: what these are called.
    """

    examples = "examples"
    has_images = False
    infers = True
    calls_network = True
    training_examples = 0
    training_noun = "examples"

    def __init__(self, case: Case) -> None:
        self.case = case

    @classmethod
    def makes_batches(cls) -> bool:
        """Whether the task makes synthetic batches."""
        return cls.batch is not Task.batch

    @classmethod
    def has_own_order(cls) -> bool:
        """Whether the task makes a training step in another order."""
        return cls.make_step is not Task.make_step

    @classmethod
    def refusal(cls, case: Case) -> str:  # noqa: ARG003 - tasks that refuse read the case
        """Reason why the task cannot have `case`; empty if it can. Imports no torch."""
        return ""

    def make_network(self, build: Callable[..., nn.Module]) -> nn.Module:
        """Call the builder of a structure with this task's arguments."""
        return build()

    def batch(self, generator: torch.Generator) -> Batch:
        """Make synthetic inputs and targets of N examples on the host.

        Each is a tensor, or a dictionary, list or tuple of tensors to any depth. The first dimension is N.

        Args:
            generator: the only source of random numbers, so that the same seed gives the same batches.
        """
        raise NotImplementedError

    def share(self, batch: Batch, part: slice) -> Batch:
        """A rank's share of a joint batch: `part` of the first dimension of each tensor."""
        inputs, targets = (each_tensor(lambda tensor: tensor[part], one) for one in batch)
        return inputs, targets

    def forward(self, network: nn.Module, inputs: Any) -> Any:
        """Inputs -> outputs: a dictionary as named arguments, a tuple as arguments."""
        if isinstance(inputs, Mapping):
            return network(**inputs)
        if isinstance(inputs, list | tuple):
            return network(*inputs)
        return network(inputs)

    def caller(self, network: nn.Module) -> Callable[[Any], Any]:
        """Inputs -> outputs of a placed network, as a step calls it."""
        return partial(self.forward, network)

    def loss(self, outputs: Any, targets: Any) -> Tensor:
        """Outputs and targets -> loss ()."""
        raise NotImplementedError

    def criterion(self) -> Callable[[Any, Any], Tensor]:
        """Outputs and targets -> loss (), as a step calls it."""
        return self.loss

    def make_step(self, phases: Phases) -> StepFunction | None:  # noqa: ARG002 - tasks with another order read them
        """Make a training step in another order; None for the usual one.

        The usual one: zero_grad, forward, loss, backward, update. The step returns its loss.
        """
        return None

    def learning_set(self) -> LearningSet:
        """The data set of learning cases, if `training_examples` is not 0."""
        raise NotImplementedError

    def quality(self, outputs: Any, targets: Any) -> float:
        """Share of examples that outputs get right, from 0 (none) to 1 (all)."""
        raise NotImplementedError
