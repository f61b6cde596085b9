"""What learning cases learn from, and who can: real digits, split once and for all. Imports torch late.

Why these digits: docs/decisions/0012.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from suite.records import DEFAULT_INPUT, LEARN, Case
from suite.registry import EXECUTIONS, OPTIMIZERS, TUNINGS

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TRAINING_IMAGES = 1437
"""Digits that are trained on, four fifths of them all."""
TEST_IMAGES = 360
"""Digits that accuracy is told by."""
SPLIT_SEED = 0
DARKEST = 16.0
"""The largest value of a pixel."""


def refusal(case: Case) -> str:
    """Why `case` cannot learn, or needs to; empty where neither is so."""
    full_batch = OPTIMIZERS[case.optimizer].full_batch
    if case.mode != LEARN:
        needs = f"{case.optimizer} takes the whole training set at each step, which only cases of mode {LEARN} have"
        return needs if full_batch else ""
    if not has_digits():
        return "the digits to learn from come with scikit-learn, which is not installed"
    if case.batch_size > TRAINING_IMAGES:
        return f"there are {TRAINING_IMAGES} digits to learn from, fewer than a batch of {case.batch_size}"
    if full_batch and case.batch_size < TRAINING_IMAGES:
        return f"{case.optimizer} takes all {TRAINING_IMAGES} digits at each step, not {case.batch_size}"
    if case.input != DEFAULT_INPUT:
        return f"a learning case brings its own images and does without {case.input}"
    return refusal_of_levels(case)


@cache
def has_digits() -> bool:
    """Whether the package is there that the digits come with."""
    return find_spec("sklearn") is not None


def refusal_of_levels(case: Case) -> str:
    """Why the case's execution or tuning cannot train from the first step on, in one process."""
    tuning = TUNINGS[case.tuning].attributes
    if tuning.get("compiled") or tuning.get("graph"):
        return f"{case.tuning} takes steps before the first one that would count"
    if EXECUTIONS[case.execution].strategy.wanted_ranks() > 1:
        return f"{case.execution} shares a batch among ranks, and learning cases are tested in one process"
    return ""


class Digits:
    """The digits as a network takes them: images (N, 3, H, W) with values from 0 to 1, labels (N,).

    Args:
        image_size: pixels per side (H = W); the originals have 8 and are interpolated.

    Source: Alpaydin and Kaynak 1998, "Optical recognition of handwritten digits", UCI machine learning repository; the
        part of it that scikit-learn ships.
    """

    def __init__(self, image_size: int) -> None:
        import torch
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]

        found = load_digits()
        grey = torch.from_numpy(found.images / DARKEST).to(torch.float32)[:, None]
        images = torch.nn.functional.interpolate(grey, size=(image_size, image_size), mode="bilinear")
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(SPLIT_SEED))
        images, labels = images[order].expand(-1, 3, -1, -1).contiguous(), torch.from_numpy(found.target)[order]
        self.training = images[:TRAINING_IMAGES], labels[:TRAINING_IMAGES]
        self.test = images[TRAINING_IMAGES:], labels[TRAINING_IMAGES:]

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless whole batches of the training digits, in a new order each epoch; what is left over is left out."""
        import torch

        images, labels = self.training
        while True:
            order = torch.randperm(len(images), generator=generator)
            for start in range(0, len(order) - batch_size + 1, batch_size):
                taken = order[start : start + batch_size]
                yield images[taken], labels[taken]
