"""Case -> the step of its mode: training, inference, learning."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from suite.contracts.execution import Execution
from suite.contracts.learning_data import TEST_IMAGES, TRAINING_IMAGES
from suite.contracts.phase_hook import PhaseHook
from suite.contracts.probes import ACCURACY, TEST_LOSS, Probe
from suite.measuring.digits import Digits
from suite.measuring.snapshot import snapshot
from suite.measuring.step import DivergedError, Step
from suite.records import DEFAULT_MODE, INFER, LEARN, Case
from suite.records.factors import FACTORS
from suite.registry import OPTIMIZERS, REGISTRIES, SCHEDULES


class TrainingStep(Step):
    """`zero_grad`, forward, loss, backward and optimizer step on one batch."""

    phases = (*Step.phases, "zero_grad", "forward", "compare", "backward", "update")

    def _make(self) -> None:
        super()._make()
        spec = OPTIMIZERS[self.case.optimizer]
        self.optimizer = spec.build(self.network.parameters())
        self.criterion = nn.CrossEntropyLoss()
        self.loss: Tensor | None = None
        self._closure = spec.closure
        self._restore: Callable[[], None] | None = None

    def run(self, images: Tensor, labels: Tensor) -> None:
        """Train on images (N, 3, H, W) and labels (N,)."""
        if self._closure:
            self.update(lambda: self._evaluate(images, labels))
        else:
            self.loss = self._gradients(images, labels)
            self.update()

    def _evaluate(self, images: Tensor, labels: Tensor) -> float:
        """Loss for an optimizer's closure; the step's loss is that of the last evaluation."""
        self.loss = self._gradients(images, labels)
        return float(self.loss.detach())

    def _gradients(self, images: Tensor, labels: Tensor) -> Tensor:
        self.zero_grad()
        with self.tuning.autocast():
            loss = self.compare(self.forward(images), labels)
        self.backward(loss)
        return loss

    def zero_grad(self) -> None:
        """Free the gradients, or fill them with zeros."""
        self.optimizer.zero_grad(set_to_none=self.tuning.frees_gradients)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> logits (N, K)."""
        logits: Tensor = self.network(images)
        return logits

    def compare(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (N, K) and labels (N,) -> loss ()."""
        loss: Tensor = self.criterion(logits, labels)
        return loss

    def backward(self, loss: Tensor) -> None:
        """Gradients of a loss ()."""
        self.tuning.backward(loss)

    def update(self, closure: Callable[[], float] | None = None) -> None:
        """Take the optimizer's step; its closure, if it has one, runs all other phases."""
        if closure:
            self.optimizer.step(closure)
        else:
            self.tuning.update(self.optimizer)

    def restore(self) -> None:
        """Restore weights, optimizer state and random state of the first rounds.

        So a visit measures the same work however long it lasts. Training on would drive the gradients of memorised
        batches towards denormal numbers, which are many times slower on a CPU. Before the first step there is no state
        to restore: optimizers allocate theirs in it.
        """
        if self.loss is None:
            return
        if self._restore is None:
            self._restore = snapshot(self.network, self.optimizer, self.tuning)
        self._restore()

    def check_finite(self) -> None:
        """Raise `DivergedError` if the loss is NaN or infinite."""
        loss = math.nan if self.loss is None else float(self.loss.detach())
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss}: the step does not train, and its time means nothing")


class InferenceStep(Step):
    """Forward on one batch in evaluation mode, without gradients; labels are not used."""

    phases = (*Step.phases, "forward")

    def _make(self) -> None:
        super()._make()
        self.logits: Tensor | None = None

    def run(self, images: Tensor, labels: Tensor) -> None:  # noqa: ARG002 - a step of either mode takes a batch
        """Images (N, 3, H, W) -> logits (N, K)."""
        with self.tuning.without_gradients(), self.tuning.autocast():
            self.logits = self.forward(images)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> logits (N, K)."""
        logits: Tensor = self.network(images)
        return logits

    def check_finite(self) -> None:
        """Raise `DivergedError` if one of the logits is NaN or infinite."""
        if self.logits is None or not bool(torch.isfinite(self.logits).all()):
            raise DivergedError("the logits are not all finite: the step's time means nothing")


class LearningStep(TrainingStep):
    """A training step that continues from the one before, over real digits.

    Unlike `TrainingStep` it never restores weights, optimizer and learning rate. Its accuracy is read after each round.
    """

    def _make(self) -> None:
        super()._make()
        self.digits = Digits(self.case.image_size)
        self.steps_per_epoch = TRAINING_IMAGES // self.case.batch_size
        self.schedule = SCHEDULES[self.case.schedule].make(self.optimizer, self.steps_per_epoch * self.case.epochs)
        self.gauges = (Probe(ACCURACY, self.accuracy), Probe(TEST_LOSS, lambda: self._test_loss))
        self._test_loss = math.nan

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(self.case.seed)
        placement = self._placement()
        return (placement.put(*batch) for batch in self.digits.batches(self.case.batch_size, generator))

    def input_attributes(self) -> dict[str, Any]:
        """The digits, and the number of steps in an epoch."""
        return {
            "data": "scikit-learn digits",
            "training_images": TRAINING_IMAGES,
            "test_images": TEST_IMAGES,
            "steps_per_epoch": self.steps_per_epoch,
        }

    def run(self, images: Tensor, labels: Tensor) -> None:
        """Train on images (N, 3, H, W) and labels (N,), and step the schedule."""
        super().run(images, labels)
        if self.schedule is not None:
            self.schedule.step()

    def restore(self) -> None:
        """Keep the state: training continues."""

    def accuracy(self) -> float:
        """Share of the test digits classified correctly; keeps the loss on them, too."""
        images, labels = self._placement().put(*self.digits.test)
        self.network.eval()
        with torch.no_grad(), self.tuning.autocast():
            logits = self.network(images)
            self._test_loss = float(self.criterion(logits, labels))
        self.network.train()
        return int((logits.argmax(dim=1) == labels).sum()) / len(labels)


STEPS: dict[str, type[Step]] = {DEFAULT_MODE: TrainingStep, INFER: InferenceStep, LEARN: LearningStep}


def make_step(case: Case, execution: Execution | None = None, hook: PhaseHook | None = None) -> Step:
    """Choose the step of a case's mode; arguments as for `Step`."""
    return STEPS[case.mode](case, execution, hook)


def attributes_of(case: Case, step: Step) -> dict[str, Any]:
    """Attributes of a case's levels by factor, with those of the finished step."""
    attributes: dict[str, Any] = {
        factor.name: dict(REGISTRIES[factor.name][getattr(case, factor.name)].attributes)
        for factor in FACTORS
        if factor.name in REGISTRIES and factor.mode in ("", case.mode)
    }
    attributes["structure"]["parameters"] = sum(weights.numel() for weights in step.network.parameters())
    attributes["execution"].update(step.execution.attributes())
    attributes["tuning"].update(step.tuning.attributes())
    attributes["input"].update(step.input_attributes())
    return attributes
