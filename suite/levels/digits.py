"""The data set of learning cases: real digits, always split in the same way.

Imports torch: the task `classify` imports this module when a case learns. Why these digits: docs/decisions/0012.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from suite.contracts.learning_data import TEST_IMAGES, TRAINING_IMAGES

SPLIT_SEED = 0
DARKEST = 16.0
"""The largest value of a pixel."""


class Digits:
    """The digits as images (N, 3, H, W) with values from 0 to 1, and labels (N,).

    Args:
        image_size: pixels per side (H = W); the originals have 8 and are interpolated.

    Attributes:
        attributes: its name and sizes, for the record.

    Source: Alpaydin and Kaynak 1998, "Optical recognition of handwritten digits", UCI machine learning repository; the
        selection that scikit-learn ships.
    """

    def __init__(self, image_size: int) -> None:
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # slow: learning cases alone wait

        digits = load_digits()
        grey = torch.from_numpy(digits.images / DARKEST).to(torch.float32)[:, None]
        images = torch.nn.functional.interpolate(grey, size=(image_size, image_size), mode="bilinear")
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(SPLIT_SEED))
        images, labels = images[order].expand(-1, 3, -1, -1).contiguous(), torch.from_numpy(digits.target)[order]
        self.training = images[:TRAINING_IMAGES], labels[:TRAINING_IMAGES]
        self.test = images[TRAINING_IMAGES:], labels[TRAINING_IMAGES:]
        self.attributes: dict[str, Any] = {
            "data": "scikit-learn digits",
            "training_images": TRAINING_IMAGES,
            "test_images": TEST_IMAGES,
        }

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless full batches of the training digits, shuffled anew in each epoch.

        The incomplete last batch of an epoch is dropped.
        """
        images, labels = self.training
        while True:
            order = torch.randperm(len(images), generator=generator)
            for start in range(0, len(order) - batch_size + 1, batch_size):
                taken = order[start : start + batch_size]
                yield images[taken], labels[taken]
