"""nn.DataParallel: one process, a replica of the network on every device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.levels.executions.cuda import Cuda
from suite.machine.cuda import cuda_devices
from suite.records import Case
from suite.registry import EXECUTIONS, TASKS, TUNINGS, ExecutionSpec

if TYPE_CHECKING:
    import torch
    from torch import nn


class DataParallel(Cuda):
    """The batch split over all CUDA devices, with new replicas in every forward.

    Losses, gradients and the optimizer's step are on the first device. Each replica normalises its share of the batch,
    and the running statistics of the first are kept. With one device it is the plain module, and its attributes say so.

    Source: PyTorch, `torch.nn.DataParallel`, which is kept for old code: `distributed` is what torch recommends.
        PyTorch, "torch.compiler frequently asked questions", which names DistributedDataParallel as what compiles.
    """

    wraps_network = True

    @classmethod
    def refusal(cls, case: Case) -> str:
        """No device, fewer examples than devices, or a tuning for one network."""
        devices, tuning = cuda_devices(), TUNINGS[case.tuning].attributes
        if not devices:
            return "DataParallel without accelerators is the plain module"
        if case.batch_size < devices:
            batch = f"{case.batch_size} {TASKS[case.task].strategy.examples}"
            return f"{case.execution} shares a batch among {devices} devices, and {batch} are fewer"
        if tuning.get("graph") or tuning.get("compiled"):
            return f"{case.tuning} wants one network, and {case.execution} makes new replicas in every forward"
        return ""

    def devices(self) -> list[torch.device]:
        """All CUDA devices."""
        import torch

        return [torch.device("cuda", index) for index in range(torch.cuda.device_count())]

    def place(self, network: nn.Module) -> nn.Module:
        """Wrap the network on the first device."""
        from torch import nn

        devices = self.devices()
        return nn.DataParallel(network.to(devices[0]), device_ids=list(devices))

    def attributes(self) -> dict[str, Any]:
        """Devices and replicas."""
        count = len(self.devices())
        replicas = "one for each device" if count > 1 else "one: the plain module"
        return {**super().attributes(), "devices": count, "replicas": replicas}


EXECUTIONS.add(ExecutionSpec("data_parallel", DataParallel, {"device": "cuda", "parallel": "batch"}))
