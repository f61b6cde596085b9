"""Muon for a network's hidden layers, AdamW for the rest.

Imports torch: the optimizers' entry names it by its dotted path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


class MuonWithAdamW(torch.optim.Optimizer):
    """Muon on hidden weights as matrices; AdamW on outer layers, biases and norms.

    A convolution's weights (O, I, H, W) count as a matrix (O, I*H*W). torch's own Muon takes matrices alone, so it is
    given views that share the weights' memory.

    Args:
        params: weights in the order of the network's layers.
        lr: learning rate of Muon.
        momentum: of Muon, from 0 (none) towards 1.
        adamw_lr: learning rate of AdamW.

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks" (convolutions flattened; input
        and output layers left to AdamW); implementation of both parts: `torch.optim`.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float, adamw_lr: float) -> None:
        weights = list(params)
        super().__init__(weights, {"lr": lr})
        hidden = [tensor for tensor in weights if tensor.ndim >= 2][1:-1]
        self._hidden = [(tensor, as_matrix(tensor.detach())) for tensor in hidden]
        chosen = {id(tensor) for tensor in hidden}
        rest = [tensor for tensor in weights if id(tensor) not in chosen]
        self._parts: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=adamw_lr, foreach=False, fused=False)]
        if hidden:
            matrices = [matrix for _, matrix in self._hidden]
            self._parts.append(torch.optim.Muon(matrices, lr=lr, momentum=momentum))
        for part in self._parts:
            part.state = self.state

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update all weights from their gradients."""
        loss = closure() if closure else None
        self._follow_schedule()
        for weights, matrix in self._hidden:
            matrix.grad = None if weights.grad is None else as_matrix(weights.grad)
        for part in self._parts:
            part.step()
        return loss

    def _follow_schedule(self) -> None:
        """Scale the rates of both parts as a schedule has scaled that of the whole."""
        share = self.param_groups[0]["lr"] / self.defaults["lr"]
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = share * part.defaults["lr"]


def as_matrix(weights: Tensor) -> Tensor:
    """(O, I, H, W) or (O, I) -> a view (O, rest), in either memory format."""
    if weights.is_contiguous():
        return weights.view(len(weights), -1)
    return weights.permute(0, 2, 3, 1).view(len(weights), -1)
