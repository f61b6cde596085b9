"""The two sides as a block uses them: where their workers come from, and what a worker answers.

`suite.runner.launcher.Launcher` and `suite.runner.worker_handle.WorkerHandle` are these for real; fakes of tests are
held to the same signatures.
"""

from __future__ import annotations

import random
from types import TracebackType
from typing import Protocol, Self

from suite.gate.record.values import Kind
from suite.records import Case, Plan, Rounds, Series
from suite.runner.worker_handle import BarrierEnd


class SideWorker(Protocol):
    """A worker of one side that has been asked to make the step of a case."""

    def wait_ready(self) -> None:
        """Wait until it has made its step."""
        ...

    def ask(self, *, seconds: float, steps_per_round: int, min_rounds: int, together: BarrierEnd | None = None) -> None:
        """Ask for rounds, which `rounds` waits for."""
        ...

    def rounds(self) -> Rounds:
        """The rounds that were asked for."""
        ...

    def measure(self, *, seconds: float, steps_per_round: int, min_rounds: int) -> Rounds:
        """Rounds, measured now."""
        ...

    def instrument_series(self) -> tuple[Series, ...]:
        """The series of the instrument that it was started for."""
        ...

    def end(self) -> object:
        """End its process."""
        ...


class SideLauncher(Protocol):
    """The source of one side's workers in one block; a context that ends them."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def launch(self) -> None:
        """Start its zygote, without waiting."""
        ...

    def start(self) -> None:
        """Wait until its zygote is ready."""
        ...

    def refuse_strays(self) -> None:
        """Raise if it has loaded code of another checkout."""
        ...

    def start_worker(self, case: Case) -> SideWorker:
        """Fork a worker that makes the step of `case`."""
        ...

    def start_instrument(self, case: Case, name: str) -> SideWorker:
        """Fork a worker that runs an instrument."""
        ...


class BothSides(Protocol):
    """Everything that the blocks of a gate have in common; `suite.gate.measuring.block.GateSetup` for real."""

    @property
    def plan(self) -> Plan:
        """How workers run."""
        ...

    def launchers(self, kind: Kind, chance: random.Random) -> tuple[SideLauncher, SideLauncher]:
        """The sources of both sides' workers in one block; not started."""
        ...
