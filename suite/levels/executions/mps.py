"""One Metal device of a Mac."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.contracts.clock import Clock, WaitingClock
from suite.contracts.execution import Execution
from suite.machine.accelerators import why_not_mps
from suite.records import Case
from suite.registry import EXECUTIONS, ExecutionSpec

if TYPE_CHECKING:
    import torch


class Mps(Execution):
    """Plain PyTorch on the Metal device, of which there is one.

    It works behind the host. The clock waits for it at both ends of a round, not at each step. It shares the host's
    memory. It has not run yet.

    Source: PyTorch, "MPS backend"; `torch.accelerator`.
    """

    @classmethod
    def device_type(cls) -> str:
        """`mps`."""
        return "mps"

    @classmethod
    def refusal(cls, case: Case) -> str:
        """No Metal device."""
        why = why_not_mps()
        return f"{case.execution} needs a Metal device, and {why}" if why else ""

    def device(self) -> torch.device:
        """The device."""
        import torch

        return torch.device(self.device_type(), 0)

    def clock(self) -> Clock:
        """Wall time of the host after the device is done."""
        return WaitingClock(self.wait)

    def attributes(self) -> dict[str, Any]:
        """The memory that Metal recommends at most, in bytes."""
        import torch

        return {"recommended_bytes": torch.mps.recommended_max_memory()}


EXECUTIONS.add(ExecutionSpec("mps", Mps, {"device": "mps", "devices": 1}))
