"""Networks of torchvision, with fresh weights, one entry each.

They show whether results of small networks hold for networks that people train. Below its smallest image size a network
fails. Some would run at any size, but halve maps of a single pixel before their last stage. In a small batch, the
gradients through so many batch normalisations of so few values then grow without bounds (1e15 and more at 16 pixels and
2 images; finite at 17).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from suite.registry import STRUCTURES, StructureSpec

if TYPE_CHECKING:
    from torch import nn


def vision(num_classes: int, image_size: int, *, name: str) -> nn.Module:
    """The network that torchvision calls `name`. Images (N, 3, H, W) -> logits (N, K)."""
    from torchvision import models

    network: nn.Module = models.get_model(name, weights=None, num_classes=num_classes)
    return network


def register(name: str, paper: str, min_image_size: int, alone: int = 1, **attributes: Any) -> None:
    """Register a network of torchvision.

    Args:
        name: torchvision's name for it, and ours.
        paper: its description.
        min_image_size: pixels a side from which it trains, found by trial.
        alone: pixels a side from which it trains on one image, found by trial; below, its last maps have one pixel.
        attributes: its properties. `depth` is the number in its name or in its paper's table, if there is one.
    """
    STRUCTURES.add(
        StructureSpec(
            name,
            partial(vision, name=name),
            {"family": "torchvision", **attributes},
            min_image_size,
            reference=f"{paper}; implementation: `torchvision.models.{name}`.",
            min_image_size_alone=alone,
            needs="torchvision",
        )
    )


register(
    "alexnet",
    'Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks"',
    63,
    depth=8,
    layer="convolution",
    connection="plain",
    normalisation="none",
    head="fc",
)
register(
    "vgg11_bn",
    'Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image recognition", table 1, '
    "configuration A, with batch normalisation after each convolution",
    32,
    depth=11,
    layer="convolution",
    connection="plain",
    normalisation="batch",
    head="fc",
)
register(
    "resnet18",
    'He et al. 2016, "Deep residual learning for image recognition", table 1',
    17,
    alone=33,
    depth=18,
    width=64,
    layer="convolution",
    connection="residual",
    normalisation="batch",
    head="gap",
)
register(
    "resnet50",
    'He et al. 2016, "Deep residual learning for image recognition", table 1, with the stride in the 3x3 convolution',
    17,
    alone=33,
    depth=50,
    width=64,
    layer="bottleneck",
    connection="residual",
    normalisation="batch",
    head="gap",
)
register(
    "densenet121",
    'Huang et al. 2017, "Densely connected convolutional networks", table 1',
    29,
    alone=61,
    depth=121,
    layer="bottleneck",
    connection="dense",
    normalisation="batch",
    head="gap",
)
register(
    "mobilenet_v3_small",
    'Howard et al. 2019, "Searching for MobileNetV3", table 2',
    17,
    alone=33,
    layer="separable",
    connection="residual",
    normalisation="batch",
    head="gap",
)
register(
    "shufflenet_v2_x1_0",
    'Ma et al. 2018, "ShuffleNet V2: practical guidelines for efficient CNN architecture design", table 5',
    17,
    alone=33,
    layer="separable",
    connection="split",
    normalisation="batch",
    head="gap",
)
register(
    "squeezenet1_1",
    'Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", and version 1.1 of its '
    "authors' repository",
    17,
    depth=18,
    layer="fire",
    connection="plain",
    normalisation="none",
    head="gap",
)
register(
    "efficientnet_b0",
    'Tan and Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks", table 1',
    17,
    alone=33,
    layer="separable",
    connection="residual",
    normalisation="batch",
    head="gap",
)
register(
    "convnext_tiny",
    'Liu et al. 2022, "A ConvNet for the 2020s", section 2 and table 9',
    32,
    layer="separable",
    connection="residual",
    normalisation="layer",
    head="gap",
)
register(
    "regnet_y_400mf",
    'Radosavovic et al. 2020, "Designing network design spaces", section 4 (RegNetY-400MF)',
    17,
    alone=33,
    layer="grouped",
    connection="residual",
    normalisation="batch",
    head="gap",
)
