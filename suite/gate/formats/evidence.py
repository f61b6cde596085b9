"""What of a verdict may be told as evidence."""

from __future__ import annotations

import math
from dataclasses import replace

from suite.gate.verdict import GateVerdict

ALARMED = "the control told two identical sides apart"
"""Why no step time is evidence, where it alarmed."""


def believed(verdict: GateVerdict) -> GateVerdict:
    """The verdict as it may be told: where the control told two identical sides apart, no step time is evidence.

    The same rule stands in `GateVerdict.exit_code`; the changes and intervals stay, for who wants to look.
    """
    if not verdict.control_alarm:
        return verdict
    cases, levels = (
        tuple(
            replace(one, verdict="inconclusive", reason=ALARMED, ruled_out=math.inf, explained_by="")
            if one.metric == "step_time"
            else one
            for one in some
        )
        for some in (verdict.cases, verdict.levels)
    )
    return replace(verdict, cases=cases, levels=levels)
