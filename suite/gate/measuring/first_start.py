"""The first start of both sides: the environment, and what the baseline lacks.

A plug-in may be newer than the baseline, or register other levels there. The cases that need them are left out; the
others are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from suite.gate.arms.code_ownership import not_in_checkout
from suite.gate.measuring.block import GateSetup, start
from suite.gate.record.values import CasePair
from suite.provenance import environment
from suite.records import Case
from suite.records.factors import FACTORS


@dataclass(frozen=True, slots=True)
class Started:
    """Results of the first start of both sides.

    Attributes:
        facts: of the environment.
        torches: version of torch, by side.
        lacking: plug-ins that the baseline does not have or cannot import, with the reason.
        levels: all levels of the baseline, by factor; None if its revision does not report them.
    """

    facts: dict[str, Any]
    torches: tuple[str, str]
    lacking: dict[str, str]
    levels: Mapping[str, Sequence[str]] | None

    def reason(self, case: Case) -> str:
        """Why the baseline cannot make a case; empty if it can, or might be able to."""
        for factor in FACTORS:
            known = (self.levels or {}).get(factor.name)
            level = factor.level_of(case)
            if known is not None and level not in known:
                why = "; ".join(reason.rstrip(".") for reason in self.lacking.values())
                return f"the baseline has no {factor.name} {level!r}" + (f": {why}" if why else "")
            if known is None and factor.silent and factor.word_of(case):  # each revision with the factor reports levels
                return f"the baseline's stepmark has no factor {factor.name}, and this case has {level}"
        return ""


def first_start(setting: GateSetup, seed: int) -> tuple[GateSetup, Started]:
    """Start a process of each side, and remove plug-ins that the baseline lacks.

    Args:
        setting: of all blocks.
        seed: of the gate, for the facts.

    Raises:
        StepmarkError: a side does not start, or speaks another protocol.
        NotComparableError: a side has loaded code of another checkout.
    """
    origin = setting.sides[0].origin
    names = dict(zip(setting.plugins_of(0), setting.plugins, strict=True))
    absent = {names[one]: reason for one, reason in not_in_checkout(names, origin.path, origin.watched).items()}
    setting = replace(setting, lacking=tuple(absent))
    with ExitStack() as stack:
        baseline, candidate = launchers = setting.trial_launchers()
        for launcher in launchers:
            stack.enter_context(launcher)
        start(launchers, 0)
        setting.refuse_changed(launchers)
        lacking = {**absent, **{names[one]: reason for one, reason in baseline.not_loaded.items()}}
        facts = environment.facts(
            setting.workers, seed, baseline.torch, baseline.priority, baseline.allocator, setting.plugins
        )
        torches = str(baseline.torch["version"]), str(candidate.torch["version"])
        return replace(setting, lacking=tuple(lacking)), Started(facts, torches, lacking, baseline.levels)


def without_lacking(rows: Sequence[CasePair], started: Started) -> tuple[list[CasePair], dict[str, str]]:
    """The pairs that the baseline can make, and why it cannot make the others."""
    reasons = {row.id: started.reason(row.baseline) for row in rows}
    return [row for row in rows if not reasons[row.id]], {name: reason for name, reason in reasons.items() if reason}
