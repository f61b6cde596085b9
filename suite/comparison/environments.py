"""Environments of runs -> facts that differ, and whether each may change results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from suite import units
from suite.records import Run
from suite.records.compatibility import (
    CODE,
    IGNORED,
    NOT_CODE,
    TO_COMPARE,
    UNKNOWN,
    differing_facts,
    fact,
    names_of_facts,
)

HASHES = ("revision", "sha256")
LONGEST_HASH = 12
"""Ends of the names of facts that are hashes, and characters of them that are shown."""
Effect = Literal["may change results", "harmless"]
PLAN, TORCHRUN = "plan", "torchrun"
PARTS = (*CODE, *TO_COMPARE, PLAN, TORCHRUN)
"""Parts of an environment that are settings or names; readings such as the load always differ."""
IMAGE = "container.image"
MORE_ROUNDS = ("passes", "target_precision", "case_seconds", "warmup_seconds", "order_seed", "surveys", "case_timeout")
"""Fields of a plan that change how precise figures are, and not what is measured."""
OF_CODE = "the code, which is compared"
NO_VERDICT = "no verdict on step times is given"
"""Remarks on an effect."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that differs between a baseline and some of its candidates.

    Attributes:
        values: of each run, baseline first, as text.
        remark: what follows from it; empty if nothing does.
    """

    name: str
    values: tuple[str, ...]
    effect: Effect
    remark: str


def environment_differences(runs: Sequence[Run]) -> tuple[tuple[Difference, ...], int]:
    """Facts in which a candidate differs from the baseline, and the number of facts.

    Those that may change results come first.

    Args:
        runs: baseline first.
    """
    environments = [with_plan(run) for run in runs]
    names = dict.fromkeys(
        found.name for other in environments[1:] for found in differing_facts(environments[0], other, PARTS)
    )
    differences = [
        Difference(name, tuple(shown(name, fact(one, name)) for one in environments), *effect_of(name))
        for name in names
    ]
    compared = {
        name for one in environments for part in PARTS for name in names_of_facts(one.get(part), part)
    } | names.keys()
    return tuple(sorted(differences, key=lambda one: one.effect == "harmless")), len(compared)


def with_plan(run: Run) -> dict[str, Any]:
    """The environment of a run, with its plan."""
    header = run.header
    return {**header.environment, PLAN: {**asdict(header.plan), "case_timeout": header.workers.case_timeout}}


def effect_of(name: str) -> tuple[Effect, str]:
    """Whether a difference of that fact may change results, and a remark."""
    part, _, field = name.partition(".")
    if name in NOT_CODE:
        return "harmless", ""
    if part in CODE or name == IMAGE:
        return "may change results", OF_CODE
    if name in IGNORED or (part == PLAN and field in MORE_ROUNDS):
        return "harmless", ""
    return "may change results", NO_VERDICT if part in TO_COMPARE else ""


def shown(name: str, value: Any) -> str:
    """A fact as text, in its unit."""
    if value is UNKNOWN:
        return "not recorded"
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_bytes") and isinstance(value, int | float):
        return units.text(value, "B")
    if name.endswith(HASHES):
        return str(value)[:LONGEST_HASH]
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
