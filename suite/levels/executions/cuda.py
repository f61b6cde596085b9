"""One CUDA device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.contracts.clock import Clock, WaitingClock
from suite.contracts.execution import Execution
from suite.machine.cuda import cuda_devices
from suite.records import Case
from suite.registry import EXECUTIONS, ExecutionSpec

if TYPE_CHECKING:
    import torch


class Cuda(Execution):
    """Plain PyTorch on the first CUDA device; executions on several derive from it.

    The device works behind the host. The clock waits for it at both ends of a round, not at each step.

    Source: PyTorch, "CUDA semantics", section "Asynchronous execution".
    """

    @classmethod
    def device_type(cls) -> str:
        """`cuda`."""
        return "cuda"

    @classmethod
    def refusal(cls, case: Case) -> str:
        """No CUDA device."""
        return "" if cuda_devices() else f"{case.execution} needs a CUDA device, and this machine has none"

    def devices(self) -> list[torch.device]:
        """The first CUDA device."""
        import torch

        return [torch.device(self.device_type(), 0)]

    def device(self) -> torch.device:
        """The first device."""
        return self.devices()[0]

    def clock(self) -> Clock:
        """Wall time of the host after every device is done."""
        return WaitingClock(self.wait)

    def attributes(self) -> dict[str, Any]:
        """Name and compute capability of the first device."""
        import torch

        major, minor = torch.cuda.get_device_capability(self.device())
        return {"name": torch.cuda.get_device_name(self.device()), "capability": f"{major}.{minor}"}


EXECUTIONS.add(ExecutionSpec("cuda", Cuda, {"device": "cuda", "devices": 1}))
