"""The steps that rivals measure: those of the live study's eight cases, one thread, glibc's default allocator.

`python steps.py CASE COUNT` runs so many steps of a case, for tools that measure whole commands.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from suite.matrix.cases import cases_of
from suite.matrix.profiles import load_profile
from suite.records import Case

PROFILES = Path(__file__).parents[1] / "profiles.toml"
"""Of the live study. Its plug-in `changes` lets the steps be slower where the environment says so."""
WARM_UP_STEPS = 3
"""The first ones make oneDNN's primitives and the optimizer's state."""
STEPS_A_SECOND = {"seed_cnn": 120, "mlp_d2w128": 1000, "plain_d4w32": 50, "residual_d4w32": 50}
"""About as many as a core of the machine of the first study runs, by structure: for tools that need the number."""


def cases() -> dict[str, Case]:
    """The cases by id; imports no torch, unless the environment asks for slower steps."""
    return {case.id: case for case in cases_of(load_profile("eight", PROFILES))}


def case_of(case_id: str) -> Case:
    """A case of the study's profiles by its id."""
    every = {case.id: case for name in ("eight", "twentyfour") for case in cases_of(load_profile(name, PROFILES))}
    return every[case_id]


def step_of(case_id: str) -> Callable[[], None]:
    """A training step of a case, warm; calling it is what rivals time."""
    import torch

    from suite.measuring.modes import make_step

    torch.set_num_threads(1)
    step = ExitStack().enter_context(make_step(cases()[case_id]))  # open until the process ends
    for _ in range(WARM_UP_STEPS):
        step()
    return step


def steps_in(seconds: float, case_id: str) -> int:
    """How many steps of a case take about so long; at least one."""
    return max(1, round(seconds * STEPS_A_SECOND[cases()[case_id].structure]))


def main() -> None:
    """Run the steps of the command line."""
    step = step_of(sys.argv[1])
    for _ in range(int(sys.argv[2])):
        step()


if __name__ == "__main__":
    main()
