"""Networks of torchvision, with fresh weights: what a result here means for the networks that people train."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.registry import STRUCTURES

if TYPE_CHECKING:
    from torch import nn


@STRUCTURES.register(
    "resnet18",
    family="torchvision",
    depth=18,
    width=64,
    layer="convolution",
    connection="residual",
)
def resnet18(num_classes: int, image_size: int) -> nn.Module:
    """ResNet-18. Images (N, 3, H, W) -> logits (N, K); any size, since it ends in global average pooling.

    Source: He et al. 2016, "Deep residual learning for image recognition", table 1; implementation:
        `torchvision.models.resnet18`.
    """
    from torchvision import models

    network: nn.Module = models.resnet18(weights=None, num_classes=num_classes)
    return network


@STRUCTURES.register(
    "mobilenet_v3_small",
    family="torchvision",
    layer="separable",
    connection="residual",
)
def mobilenet_v3_small(num_classes: int, image_size: int) -> nn.Module:
    """MobileNetV3-Small, of depthwise separable convolutions. Images (N, 3, H, W) -> logits (N, K).

    Source: Howard et al. 2019, "Searching for MobileNetV3", table 2; implementation:
        `torchvision.models.mobilenet_v3_small`.
    """
    from torchvision import models

    network: nn.Module = models.mobilenet_v3_small(weights=None, num_classes=num_classes)
    return network
