"""Protocols of the two sides as a block uses them: launchers and workers.

`suite.runner.launcher.Launcher` and `suite.runner.worker_handle.WorkerHandle` implement them; so do fakes in tests.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from suite.gate.record.values import Kind
from suite.records import Case, Rounds, Series, WorkerSettings
from suite.runner.worker_handle import BarrierEnd


class SideWorker(Protocol):
    """A worker of one side that has been asked to make the step of a case."""

    def wait_ready(self) -> None:
        """Wait until the worker has made its step."""
        ...

    def ask(self, *, seconds: float, steps_per_round: int, min_rounds: int, barrier: BarrierEnd | None = None) -> None:
        """Ask for rounds; `rounds` waits for them."""
        ...

    def rounds(self) -> Rounds:
        """Wait for the rounds of the last `ask`."""
        ...

    def measure(self, *, seconds: float, steps_per_round: int, min_rounds: int) -> Rounds:
        """Ask for rounds, and wait for them."""
        ...

    def instrument_series(self) -> tuple[Series, ...]:
        """The series of the worker's instrument."""
        ...

    def end(self) -> object:
        """End its process."""
        ...


class SideLauncher(Protocol):
    """Starts one side's workers in one block; a context that ends them."""

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
        """Raise if the side has loaded code of another checkout."""
        ...

    def loaded_files(self) -> list[tuple[Path, str]]:
        """Files of modules in the side's checkout, with their hashes when loaded."""
        ...

    def start_worker(self, case: Case) -> SideWorker:
        """Fork a worker that makes the step of `case`."""
        ...

    def start_instrument(self, case: Case, name: str) -> SideWorker:
        """Fork a worker that runs an instrument."""
        ...


class BothSides(Protocol):
    """The setting of all blocks; `GateSetup` of `block.py` implements it."""

    @property
    def workers(self) -> WorkerSettings:
        """The settings of both sides' workers."""
        ...

    def launchers(self, kind: Kind, chance: random.Random) -> tuple[SideLauncher, SideLauncher]:
        """Make the launchers of both sides for one block; they are not started."""
        ...

    def refuse_changed(self, launchers: Sequence[SideLauncher], kind: Kind = "comparison") -> None:
        """Raise if the code that the sides have loaded is not that of earlier blocks."""
        ...
