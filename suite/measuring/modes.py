"""Case -> the step of its mode: training, inference, learning."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from suite.contracts.batches import Batch, tensors_of
from suite.contracts.execution import Execution
from suite.contracts.phase_hook import PhaseHook
from suite.contracts.probes import ACCURACY, TEST_LOSS, Probe
from suite.measuring.own_order import OwnStep, own_order
from suite.measuring.snapshot import snapshot
from suite.measuring.step import DivergedError, Step
from suite.records import DEFAULT_MODE, INFER, LEARN, Case
from suite.records.factors import shown_factors
from suite.registry import OPTIMIZERS, REGISTRIES, SCHEDULES


class TrainingStep(Step):
    """`zero_grad`, forward, loss, backward and optimizer step on one batch.

    A step in another order calls the same phases as its structure or task wants.
    """

    phases = (*Step.phases, "zero_grad", "forward", "compare", "backward", "update")

    def _make(self) -> None:
        super()._make()
        self.optimizers: list[torch.optim.Optimizer] = []
        self.optimizer = self.make_optimizer(self.network.parameters())
        self._loss: Callable[[Any, Any], Tensor] = self.task.criterion()
        self.loss: Tensor | None = None
        self._restore: Callable[[], None] | None = None
        own = own_order(self.case, self.task, self, self.tuning)
        self.has_own_order = own is not None
        self._other_order: Callable[[Any, Any], None] | None = None
        if own is not None:
            self._other_order = partial(self._run_own, own)
        elif OPTIMIZERS[self.case.optimizer].closure:
            self._other_order = self._run_closure
        if self._hook is None:
            self._shorten()

    def _shorten(self) -> None:
        """Let phases without a hook be what they call.

        A step in another order may call them several times.
        """
        for name, function in {"forward": self._call, "compare": self._loss}.items():
            setattr(self, name, function)

    def make_optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Make an optimizer of the case's setting, which is restored and counted."""
        optimizer = OPTIMIZERS[self.case.optimizer].build(iter(parameters))
        self.optimizers.append(optimizer)
        return optimizer

    def run(self, inputs: Any, targets: Any) -> None:
        """Train on inputs and targets of N examples."""
        if self._other_order is not None:
            self._other_order(inputs, targets)
        else:
            self.loss = self._gradients(inputs, targets)
            self.update()

    def _run_closure(self, inputs: Any, targets: Any) -> None:
        """Let an optimizer evaluate loss and gradients as often as it wants."""
        self.update(None, lambda: self._evaluate(inputs, targets))

    def _run_own(self, own: OwnStep, inputs: Any, targets: Any) -> None:
        """Run the step of a structure or a task."""
        self.loss = own.run(inputs, targets)

    def _evaluate(self, inputs: Any, targets: Any) -> float:
        """Loss for an optimizer's closure; the step's loss is that of the last evaluation."""
        self.loss = self._gradients(inputs, targets)
        return float(self.loss.detach())

    def _gradients(self, inputs: Any, targets: Any) -> Tensor:
        self.zero_grad()
        with self.tuning.autocast():
            loss = self.compare(self.forward(inputs), targets)
        self.backward(loss)
        return loss

    def autocast(self) -> AbstractContextManager[Any]:
        """The tuning's context around forward and loss."""
        return self.tuning.autocast()

    def zero_grad(self, optimizer: torch.optim.Optimizer | None = None, /) -> None:
        """Free the gradients, or fill them with zeros."""
        chosen = self.optimizer if optimizer is None else optimizer
        chosen.zero_grad(set_to_none=self.tuning.frees_gradients)

    def forward(self, inputs: Any, /) -> Any:
        """Inputs -> outputs, such as images (N, 3, H, W) -> logits (N, K)."""
        return self._call(inputs)

    def compare(self, outputs: Any, targets: Any, /) -> Tensor:
        """Outputs and targets, such as logits (N, K) and labels (N,) -> loss ()."""
        return self._loss(outputs, targets)

    def backward(self, loss: Tensor, /) -> None:
        """Gradients of a loss ()."""
        self.tuning.backward(loss)

    def update(
        self, optimizer: torch.optim.Optimizer | None = None, closure: Callable[[], float] | None = None, /
    ) -> None:
        """Take an optimizer's step; its closure, if it has one, runs all other phases."""
        chosen = self.optimizer if optimizer is None else optimizer
        if closure:
            chosen.step(closure)
        else:
            self.tuning.update(chosen)

    def restore(self) -> None:
        """Restore weights, optimizer state and random state of the first rounds.

        So a visit measures the same work however long it lasts. Training on would drive the gradients of memorised
        batches towards denormal numbers, which are many times slower on a CPU. Before the first step there is no state
        to restore: optimizers allocate theirs in it.
        """
        if self.loss is None:
            return
        if self._restore is None:
            self._restore = snapshot(self.network, self.optimizers, self.tuning)
        self._restore()

    def check_finite(self) -> None:
        """Raise `DivergedError` if the loss is NaN or infinite."""
        loss = math.nan if self.loss is None else float(self.loss.detach())
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss}: the step does not train, and its time means nothing")


