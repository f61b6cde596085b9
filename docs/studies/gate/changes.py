"""A plug-in that makes steps slower, or hungrier, by as much as the environment says: what an arm of a study has more.

`SLOWER=<pattern of case ids>=<share>` adds real work to the steps of those cases, as long as that share of the step.
`HUNGRIER=<pattern>=<bytes>` makes their steps hold so much memory more.
`SYNCHRONISING=<pattern>=1` makes their steps read the loss, as a training loop that prints it does.
None is set in the process that judges, which imports this too, and holds no torch.
"""

from __future__ import annotations

import os
from collections import deque
from fnmatch import fnmatchcase
from statistics import median
from time import perf_counter
from typing import Any

REMEMBERED = 15
"""Steps by whose median the length of the extra work is set."""
SIDE = 48
"""Of the square matrices whose product is the extra work: some 10 us."""


def wanted(variable: str, case_id: str) -> float:
    """The amount that a variable asks for, for a case; 0.0 where it asks for none."""
    pattern, _, amount = os.environ.get(variable, "").rpartition("=")
    return float(amount) if pattern and fnmatchcase(case_id, pattern) else 0.0


class Slowdown:
    """Extra work of one step."""

    def __init__(self, share: float) -> None:
        import torch

        self._share = share
        self._matrix = torch.ones(SIDE, SIDE)
        self._result = torch.empty_like(self._matrix)
        self._steps: deque[float] = deque(maxlen=REMEMBERED)

    def around(self, run: Any, *arguments: Any) -> None:
        """The step, then work that takes that share of what steps took."""
        import torch

        started_s = perf_counter()
        run(*arguments)
        now_s = perf_counter()
        self._steps.append(now_s - started_s)
        until_s = now_s + self._share * median(self._steps)
        while perf_counter() < until_s:
            torch.mm(self._matrix, self._matrix, out=self._result)


def patch() -> None:
    """Let training steps do what the variables say."""
    import torch

    from suite.training import TrainingStep

    run = TrainingStep.run

    def changed(self: Any, *arguments: Any) -> None:
        if not hasattr(self, "slowdown"):
            share = wanted("SLOWER", self.case.id)
            self.slowdown = Slowdown(share) if share else None
            self.more_bytes = int(wanted("HUNGRIER", self.case.id))
            self.reads = bool(wanted("SYNCHRONISING", self.case.id))
        held = torch.ones(self.more_bytes // 4)  # until the step ends
        if self.slowdown:
            self.slowdown.around(lambda *given: run(self, *given), *arguments)
        else:
            run(self, *arguments)
        if self.reads:
            self.loss.item()
        del held

    TrainingStep.run = changed  # type: ignore[method-assign]


if {"SLOWER", "HUNGRIER", "SYNCHRONISING"} & os.environ.keys():
    patch()
