"""Transformers for sequences of tokens: `transformer_d<depth>w<width>h<heads>`.

They are for the task `next_token`, which gives the vocabulary and the length.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from suite.registry import STRUCTURES, StructureSpec

if TYPE_CHECKING:
    from torch import nn

DEPTHS = (1, 2, 4, 8)
"""Layers of the encoder."""
WIDTHS = (64, 128, 256, 512)
"""Features of a token between layers; each is a multiple of each number of heads."""
HEADS = (2, 4, 8)
"""Attention heads of a layer, which share its width."""
SELECTION = {"transformer_d2w64h4", "transformer_d4w128h4"}
"""Members that are listed, and so in every profile that names the task and no structures."""


def transformer(vocabulary: int, length: int, *, depth: int, width: int, heads: int) -> nn.Module:
    """A causal transformer encoder of `depth` layers, `width` features, `heads` heads.

    Tokens (N, L) -> embeddings (N, L, width) plus positions -> encoder (N, L, width) -> linear width -> V: logits
    (N, L, V).

    Source: Vaswani et al. 2017, "Attention is all you need"; implementation: `torch.nn.TransformerEncoder`
        (`suite.levels.layers.CausalTransformer` has the differences).
    """
    from suite.levels.layers import CausalTransformer

    return CausalTransformer(vocabulary, length, depth=depth, width=width, heads=heads)


for _depth, _width, _heads in product(DEPTHS, WIDTHS, HEADS):
    _name = f"transformer_d{_depth}w{_width}h{_heads}"
    _attributes = {"depth": _depth, "width": _width, "heads": _heads}
    STRUCTURES.add(
        StructureSpec(
            _name,
            partial(transformer, **_attributes),
            {
                "family": "transformer",
                **_attributes,
                "layer": "attention",
                "connection": "residual",
                "normalisation": "layer",
            },
            task="next_token",
        ),
        listed=_name in SELECTION,
    )
