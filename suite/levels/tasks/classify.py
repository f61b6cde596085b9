"""Classification of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from suite.contracts.batches import Batch
from suite.contracts.learning_data import TRAINING_IMAGES
from suite.contracts.task import LearningSet, Task
from suite.provenance.installation import is_installed
from suite.records import LEARN, NUM_CLASSES, Case
from suite.registry import TASKS, TaskSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Classify(Task):
    """Normally distributed images (N, 3, H, W), uniform labels (N,), cross-entropy.

    The network takes images as they are and gives logits (N, K). The quality is the accuracy on real digits.

    Source: PyTorch, `torch.nn.CrossEntropyLoss`; the synthetic mode of TorchBench.
    """

    examples = "images"
    has_images = True
    training_examples = TRAINING_IMAGES
    training_noun = "digits"

    def __init__(self, case: Case) -> None:
        from torch import nn

        super().__init__(case)
        self._criterion = nn.CrossEntropyLoss()

    @classmethod
    def refusal(cls, case: Case) -> str:
        """A learning case without the library that ships the digits."""
        if case.mode == LEARN and not is_installed("sklearn"):
            return f"mode {LEARN} needs scikit-learn, which is not installed; pip install 'stepmark[learning]'"
        return ""

    def make_network(self, build: Callable[..., nn.Module]) -> nn.Module:
        """Call a builder with the number of classes and the image size."""
        return build(NUM_CLASSES, self.case.image_size)

    def batch(self, generator: torch.Generator) -> Batch:
        """Images (N, 3, H, W) and labels (N,)."""
        import torch

        shape = (self.case.batch_size, 3, self.case.image_size, self.case.image_size)
        return (
            torch.randn(shape, generator=generator),
            torch.randint(NUM_CLASSES, shape[:1], generator=generator),
        )

    def forward(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> logits (N, K)."""
        logits: Tensor = network(inputs)
        return logits

    def caller(self, network: nn.Module) -> Callable[[Any], Any]:
        """The network itself, a call fewer in each step, unless `forward` is overridden."""
        return network if type(self).forward is Classify.forward else super().caller(network)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of logits (N, K) and labels (N,)."""
        loss: Tensor = self._criterion(outputs, targets)
        return loss

    def criterion(self) -> Callable[[Any, Any], Tensor]:
        """The module itself, a call fewer in each step, unless `loss` is overridden."""
        return self._criterion if type(self).loss is Classify.loss else super().criterion()

    def learning_set(self) -> LearningSet:
        """The digits of scikit-learn."""
        from suite.levels.digits import Digits

        return Digits(self.case.image_size)

    def quality(self, outputs: Tensor, targets: Tensor) -> float:
        """Share of labels (N,) that logits (N, K) get right."""
        return int((outputs.argmax(dim=1) == targets).sum()) / len(targets)


TASKS.add(TaskSpec("classify", Classify, {"loss": "cross_entropy"}))
