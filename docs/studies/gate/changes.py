"""A plug-in that makes steps do more, as much as the environment says. Both arms of a study import it.

`WORK=<pattern of case ids>=<count>` adds so many products of small matrices to each step of those cases: a fixed amount
of computation, which ends when it is done. How many make a share of a step, `dose.py` finds.
`HUNGRIER=<pattern>=<bytes>` makes their steps hold so much memory more.
`SYNCHRONISING=<pattern>=1` makes their steps read the loss, as a training loop that prints it does.

Several patterns are joined by `;`. An amount of 0, or a pattern of no case, costs what the plug-in costs by itself: so
the other arm names one of the variables too. Where none is set, this holds no torch and changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

VARIABLES = ("WORK", "HUNGRIER", "SYNCHRONISING")
SIDE = 32
"""Of the square matrices: their product takes some 3 us, a small part of the shortest dose."""


def wanted(variable: str, case_id: str) -> int:
    """The amount that a variable asks for, for a case; 0 where it asks for none."""
    for entry in os.environ.get(variable, "").split(";"):
        pattern, _, amount = entry.rpartition("=")
        if pattern and fnmatchcase(case_id, pattern):
            return int(amount)
    return 0


def work(count: int, device: Any = "cpu") -> Callable[[], None]:
    """A fixed amount of computation: so many products on a device."""
    import torch

    matrix = torch.ones(SIDE, SIDE, device=device)
    result = torch.empty_like(matrix)

    def run() -> None:
        for _ in range(count):
            torch.mm(matrix, matrix, out=result)

    return run


class Change:
    """The work that the variables add to the steps of one case, on the device of its network."""

    def __init__(self, case_id: str, device: Any) -> None:
        self._work = work(wanted("WORK", case_id), device)
        self._more_bytes = wanted("HUNGRIER", case_id)
        self._reads = bool(wanted("SYNCHRONISING", case_id))

    def around(self, step: Any, run: Any, *arguments: Any) -> None:
        """The step, with what is added to it."""
        import torch

        held = torch.ones(self._more_bytes // 4) if self._more_bytes else None  # until the step ends
        run(step, *arguments)
        self._work()
        if self._reads:
            step.loss.item()
        del held


def patch() -> None:
    """Let training steps do what the variables say."""
    from suite.measuring.modes import TrainingStep

    run = TrainingStep.run

    def changed(self: Any, *arguments: Any) -> None:
        if not hasattr(self, "change"):
            self.change = Change(self.case.id, next(self.network.parameters()).device)
        self.change.around(self, run, *arguments)

    TrainingStep.run = changed  # type: ignore[method-assign]


if any(variable in os.environ for variable in VARIABLES):
    patch()
