"""The host's cores: the working default that other executions override where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.clock import Clock, HostClock
from suite.records import Case
from suite.registry import EXECUTIONS, ExecutionSpec

if TYPE_CHECKING:
    import torch
    from torch import nn


class Cpu:
    """Plain PyTorch on the host's cores. Every other execution derives from this and overrides what differs.

    Source: the behaviour of PyTorch without any device call.
    """

    @staticmethod
    def refusal(case: Case) -> str:  # noqa: ARG004 - executions that refuse look at the case
        """Why this machine cannot run `case`, as one sentence; empty where it can. Called without torch."""
        return ""

    def device(self) -> torch.device:
        """Where parameters and batches live."""
        import torch

        return torch.device("cpu")

    def place(self, network: nn.Module) -> nn.Module:
        """The network as this execution runs it: moved, wrapped or split."""
        return network.to(self.device())

    def clock(self) -> Clock:
        """The clock that sees the end of this execution's work."""
        return HostClock()


EXECUTIONS.add(ExecutionSpec("cpu", Cpu, {"device": "cpu", "devices": 1}))
