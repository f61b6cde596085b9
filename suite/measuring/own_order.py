"""Training steps in another order: those that a task or a structure makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor

from suite.contracts.task import Phases, StepFunction, Task
from suite.contracts.tuning import Tuning
from suite.records import Case
from suite.registry import STRUCTURES

OF_TUNINGS = ("autocast", "backward", "update")
"""Phases by which a tuning changes a step, and its methods that do so."""


def own_order(case: Case, task: Task, phases: Phases, tuning: Tuning) -> OwnStep | None:
    """The step that the case's structure or task makes; None for the usual order."""
    of_structure = STRUCTURES[case.structure].make_step
    step = of_structure(phases) if of_structure else task.make_step(phases)
    if step is None:
        return None
    return OwnStep(step, case.structure if of_structure else case.task, phases, tuning)


class OwnStep:
    """A step in another order, whose first call is checked, before rounds count.

    Args:
        step: as the structure or the task made it.
        owner: name of that structure or task.
        phases: that the step may call.
        tuning: of the case.

    Attributes:
        run: inputs and targets -> loss ().
    """

    def __init__(self, step: StepFunction, owner: str, phases: Phases, tuning: Tuning) -> None:
        self._step = step
        self._owner = owner
        self._phases = phases
        self._tuning = tuning
        self.run: Callable[[Any, Any], Tensor] = self._first

    def _first(self, inputs: Any, targets: Any) -> Tensor:
        """Run the step once.

        Raises:
            TypeError: it does not return its loss.
            RuntimeError: execution or tuning have no effect on it, since it does not call what they change.
        """
        called: set[str] = set()
        wanted = [name for name in OF_TUNINGS if getattr(type(self._tuning), name) is not getattr(Tuning, name)]
        network = self._phases.network
        with ExitStack() as stack:
            handle = network.register_forward_pre_hook(lambda *_: called.add("network"))
            stack.callback(handle.remove)
            for name in wanted:
                stack.enter_context(noted(self._tuning, name, called))
            loss = self._step(inputs, targets)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            found = f"a tensor of {loss.numel()} values" if isinstance(loss, Tensor) else type(loss).__name__
            raise TypeError(f"the step of {self._owner} returned {found}; allowed: its loss, a tensor of one value")
        if network is not self._phases.module:
            wanted.append("network")
        for name in wanted:
            if name not in called:
                raise RuntimeError(
                    f"the step of {self._owner} does not call phases.{name}, so that its execution or tuning would "
                    "have no effect; call it, or leave that level out"
                )
        self.run = self._step
        return loss


@contextmanager
def noted(tuning: Tuning, name: str, called: set[str]) -> Iterator[None]:
    """Note whether a method of a tuning is called."""
    method = getattr(tuning, name)

    def noting(*arguments: Any) -> Any:
        called.add(name)
        return method(*arguments)

    setattr(tuning, name, noting)
    try:
        yield
    finally:
        delattr(tuning, name)