class InferenceStep(Step):
    """Forward on one batch in evaluation mode, without gradients and targets."""

    phases = (*Step.phases, "forward")

    def _make(self) -> None:
        super()._make()
        self.logits: Any = None

    def run(self, inputs: Any, targets: Any) -> None:  # noqa: ARG002 - a step of either mode takes a batch
        """Inputs -> outputs, such as images (N, 3, H, W) -> logits (N, K)."""
        with self.tuning.without_gradients(), self.tuning.autocast():
            self.logits = self.forward(inputs)

    def forward(self, inputs: Any) -> Any:
        """Inputs -> outputs, such as images (N, 3, H, W) -> logits (N, K)."""
        return self._call(inputs)

    def check_finite(self) -> None:
        """Raise `DivergedError` if an output is NaN or infinite, or there is none."""
        outputs = [one for one in tensors_of(self.logits) if one.is_floating_point()]
        if not outputs or not all(bool(torch.isfinite(one).all()) for one in outputs):
            raise DivergedError("the logits are not all finite: the step's time means nothing")


class LearningStep(TrainingStep):
    """A training step that continues from the one before, over real examples.

    Unlike `TrainingStep` it never restores weights, optimizer and learning rate. Its accuracy is read after each round.
    """

    def _make(self) -> None:
        super()._make()
        self.learning_set = self.task.learning_set()
        self.steps_per_epoch = self.task.training_examples // self.case.batch_size
        make, steps = SCHEDULES[self.case.schedule].make, self.steps_per_epoch * self.case.epochs
        made = [make(optimizer, steps) for optimizer in self.optimizers]
        self.schedules = [schedule for schedule in made if schedule is not None]
        self.gauges = (Probe(ACCURACY, self.accuracy), Probe(TEST_LOSS, lambda: self._test_loss))
        self._test_loss = math.nan

    def _batches(self) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(self.case.seed)
        placement = self._placement()
        return (placement.put(*batch) for batch in self.learning_set.batches(self.case.batch_size, generator))

    def input_attributes(self) -> dict[str, Any]:
        """The learning set, and the number of steps in an epoch."""
        return {**self.learning_set.attributes, "steps_per_epoch": self.steps_per_epoch}

    def run(self, inputs: Any, targets: Any) -> None:
        """Train on inputs and targets of N examples, and step the schedules."""
        super().run(inputs, targets)
        for schedule in self.schedules:
            schedule.step()

    def restore(self) -> None:
        """Keep the state: training continues."""

    def accuracy(self) -> float:
        """The task's quality on its test set; keeps the loss on it, too."""
        inputs, targets = self._placement().put(*self.learning_set.test)
        self.network.eval()
        with torch.no_grad(), self.tuning.autocast():
            outputs = self._call(inputs)
            self._test_loss = float(self._loss(outputs, targets))
        self.network.train()
        return self.task.quality(outputs, targets)


STEPS: dict[str, type[Step]] = {DEFAULT_MODE: TrainingStep, INFER: InferenceStep, LEARN: LearningStep}


def make_step(case: Case, execution: Execution | None = None, hook: PhaseHook | None = None) -> Step:
    """Choose the step of a case's mode; arguments as for `Step`."""
    return STEPS[case.mode](case, execution, hook)


def attributes_of(case: Case, step: Step) -> dict[str, Any]:
    """Attributes of a case's levels by factor, with those of the finished step."""
    attributes: dict[str, Any] = {
        factor.name: dict(REGISTRIES[factor.name][getattr(case, factor.name)].attributes)
        for factor in shown_factors([case])
        if factor.name in REGISTRIES and factor.mode in ("", case.mode)
    }
    attributes["structure"]["parameters"] = sum(weights.numel() for weights in step.network.parameters())
    attributes["execution"].update(step.execution.attributes())
    attributes["tuning"].update(step.tuning.attributes())
    attributes["input"].update(step.input_attributes())
    return attributes
