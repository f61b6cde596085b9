"""Layers and blocks of structures, which import this module when they build.

Imports torch. A layer of a CNN replaces a 3x3 convolution: (N, C_in, H, W) -> (N, C_out, H, W). It is a list of modules
that ends before the activation, so that a shortcut can be added in between.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

GROUPS = 4
"""Groups of a grouped convolution; divides every width of the project's families."""
NARROWING = 4
"""Channels outside a bottleneck for one inside it, as in He et al. 2016, figure 5."""
GROUP_CHANNELS = 4
"""Channels that group normalisation takes together; divides every width of the families, inside bottlenecks too."""
EXPANSION = 4
"""Width between the two linear layers of a transformer layer, in widths, as in Vaswani et al. 2017, table 3."""
LONGEST_WAVE = 10000.0
"""Longest wavelength of positions, divided by 2 pi."""

Layer = Callable[[int, int, str], list[nn.Module]]
"""`(channels in, channels out, normalisation) -> modules`."""


def convolution(inputs: int, outputs: int, normalisation: str, *, kernel: int = 3, groups: int = 1) -> list[nn.Module]:
    """A convolution and its normalisation, with a bias only if there is none.

    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition", section II A.
    """
    bias = normalisation == "none"
    layer = nn.Conv2d(inputs, outputs, kernel_size=kernel, padding=kernel // 2, groups=groups, bias=bias)
    return [layer, *NORMALISATIONS[normalisation](outputs)]


def separable(inputs: int, outputs: int, normalisation: str) -> list[nn.Module]:
    """3x3 of each channel, then 1x1 across the channels, and one normalisation.

    Source: Chollet 2017, "Xception: deep learning with depthwise separable convolutions", sections 1.2 and 4.7 (no
        activation between the two); implementation: `SeparableConv2D` of Keras, which has no bias between them either.
    """
    depthwise = nn.Conv2d(inputs, inputs, kernel_size=3, padding=1, groups=inputs, bias=False)
    return [depthwise, *convolution(inputs, outputs, normalisation, kernel=1)]


def grouped(inputs: int, outputs: int, normalisation: str) -> list[nn.Module]:
    """3x3 in `GROUPS` groups, each on its channels only, and a normalisation.

    Source: Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks", section 3.5.
        Nothing mixes the groups between two such layers, where Xie et al. 2017, "Aggregated residual transformations
        for deep neural networks", have 1x1 convolutions before and after.
    """
    return convolution(inputs, outputs, normalisation, groups=GROUPS)


def bottleneck(inputs: int, outputs: int, normalisation: str) -> list[nn.Module]:
    """1x1 to a quarter of the channels, 3x3 on these, 1x1 to all.

    Each is normalised. ReLU follows the first and the second.

    Source: He et al. 2016, "Deep residual learning for image recognition", figure 5, right.
    """
    narrow = outputs // NARROWING
    return [
        *convolution(inputs, narrow, normalisation, kernel=1),
        nn.ReLU(),
        *convolution(narrow, narrow, normalisation),
        nn.ReLU(),
        *convolution(narrow, outputs, normalisation, kernel=1),
    ]


def batch_norm(width: int) -> list[nn.Module]:
    """Each channel over the batch and its pixels.

    Source: Ioffe and Szegedy 2015, "Batch normalization", algorithm 1.
    """
    return [nn.BatchNorm2d(width)]


def group_norm(width: int) -> list[nn.Module]:
    """Each image's channels in groups of four, over their pixels.

    Source: Wu and He 2018, "Group normalization", section 3 and table 3; its best, 16 channels a group, are more than
        a bottleneck has here; 4 lose less than a percent of accuracy against them.
    """
    return [nn.GroupNorm(width // GROUP_CHANNELS, width)]


LAYERS: dict[str, Layer] = {
    "convolution": convolution,
    "separable": separable,
    "grouped": grouped,
    "bottleneck": bottleneck,
}
"""Ways of making a layer, each with one 3x3 convolution in it."""

NORMALISATIONS: dict[str, Callable[[int], list[nn.Module]]] = {
    "none": lambda _width: [],
    "batch": batch_norm,
    "group": group_norm,
}
"""Ways of normalising the output of a convolution, by its channels. (N, C, H, W) -> (N, C, H, W)."""


class LayerPair(nn.Module):
    """Two normalised layers of equal width, with or without a shortcut around them.

    (N, C, H, W) -> (N, C, H, W).

    Source: He et al. 2016, "Deep residual learning for image recognition", figure 2 and section 3.4 (normalisation
        after each convolution and before the activation; the second ReLU after the addition). Ours spans two layers
        whatever they are made of, where theirs spans one bottleneck.
    """

    def __init__(self, width: int, *, layer: str, normalisation: str, shortcut: bool) -> None:
        super().__init__()
        make = LAYERS[layer]
        self.body = nn.Sequential(*make(width, width, normalisation), nn.ReLU(), *make(width, width, normalisation))
        self.activation = nn.ReLU()
        self.shortcut = shortcut

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        features: Tensor = self.body(images)
        if self.shortcut:
            features = features + images
        activated: Tensor = self.activation(features)
        return activated


class DensePairs(nn.Module):
    """Pairs of layers, each on the first input and the outputs of all pairs before.

    These are concatenated, (N, k*C, H, W) before pair k (counted from 1), and reduced to (N, C, H, W) by a 1x1
    convolution with normalisation and ReLU; the first pair needs none. The outputs of all pairs are reduced in the same
    way. (N, C, H, W) -> (N, C, H, W).

    Source: Huang et al. 2017, "Densely connected convolutional networks", equation 2 and section 3 (the 1x1
        convolution before a layer, and the transition after a dense block). Ours grows by the full width, connects
        pairs where theirs connects layers, and normalises after convolutions, as the other connections here do.
    """

    def __init__(self, pairs: int, width: int, *, layer: str, normalisation: str) -> None:
        super().__init__()
        self.pairs = nn.ModuleList(
            LayerPair(width, layer=layer, normalisation=normalisation, shortcut=False) for _ in range(pairs)
        )
        self.transitions = nn.ModuleList(
            nn.Sequential(*convolution(count * width, width, normalisation, kernel=1), nn.ReLU())
            for count in range(2, pairs + 2)
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        outputs = [images]
        features = images
        for pair, transition in zip(self.pairs, self.transitions, strict=True):
            outputs.append(pair(features))
            features = transition(torch.cat(outputs, dim=1))
        return features


def blocks(count: int, *, width: int, connection: str, layer: str, normalisation: str) -> list[nn.Module]:
    """`count` pairs of layers with `plain`, `residual` or `dense` connections.

    (N, C, H, W) -> (N, C, H, W).

    Raises:
        ValueError: another connection.
    """
    if connection not in ("plain", "residual", "dense"):
        raise ValueError(f"connection is {connection!r}; allowed: plain, residual, dense.")
    if connection == "dense":
        return [DensePairs(count, width, layer=layer, normalisation=normalisation)] if count else []
    shortcut = connection == "residual"
    return [LayerPair(width, layer=layer, normalisation=normalisation, shortcut=shortcut) for _ in range(count)]


def linears(sizes: list[int]) -> list[nn.Module]:
    """Linear layers from each size to the next, with ReLU between them.

    (N, sizes[0]) -> (N, sizes[-1]).

    Source: Rumelhart et al. 1986, "Learning representations by back-propagating errors", with the rectifier of Nair
        and Hinton 2010 for its sigmoid.
    """
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        modules += [nn.Linear(inputs, outputs), nn.ReLU()]
    return modules[:-1]


class CausalTransformer(nn.Module):
    """Embeddings of tokens, their positions, a causal encoder, and one linear layer.

    Tokens (N, L) -> logits (N, L, V); no logit depends on a later token. Each layer normalises before attention and
    before its two linear layers, of width and four times the width.

    Source: Vaswani et al. 2017, "Attention is all you need", sections 3.2 and 3.5 (attention, sinusoids for positions);
        Radford et al. 2019, "Language models are unsupervised multitask learners", section 2.3 (normalisation first,
        another at the end); its code for GELU by the hyperbolic tangent. Implementation: `nn.TransformerEncoder`, whose
        layers start with the same weights. Ours has no dropout.
    """

    positions: Tensor
    mask: Tensor

    def __init__(self, vocabulary: int, length: int, *, depth: int, width: int, heads: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        layer = nn.TransformerEncoderLayer(
            width,
            heads,
            EXPANSION * width,
            dropout=0.0,
            activation=partial(nn.functional.gelu, approximate="tanh"),
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, vocabulary)
        self.register_buffer("positions", sinusoids(length, width), persistent=False)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, L) -> logits (N, L, V)."""
        features = self.tokens(tokens) + self.positions
        # By place: model parallelism moves no named argument. True: the mask is causal, so that no layer reads it.
        encoded = self.encoder(features, self.mask, None, True)
        logits: Tensor = self.head(encoded)
        return logits


def sinusoids(length: int, width: int) -> Tensor:
    """Sines and cosines of positions, (length, width), with wavelengths up to 62,832.

    Source: Vaswani et al. 2017, "Attention is all you need", section 3.5.
    """
    positions = torch.arange(length, dtype=torch.float32)[:, None]
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(LONGEST_WAVE) / width))
    values = torch.zeros(length, width)
    values[:, 0::2] = torch.sin(positions * rates)
    values[:, 1::2] = torch.cos(positions * rates)
    return values
