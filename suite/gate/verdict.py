"""The values of a gate's verdict, from which every format is made.

A verdict masks what is no evidence when it is made, so that no format, program or exit code can see another truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from suite.analysis.change import Change
from suite.analysis.thresholds import ChangeVerdict, Thresholds
from suite.errors import ExitCode

STEP_TIME = "step_time"
ALARMED = "the control found a difference between two identical sides"
"""Why no step time is evidence after an alarm of the control."""
DEPENDENT = "the environment changed during the gate: its blocks depend on each other"
"""Why no step time is evidence where blocks resemble the ones before them."""
Size = Literal["", "at once", "in turns"]
Mode = Literal["concurrent", "alternating"]
"""Both sides at the same time, each on some of the cores; or in turns."""
MODE_IN_FILES: dict[Mode, str] = {"concurrent": "together", "alternating": "bursts"}
"""Mode -> its word in `gate.jsonl` and `verdict.json`, which keep the first words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateChange(Change):
    """The change of one case or level by one metric, as a gate judged it.

    Attributes:
        candidate: the case's id on the candidate's side, where an arm changes levels; else empty.
        blocks: that gave a ratio.
        discarded: blocks that did not, since others disturbed them or a worker was killed.
        p_value, holm, benjamini_hochberg: of being slower than the tolerance: alone, and adjusted over the list; 1.0 of
            metrics that are compared exactly.
        explained_by: the level or case whose regression this one is a part of; empty where it stands for itself.
        size: how a large change was measured: `in turns`, after it was judged; or only `at once`, which makes it look
            smaller than it is. Empty where it makes no difference.
        judged_change: the change as it was judged, where its size was measured again; else None.
    """

    blocks: int
    candidate: str = ""
    discarded: int = 0
    p_value: float = 1.0
    holm: float = 1.0
    benjamini_hochberg: float = 1.0
    explained_by: str = ""
    size: Size = ""
    judged_change: float | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A case that was not compared, or a metric that was not in any.

    Attributes:
        side: whose fault it is: `baseline`, `candidate`, or empty where it is neither's.
    """

    name: str
    reason: str
    side: Literal["", "baseline", "candidate"] = ""


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """The result of a gate.

    After an alarm of the control, or of blocks that resemble each other, no step time is evidence: each is
    inconclusive, without a bound, explains nothing and is no culprit, from the moment that the verdict is made. Changes
    and intervals stay, for who wants to look.

    Attributes:
        baseline, candidate: the arms as the user wrote them.
        arms: what they turned out to be, by side: revision, interpreter, torch, variables, levels.
        cases: by case and metric; regressions first, the largest change first.
        levels: the same for all cases of a level together.
        culprits: names of the cases and levels that explain the regressions, the largest first.
        left_out: cases that were not compared.
        failed: names of cases that fail in the candidate and not in the baseline.
        blocks, control_blocks: pairs of processes measured, against each other, and baseline against baseline.
        control_alarm: what the control showed, if it found a difference between identical sides; else empty.
        dependence_alarm: how blocks resembled the ones before them, where that voids the verdict; else empty.
        too_few: why no regression of any size could be shown, and what would do; empty where one could.
        noise: standard deviation of one block's log ratio of a case, the median over cases; None if not known.
        identical: whether both arms are the same code, so that nothing was measured.
        interrupted: whether it was ended before it was over.
        seconds: spent on it.
        budget_s: that it had.
        discarded: share of the pieces of rounds that were left out for disturbance.
        lost_blocks: those, of any kind, in which a worker was killed before it had measured its case.
        machine: the processor and its cores, in words.
        modes: how each case was measured: `concurrent` or `alternating`.
        `beside`: interference by others, by metric of `interference`: the median over blocks, and the worst block;
            without metrics that the machine does not report.
    """

    baseline: str
    candidate: str
    arms: dict[str, Any]
    limits: Thresholds
    memory_tolerance: float
    cases: tuple[GateChange, ...]
    levels: tuple[GateChange, ...] = ()
    culprits: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    failed: tuple[str, ...] = ()
    blocks: int = 0
    control_blocks: int = 0
    control_alarm: str = ""
    dependence_alarm: str = ""
    too_few: str = ""
    noise: float | None = None
    identical: bool = False
    interrupted: bool = False
    seconds: float = 0.0
    budget_s: float = 0.0
    discarded: float = 0.0
    lost_blocks: int = 0
    machine: str = ""
    modes: dict[str, Mode] = field(default_factory=dict)
    beside: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Mask what is no evidence, and keep only culprits that are a regression."""
        if self.voided:
            for name in ("cases", "levels"):
                object.__setattr__(self, name, tuple(masked(one, self.voided) for one in getattr(self, name)))
        shown = {one.name for one in (*self.cases, *self.levels) if one.verdict == "regression"}
        object.__setattr__(self, "culprits", tuple(name for name in self.culprits if name in shown))

    @property
    def voided(self) -> str:
        """Why no step time is evidence; empty where they are."""
        if self.control_alarm:
            return ALARMED
        return DEPENDENT if self.dependence_alarm else ""

    def count(self, verdict: ChangeVerdict) -> int:
        """Judged cases of all metrics with that verdict."""
        return sum(one.verdict == verdict for one in self.cases)

    @property
    def exit_code(self) -> ExitCode:
        """The first that applies: regression, failed case, inconclusive, no case."""
        if any(one.verdict == "regression" for one in (*self.cases, *self.levels)):
            return ExitCode.REGRESSION
        if self.failed:
            return ExitCode.FAILURE
        if self.interrupted or self.voided or self.count("inconclusive"):
            return ExitCode.INCONCLUSIVE
        return ExitCode.SUCCESS if self.cases or self.identical else ExitCode.NOT_COMPARABLE


def masked(one: GateChange, reason: str) -> GateChange:
    """A judged step time that is no evidence; other metrics as they are."""
    if one.metric != STEP_TIME:
        return one
    return replace(one, verdict="inconclusive", reason=reason, ruled_out=math.inf, explained_by="", size="")
