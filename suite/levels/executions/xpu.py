"""One Intel GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.contracts.clock import Clock, WaitingClock
from suite.contracts.execution import Execution
from suite.machine.accelerators import why_not_xpu
from suite.records import Case
from suite.registry import EXECUTIONS, ExecutionSpec

if TYPE_CHECKING:
    import torch


class Xpu(Execution):
    """Plain PyTorch on the first Intel GPU.

    It works behind the host. The clock waits for it at both ends of a round, not at each step. It has not run yet.

    Source: PyTorch, "Getting started on Intel GPU"; `torch.accelerator`.
    """

    @classmethod
    def device_type(cls) -> str:
        """`xpu`."""
        return "xpu"

    @classmethod
    def refusal(cls, case: Case) -> str:
        """No Intel GPU, or a torch without XPU."""
        why = why_not_xpu()
        return f"{case.execution} needs an Intel GPU, and {why}" if why else ""

    def device(self) -> torch.device:
        """The first device."""
        import torch

        return torch.device(self.device_type(), 0)

    def clock(self) -> Clock:
        """Wall time of the host after the device is done."""
        return WaitingClock(self.wait)

    def attributes(self) -> dict[str, Any]:
        """The device's name."""
        import torch

        return {"name": torch.xpu.get_device_name(self.device())}


EXECUTIONS.add(ExecutionSpec("xpu", Xpu, {"device": "xpu", "devices": 1}))
