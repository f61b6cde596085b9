"""Execution: where a step runs, and which processes take part in it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from suite.contracts.clock import Clock, HostClock
from suite.records import Case

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import torch
    from torch import nn

    from suite.distributed.ranks import Actions
    from suite.distributed.rendezvous import Invitation


class RankStep(Protocol):
    """The step of another rank, in a process that shares the batches.

    A context. On leaving, it undoes what it has set up.
    """

    def __enter__(self) -> RankStep:
        """Return the step itself."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Undo what was set up."""

    def __call__(self) -> None:
        """Train one step."""

    def rewind(self) -> None:
        """Return to the state of the first rounds."""

    def check(self) -> None:
        """Raise where the step does not train."""


class Execution:
    """Plain PyTorch in one process on the host's cores: the working default.

    An execution derives from this class and overrides what differs. Making one imports no torch and opens no device.

    Attributes:
        rank: this process among those that share a batch, from 0.
        ranks: processes that share a batch.
        ranks_here: those of them on this node.
        wraps_network: whether `place` wraps the network, so that only a call of the whole network runs as it should.
    """

    rank = 0
    ranks = 1
    ranks_here = 1
    wraps_network = False

    @classmethod
    def device_type(cls) -> str:
        """The kind of device that computes, `cpu` or `cuda`. Imports no torch."""
        return "cpu"

    @classmethod
    def wanted_ranks(cls) -> int:
        """Number of processes that share a batch on this machine. Imports no torch."""
        return 1

    @classmethod
    def refusal(cls, case: Case) -> str:  # noqa: ARG003 - executions that refuse read the case
        """Reason why this machine cannot run `case`; empty if it can. Imports no torch."""
        return ""

    def begin(self, case: Case, make_step: Callable[[Execution], RankStep]) -> None:
        """Set up what the network needs before it is made; `end` undoes it.

        Args:
            case: the case to run.
            make_step: makes the same step for another rank of this execution.
        """

    def end(self, error: BaseException | None = None) -> None:
        """Undo `begin`; harmless if `begin` was not called.

        Args:
            error: the error with which the step ended. An execution that knows the cause raises that instead.
        """

    def follow(
        self, invitation: Invitation, make_step: Callable[[Execution], RankStep]
    ) -> AbstractContextManager[Actions]:
        """Make the step of a visit on a rank of torchrun other than 0.

        Args:
            invitation: the visit that rank 0's worker announced.
            make_step: makes that visit's step.

        Returns:
            A context with the action for each command of rank 0.

        Raises:
            NotImplementedError: this execution runs in one process and invites no rank.
        """
        raise NotImplementedError(f"no rank is invited to {invitation.case.id}")

    def device(self) -> torch.device:
        """The device of parameters and batches."""
        import torch

        return torch.device(self.device_type())

    def devices(self) -> list[torch.device]:
        """All devices on which this process works; batches go to the first."""
        return [self.device()]

    def wait(self) -> None:
        """Return when the work given to this process's devices is done.

        It does not wait for other ranks.
        """
        if self.device_type() == "cpu":
            return
        import torch

        for device in self.devices():
            torch.accelerator.synchronize(device)

    def place(self, network: nn.Module) -> nn.Module:
        """Move, wrap or split the network so that this execution can run it."""
        return network.to(self.device())

    def announce(self, what: str) -> None:
        """Send the other ranks the command `step`, `rewind` or `check`."""

    def clock(self) -> Clock:
        """The clock that waits for the end of this execution's work."""
        return HostClock()

    def attributes(self) -> dict[str, Any]:
        """Attributes known only after the step is made, such as the number of devices."""
        return {}
