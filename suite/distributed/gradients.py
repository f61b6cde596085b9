"""Whether all ranks of a process group hold the same gradients, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def first_difference(network: nn.Module, ranks: int, device: torch.device) -> tuple[str, int] | None:
    """The first parameter whose gradient another rank holds differently, and that rank; every rank has to call this.

    Gradients are compared by one sum for each parameter.

    Args:
        network: wrapped in DistributedDataParallel.
        ranks: processes in the group.
        device: where the group's collective operations take tensors.

    Returns:
        None where all agree with rank 0.
    """
    import torch
    import torch.distributed as dist

    names = [name.removeprefix("module.") for name, _ in network.named_parameters()]
    own = torch.stack([checksum(weights.grad) for weights in network.parameters()]).to(device)
    found = [torch.empty_like(own) for _ in range(ranks)]
    dist.all_gather(found, own)
    for rank in range(1, ranks):
        different = (found[rank] != found[0]).nonzero()
        if different.numel():
            return names[int(different[0])], rank
    return None


def checksum(gradient: Tensor | None) -> Tensor:
    """Sum () of the bits of a gradient, read as whole numbers of its width; 0 for none."""
    import torch

    if gradient is None:
        return torch.zeros((), dtype=torch.int64)
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[gradient.element_size()]
    return gradient.detach().view(whole).sum(dtype=torch.int64).cpu()
