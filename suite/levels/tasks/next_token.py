"""Prediction of the next token of a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from suite.contracts.batches import Batch
from suite.contracts.task import Task
from suite.records import Case
from suite.registry import TASKS, TaskSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

VOCABULARY = 1024
"""Different tokens (V): the embedding and the last layer then weigh less than the encoder, as in large models."""
LENGTHS = {"next_token": 64, "next_token_l256": 256}
"""Level -> tokens of a sequence (L)."""


class NextToken(Task):
    """Uniform tokens (N, L); the targets are the same sequence, one place later.

    The network takes tokens (N, L) and gives logits (N, L, V). The loss is their cross-entropy, the mean over all
    tokens. Random tokens have nothing to learn but themselves, so the task has no quality.

    Source: Bengio et al. 2003, "A neural probabilistic language model"; PyTorch tutorials, "Language modeling with
        `nn.Transformer` and torchtext".
    """

    examples = "sequences"

    def __init__(self, case: Case) -> None:
        from torch.nn import functional

        super().__init__(case)
        attributes = TASKS[case.task].attributes
        self.vocabulary: int = attributes["vocabulary"]
        self.length: int = attributes["length"]
        self._cross_entropy = functional.cross_entropy

    def make_network(self, build: Callable[..., nn.Module]) -> nn.Module:
        """Call a builder with the vocabulary and the length."""
        return build(self.vocabulary, self.length)

    def batch(self, generator: torch.Generator) -> Batch:
        """Tokens (N, L) and the tokens after them (N, L)."""
        import torch

        tokens = torch.randint(self.vocabulary, (self.case.batch_size, self.length + 1), generator=generator)
        return tokens[:, :-1], tokens[:, 1:]

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of logits (N, L, V) and tokens (N, L)."""
        return self._cross_entropy(outputs.flatten(0, 1), targets.flatten())


for _name, _length in LENGTHS.items():
    TASKS.add(
        TaskSpec(
            _name,
            NextToken,
            {"loss": "cross_entropy", "vocabulary": VOCABULARY, "length": _length},
            like="" if _name == "next_token" else "next_token",
        )
    )
