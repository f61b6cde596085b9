"""Comparison of the gradients of all ranks of a process group, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def first_difference(network: nn.Module, ranks: int, device: torch.device) -> tuple[str, int] | None:
    """Find the first parameter whose gradient differs on another rank, and that rank.

    Every rank has to call this. Gradients are compared by one sum for each parameter.

    Args:
        network: wrapped in DistributedDataParallel.
        ranks: processes in the group.
        device: where the group's collective operations take tensors.

    Returns:
        None if all agree with rank 0.
    """
    import torch
    import torch.distributed as dist

    names = [name.removeprefix("module.") for name, _ in network.named_parameters()]
    own = torch.stack([checksum(weights.grad) for weights in network.parameters()]).to(device)
    checksums = [torch.empty_like(own) for _ in range(ranks)]
    dist.all_gather(checksums, own)
    for rank in range(1, ranks):
        different = (checksums[rank] != checksums[0]).nonzero()
        if different.numel():
            return names[int(different[0])], rank
    return None


def checksum(gradient: Tensor | None) -> Tensor:
    """Sum () of a gradient's bits, read as integers of its width; 0 for None."""
    import torch

    if gradient is None:
        return torch.zeros((), dtype=torch.int64)
    integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[gradient.element_size()]
    return gradient.detach().view(integers).sum(dtype=torch.int64).cpu()
