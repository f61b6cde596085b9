"""nn.DataParallel: one process, a replica of the network on every device."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from suite.levels.executions.cuda import Cuda
from suite.machine.cuda import cuda_devices
from suite.records import Case
from suite.registry import EXECUTIONS, TASKS, TUNINGS, ExecutionSpec

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import torch
    from torch import nn

DEVICES = 2
"""Fewest devices. With one, torch calls the network itself, after it has scattered the batch and walked all weights and
buffers: neither the plain network nor parallel."""


class DataParallel(Cuda):
    """The batch split over all CUDA devices, with new replicas in every forward.

    Losses, gradients and the optimizer's step are on the first device. Each replica normalises its share of the batch,
    and the running statistics of the first are kept. A replica computes in the tuning's precision: torch alone would
    start its thread with the default type of autocast.

    Source: PyTorch, `torch.nn.DataParallel`, which is kept for old code: `distributed` is what torch recommends.
        PyTorch, "torch.compiler frequently asked questions", which names DistributedDataParallel as what compiles.
    """

    wraps_network = True

    @classmethod
    def refusal(cls, case: Case) -> str:
        """Fewer than two devices, fewer examples than devices, or an unfit tuning."""
        devices, tuning = cuda_devices(), TUNINGS[case.tuning].attributes
        if not devices:
            return f"{case.execution} needs {DEVICES} CUDA devices; without one, torch runs the plain network"
        if devices < DEVICES:
            return f"{case.execution} needs {DEVICES} CUDA devices to share a batch, and this machine has {devices}"
        if case.batch_size < devices:
            batch = f"{case.batch_size} {TASKS[case.task].strategy.examples}"
            return f"{case.execution} shares a batch among {devices} devices, and {batch} are fewer"
        if tuning.get("graph") or tuning.get("compiled"):
            return f"{case.tuning} needs one network, and {case.execution} makes new replicas in every forward pass"
        return ""

    def devices(self) -> list[torch.device]:
        """All CUDA devices."""
        import torch

        return [torch.device(self.device_type(), index) for index in range(torch.accelerator.device_count())]

    def place(self, network: nn.Module) -> nn.Module:
        """Wrap the network on the first device."""
        devices = self.devices()
        return in_replicas(network.to(devices[0]), devices)

    def attributes(self) -> dict[str, Any]:
        """Devices and replicas."""
        return {**super().attributes(), "devices": len(self.devices()), "replicas": "one for each device"}


def in_replicas(network: nn.Module, devices: list[torch.device]) -> nn.Module:
    """Wrap a network so that replicas on several devices share its batch."""
    import torch
    from torch import nn

    kind = devices[0].type

    class Replicas(nn.DataParallel[nn.Module]):
        """Replicas that compute in the precision of the thread that calls them."""

        def parallel_apply(self, replicas: Any, inputs: Any, kwargs: Any) -> list[Any]:
            """Outputs of the replicas, each from a thread of its device."""
            if torch.is_autocast_enabled(kind):
                precision = partial(torch.autocast, kind, torch.get_autocast_dtype(kind))
                replicas = [within(precision, replica) for replica in replicas]
            return super().parallel_apply(replicas, inputs, kwargs)

    return Replicas(network, device_ids=devices)


def within(context: Callable[[], AbstractContextManager[Any]], call: Callable[..., Any]) -> Callable[..., Any]:
    """The call in a new context each time."""

    def called(*arguments: Any, **named: Any) -> Any:
        with context():
            return call(*arguments, **named)

    return called


EXECUTIONS.add(ExecutionSpec("data_parallel", DataParallel, {"device": "cuda", "parallel": "batch"}))
