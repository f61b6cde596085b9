"""The host's cores: the working default that other executions override where they differ."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from suite.contracts.clock import Clock, HostClock
from suite.records import Case
from suite.registry import EXECUTIONS, ExecutionSpec

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import torch
    from torch import nn

    from suite.distributed.ranks import Actions
    from suite.machine.torchrun import Summons


class Peer(Protocol):
    """The same step in another process that shares its batches; see `suite.levels.executions.distributed`.

    A context: on leaving, what it has set up is put back.
    """

    def __enter__(self) -> Peer:
        """The step itself."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Put back."""

    def __call__(self) -> None:
        """Train one step."""

    def rewind(self) -> None:
        """Return to the state of the first rounds."""

    def check(self) -> None:
        """Raise where the step does not train."""


class Cpu:
    """Plain PyTorch on the host's cores. Every other execution derives from this and overrides what differs.

    Source: the behaviour of PyTorch without any device call.
    """

    rank = 0
    ranks = 1
    ranks_here = 1

    @staticmethod
    def device_type() -> str:
        """`cpu` or `cuda`: what tunings, inputs and optimizers ask about. Called without torch."""
        return "cpu"

    @classmethod
    def wanted_ranks(cls) -> int:
        """Processes that share a batch on this machine. Called without torch."""
        return 1

    @staticmethod
    def refusal(case: Case) -> str:  # noqa: ARG004 - executions that refuse look at the case
        """Why this machine cannot run `case`, as one sentence; empty where it can. Called without torch."""
        return ""

    def begin(self, case: Case, make_peer: Callable[[Cpu], Peer]) -> None:
        """Set up what the network needs before it is made; `end` undoes it.

        Args:
            case: what will be run.
            make_peer: makes the same step for another process of this execution.
        """

    def end(self, error: BaseException | None = None) -> None:
        """End what `begin` has set up; harmless when it was not called.

        Args:
            error: what the step ended with. An execution that knows what it came from raises that instead.
        """

    def follow(self, summons: Summons, make_peer: Callable[[Cpu], Peer]) -> AbstractContextManager[Actions]:
        """In a process of torchrun's other than rank 0: the step of a visit, and what it does at each command.

        Args:
            summons: what rank 0's worker announced.
            make_peer: makes that visit's step.

        Raises:
            NotImplementedError: this execution runs in one process, and summons none.
        """
        raise NotImplementedError(f"no rank is summoned for {summons.case.id}")

    def device(self) -> torch.device:
        """Where parameters and batches live."""
        import torch

        return torch.device(self.device_type())

    def place(self, network: nn.Module) -> nn.Module:
        """The network as this execution runs it: moved, wrapped or split."""
        return network.to(self.device())

    def announce(self, what: str) -> None:
        """Tell the other processes of this execution what this one does now: `step`, `rewind` or `check`."""

    def clock(self) -> Clock:
        """The clock that sees the end of this execution's work."""
        return HostClock()

    def attributes(self) -> dict[str, Any]:
        """What is known only once the step is made, such as how many devices took part."""
        return {}


EXECUTIONS.add(ExecutionSpec("cpu", Cpu, {"device": "cpu", "devices": 1}))
