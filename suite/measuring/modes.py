"""Case -> the step of its mode: training, inference, learning."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from suite.contracts.execution import Execution
from suite.contracts.learning import TEST_IMAGES, TRAINING_IMAGES
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
            self.update(lambda: self._evaluated(images, labels))
        else:
            self.loss = self._gradients(images, labels)
            self.update()

    def _evaluated(self, images: Tensor, labels: Tensor) -> float:
        """What a closure gives its optimizer. The step's loss is that of the last evaluation."""
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
        """The optimizer's step; one that evaluates the loss itself is given a closure and runs all other parts."""
        if closure:
            self.optimizer.step(closure)
        else:
            self.tuning.update(self.optimizer)

    def restore(self) -> None:
        """Put weights, optimizer state and random state back to where they stood after the first rounds.

        The same work is then measured however long a visit lasts: training on would drive the gradients of memorised
        batches towards denormal numbers, which are many times slower on a CPU. Before the first step there is
        nothing to return to: optimizers allocate their state in it.
        """
        if self.loss is None:
            return
        if self._restore is None:
            self._restore = snapshot(self.network, self.optimizer, self.tuning)
        self._restore()

    def judge(self) -> None:
        """Raise where the loss is NaN or infinite."""
        loss = math.nan if self.loss is None else float(self.loss.detach())
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss}: the step does not train, and its time means nothing")


class InferenceStep(Step):
    """Forward on one batch with the network in evaluation mode and no gradients kept; labels are not used."""

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

    def judge(self) -> None:
        """Raise where one of the logits is NaN or infinite."""
        if self.logits is None or not bool(torch.isfinite(self.logits).all()):
            raise DivergedError("the logits are not all finite: the step's time means nothing")


class LearningStep(TrainingStep):
    """A training step that goes on from the one before, over real digits, and is judged by its accuracy after rounds.

    What `TrainingStep` repeats, this does once: weights, optimizer and rate of learning are never put back.
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

    def input_facts(self) -> dict[str, Any]:
        """The digits, and how many steps an epoch has."""
        return {
            "data": "scikit-learn digits",
            "training_images": TRAINING_IMAGES,
            "test_images": TEST_IMAGES,
            "steps_per_epoch": self.steps_per_epoch,
        }

    def run(self, images: Tensor, labels: Tensor) -> None:
        """Train on images (N, 3, H, W) and labels (N,), and tell the schedule."""
        super().run(images, labels)
        if self.schedule is not None:
            self.schedule.step()

    def restore(self) -> None:
        """Training goes on."""

    def accuracy(self) -> float:
        """Share of the test digits that the network tells right now, with its loss on them kept beside."""
        images, labels = self._placement().put(*self.digits.test)
        self.network.eval()
        with torch.no_grad(), self.tuning.autocast():
            logits = self.network(images)
            self._test_loss = float(self.criterion(logits, labels))
        self.network.train()
        return int((logits.argmax(dim=1) == labels).sum()) / len(labels)


STEPS: dict[str, type[Step]] = {DEFAULT_MODE: TrainingStep, INFER: InferenceStep, LEARN: LearningStep}


def make_step(case: Case, execution: Execution | None = None, hook: PhaseHook | None = None) -> Step:
    """The step of a case's mode; arguments as `Step` takes them."""
    return STEPS[case.mode](case, execution, hook)


def attributes(case: Case, step: Step | None = None) -> dict[str, Any]:
    """Attributes of a case's levels by factor, and those that are known once the step is made."""
    facts: dict[str, Any] = {
        factor.name: dict(REGISTRIES[factor.name][getattr(case, factor.name)].attributes)
        for factor in FACTORS
        if factor.name in REGISTRIES and factor.mode in ("", case.mode)
    }
    if step is not None:
        facts["structure"]["parameters"] = sum(weights.numel() for weights in step.network.parameters())
        facts["execution"].update(step.execution.attributes())
        facts["tuning"].update(step.tuning.found())
        facts["input"].update(step.input_facts())
    return facts
