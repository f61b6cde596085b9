"""Random crop, flip and colour jitter while loading, of each image or of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.levels.inputs.loader import Loader, Transform, attributes_of, normalisation
from suite.registry import INPUTS, InputSpec

if TYPE_CHECKING:
    from torch import Tensor

PADDING = 4
"""Pixels of black around an image before it is cropped to its size again, as on CIFAR."""
JITTER = 0.4
"""Brightness, contrast and saturation are each multiplied by a random factor from 1 - JITTER to 1 + JITTER."""


class Augment(Loader):
    """Random crop after padding by 4 pixels, flip and colour jitter of each image.

    They run when the image is fetched, with different draws for each image. The transforms work on uint8 (3, H, W),
    before conversion and normalisation.

    Inside a step, and its wait for data: as with the plain loader, the transforms of all images of the batch counted
    to fetching it. Outside: as with the plain loader.

    Source: He et al., "Deep residual learning for image recognition", CVPR 2016, section 4.2 (crop and flip); colour
        jitter of fb.resnet.torch (Gross and Wilber, 2016), without its lighting noise; `torchvision.transforms.v2`.
    """

    @staticmethod
    def of_image(image_size: int) -> Transform:
        """Augment, convert and normalise an image, uint8 (3, H, W)."""
        return augmentation(image_size)


class AugmentBatch(Loader):
    """The same crop, flip and jitter on a whole batch, on the device that trains.

    Images are collated and copied as uint8; then the batch (N, 3, H, W) is augmented, converted and normalised. With a
    batch, the transforms use one draw for all its images: less varied than `Augment`, in a few operations instead of N
    times as many.

    Inside a step, and its wait for data: fetching, collation, the copy, and all transforms; on a CUDA device only
    their launch, since the step itself waits for them there. Outside: making the images.

    Source: torchvision, "Getting started with transforms v2" (a leading batch dimension, the same parameters for all);
        the transforms themselves as in `Augment`.
    """

    @staticmethod
    def of_image(image_size: int) -> Transform:  # noqa: ARG004 - nothing is done to one image
        """The image as in memory."""
        return unchanged

    @staticmethod
    def of_batch(image_size: int) -> Transform:
        """Augment, convert and normalise a batch, uint8 (n, 3, H, W)."""
        return augmentation(image_size)


def augmentation(image_size: int) -> Transform:
    """Images uint8 (..., 3, H, W) -> float32, augmented and normalised by one draw."""
    from torchvision.transforms import v2

    transform: Transform = v2.Compose(
        [
            v2.RandomCrop(image_size, padding=PADDING),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(brightness=JITTER, contrast=JITTER, saturation=JITTER),
            normalisation(),
        ]
    )
    return transform


def unchanged(image: Tensor) -> Tensor:
    """The same image."""
    return image


INPUTS.add(InputSpec("augment_w0", Augment, attributes_of(workers=0, augmentation="image")))
INPUTS.add(InputSpec("augment_w2", Augment, attributes_of(workers=2, augmentation="image")))
INPUTS.add(InputSpec("augment_batch", AugmentBatch, attributes_of(workers=0, augmentation="batch")))
