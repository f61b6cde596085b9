"""The sequential procedure: blocks in, verdicts out; no worker, file or clock.

for each block that compares the sides:
    add its log ratios
    where the schedule has a look:
        regression    shown slower than the tolerance, by moderated t and by sign flips, over all cases and levels
        improvement   shown faster than the tolerance, by the same tests
        no change     slower by the margin is ruled out, and nothing suggests a slowdown above the tolerance
        decided cases are measured no more
when the time is up: one last look; cases without a decision are inconclusive

Live gates, simulations and the study all run this, so the published error is that of this code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from suite.analysis.thresholds import ChangeVerdict, Thresholds
from suite.gate.deciding.attribution import attribute
from suite.gate.deciding.statistics import spending
from suite.gate.deciding.statistics.moderation import moderated
from suite.gate.deciding.statistics.multiplicity import holm
from suite.gate.deciding.statistics.serial_dependence import Resemblance, resemblance
from suite.gate.deciding.statistics.sign_flips import alone, stepwise
from suite.gate.deciding.statistics.trimming import trimmed

Values = NDArray[np.float64]

PASS_ERROR = 0.05
"""Chance of "no change" for a case that is slower by the margin, over all looks."""
CONFIDENCE = 0.95
"""Of each interval and of each bound that a report shows; for one case alone."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The estimated log ratio of one case, or of all cases of a level.

    Attributes:
        mean, error: trimmed mean and its standard error, which uses the noise of other cases; NaN below two blocks.
        degrees: of freedom of the error.
        blocks: with a ratio.
        slower, faster: p-values of exceeding the tolerance, by the moderated t, unadjusted.
    """

    mean: float
    error: float
    degrees: float
    blocks: int
    slower: float
    faster: float

    def below(self, error: float) -> float:
        """The upper bound that the log ratio exceeds with probability `error`."""
        return self.mean + float(stats.t.ppf(1 - error, self.degrees)) * self.error if self.blocks > 1 else math.inf

    def interval(self) -> tuple[float, float]:
        """Ends of the log ratio's interval at `CONFIDENCE`."""
        reach = self.below((1 - CONFIDENCE) / 2) - self.mean
        return self.mean - reach, self.mean + reach


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, and the number of blocks before it."""

    verdict: ChangeVerdict
    blocks: int


class Procedure:
    """One comparison of many cases at once.

    Args:
        cases: ids.
        levels: name -> ids of its cases; each level is judged like a case, by the mean of its cases.
        limits: tolerance, margin, and the chance of any false alarm.
        seed: of the sign flips, if they are drawn at random.
    """

    def __init__(
        self, cases: Sequence[str], levels: Mapping[str, Sequence[str]], limits: Thresholds, seed: int = 0
    ) -> None:
        self.cases = tuple(cases)
        self.levels = {name: tuple(members) for name, members in levels.items()}
        self.decisions: dict[str, Decision] = {}
        self.dropped: set[str] = set()
        self.looks = 0
        self.is_over = False
        self.limits = limits
        self._seed = seed
        self._rows: list[list[float]] = []
        self._known: dict[str, Effect] | None = None

    @property
    def blocks(self) -> int:
        """Blocks so far."""
        return len(self._rows)

    @property
    def open(self) -> tuple[str, ...]:
        """Cases to measure in the next block; none once the procedure is over."""
        done = self.decisions.keys() | self.dropped
        return () if self.is_over else tuple(case for case in self.cases if case not in done)

    def drop(self, case: str) -> None:
        """Stop measuring a case, because it fails."""
        self.dropped.add(case)

    def add(self, ratios: Mapping[str, float]) -> None:
        """Add one block's log ratios, by case, and look if the schedule has a look.

        A case that is missing or NaN has no ratio in this block.
        """
        self._rows.append([ratios.get(case, math.nan) for case in self.cases])
        self._known = None
        if spending.is_look(self.blocks):
            self._look(spending.share(self.looks), final=False)
            self.looks += 1

    def finish(self) -> None:
        """Take the last look: the time is up, or every case is decided.

        If the blocks are too few to show a slowdown of any size, there is no look: "no change" would mean nothing.
        """
        if self.open and self.blocks >= spending.fewest(self.limits.alpha, len(self._names())):
            self._look(spending.final_share(self.looks), final=True)
        self.is_over = True

    def known(self) -> dict[str, Effect]:
        """The effects of cases and levels, estimated from all blocks so far."""
        if self._known is None:
            self._known = self._estimated()
        return self._known

    def _estimated(self) -> dict[str, Effect]:
        columns = self._columns()
        tolerance = math.log1p(self.limits.tolerance)
        effects: dict[str, Effect] = {}
        for family in self._families():
            names, part = self._names()[family], columns[:, family]
            for name, (mean, error, degrees, blocks) in zip(names, estimates(part), strict=True):
                slower, faster = (
                    float(stats.t.sf((side * mean - tolerance) / error, degrees)) if blocks > 1 else 1.0
                    for side in (1, -1)
                )
                effects[name] = Effect(mean, error, degrees, blocks, slower, faster)
        return effects

    def noise(self) -> dict[str, float]:
        """Standard deviation of one block's log ratio, by case and level."""
        known = self.known().items()
        return {name: effect.error * math.sqrt(effect.blocks) for name, effect in known if effect.blocks > 1}

    def resemblance(self) -> Resemblance:
        """The serial correlation of the blocks, and its p-value."""
        columns = self._columns()[:, : len(self.cases)]
        return resemblance(columns, [decision.blocks for decision in self.decisions.values()], self._seed)

    def _look(self, share: float, *, final: bool) -> None:
        known = self.known()
        permitted = self.limits.alpha * share
        verdicts: tuple[tuple[ChangeVerdict, int], ...] = (("regression", 1), ("improvement", -1))
        for verdict, side in verdicts:
            for name, p_value in self._adjusted(known, verdict, side, permitted).items():
                if p_value <= permitted:
                    self._decide(name, verdict)
            self._decide_levels(verdict)
        for case in self.open:
            if not self._seems_slower_with_its_level(case, known[case]) and self._is_no_slower(
                known[case], PASS_ERROR * share, final=final
            ):
                self._decide(case, "no change")

    def _decide(self, name: str, verdict: ChangeVerdict) -> None:
        """Keep a verdict; the first one of a case or level stands."""
        if name not in self.decisions:
            self.decisions[name] = Decision(verdict, self.blocks)
            self._known = None

    def _decide_levels(self, verdict: ChangeVerdict) -> None:
        """Give a level the verdict that all its cases have, which their mean must share."""
        for name, members in self.levels.items():
            if all(member in self.decisions and self.decisions[member].verdict == verdict for member in members):
                self._decide(name, verdict)

    def _seems_slower_with_its_level(self, case: str, effect: Effect) -> bool:
        """Whether a case of a slower level seems slower itself: not shown, but suspected."""
        slower = {name for name, decision in self.decisions.items() if decision.verdict == "regression"}
        levels = slower & self.levels.keys()
        return effect.slower <= 1 - CONFIDENCE and any(case in self.levels[name] for name in levels)

    def attribute(self, known: Mapping[str, Effect], verdict: ChangeVerdict = "regression") -> dict[str, str]:
        """Each case and level with a verdict -> the name that explains it, or itself."""
        changed = [name for name, decision in self.decisions.items() if decision.verdict == verdict]
        side = 1 if verdict == "regression" else -1
        means = {case: side * known[case].mean for case in self.cases if known[case].blocks}
        return attribute(changed, means, self.levels, math.log1p(self.limits.tolerance))

    def _is_no_slower(self, effect: Effect, error: float, *, final: bool) -> bool:
        """Whether a slowdown by the margin is ruled out.

        Before the last look, further blocks must be pointless as well.
        """
        bound, limits = effect.below(error), self.limits
        pointless = effect.mean < math.log1p(limits.tolerance) or bound < math.log1p(2 * limits.tolerance)
        return bound < math.log1p(limits.margin) and (final or pointless)

    def _adjusted(
        self, known: Mapping[str, Effect], verdict: ChangeVerdict, side: int, permitted: float
    ) -> dict[str, float]:
        """Adjusted p-values of the cases and levels that do not have this verdict yet.

        The signs are tested only if the p-value of t is at most `permitted`. At the first look no result has selected
        the cases yet, and the sign flips are joint. Later, results have selected the open cases, and a joint test of
        them would be anti-conservative. Each is then tested alone, and Holm adjusts for the number of names.
        Names that already have the verdict no longer count. The chance of any false verdict stays bounded: before the
        first false one, at least as many names are left as are not slower.

        Source: Holm 1979; Maurer and Bretz 2013, "Multiple testing in group sequential trials using graphical
            approaches".
        """
        names = [
            name for name in self._names() if name not in self.decisions or self.decisions[name].verdict != verdict
        ]
        by_t = [known[name].slower if side == 1 else known[name].faster for name in names]
        if min(by_t, default=1.0) > permitted:
            return {}
        columns = side * self._columns() - math.log1p(self.limits.tolerance)
        if not self.looks:
            jointly = dict(zip(self._names(), map(float, stepwise(columns, self._seed)), strict=True))
            return {name: max(jointly[name], p_value) for name, p_value in zip(names, holm(by_t), strict=True)}
        by_name = dict(zip(self._names(), columns.T, strict=True))
        p_values = [
            max(alone(by_name[name]), p_value) if p_value <= permitted and self._is_testable(name) else 1.0
            for name, p_value in zip(names, by_t, strict=True)
        ]
        return dict(zip(names, holm(p_values), strict=True))

    def _is_testable(self, name: str) -> bool:
        """Whether neither the name nor, for a level, any of its cases is decided."""
        return not {name, *self.levels.get(name, ())} & self.decisions.keys()

    def _names(self) -> list[str]:
        return [*self.cases, *self.levels]

    def _families(self) -> list[slice]:
        """Columns whose variances are moderated together: cases, and levels."""
        families = [slice(0, len(self.cases)), slice(len(self.cases), len(self._names()))]
        return [family for family in families if family.stop > family.start]

    def _columns(self) -> Values:
        """Log ratios (N, cases and levels) of N blocks.

        A level has the mean of its cases in the blocks that measured all of them.
        """
        rows = np.array(self._rows, dtype=np.float64).reshape(len(self._rows), len(self.cases))
        columns = [rows]
        for members in self.levels.values():
            part = rows[:, [self.cases.index(member) for member in members]]
            whole = [self.decisions[member].blocks for member in members if member in self.decisions]
            part = np.where(np.arange(len(rows))[:, None] < min(whole, default=len(rows)), part, math.nan)
            finite = np.isfinite(part)
            count = finite.sum(axis=1)
            mean = np.where(finite, part, 0.0).sum(axis=1) / np.maximum(count, 1)
            columns.append(np.where(count > 0, mean, math.nan)[:, None])
        return np.hstack(columns)


def estimates(part: Values) -> list[tuple[float, float, float, int]]:
    """Mean, standard error, degrees of freedom and number of values of each column.

    The mean is trimmed and the error moderated over the M columns of `part` (N, M); NaN if values are too few.
    """
    columns = [column[np.isfinite(column)] for column in part.T]
    trims = [trimmed(column) if len(column) else (np.array(math.nan), np.array(math.nan), 0) for column in columns]
    known = [place for place, column in enumerate(columns) if len(column) > 1]
    error, degrees = np.full(len(columns), math.nan), np.full(len(columns), math.nan)
    if known:
        variances = np.array([float(trims[place][1]) for place in known])
        moderate, freedom = moderated(variances, np.array([float(trims[place][2]) for place in known]))
        error[known] = np.sqrt(moderate / np.array([len(columns[place]) for place in known]))
        degrees[known] = freedom
    return [
        (float(mean), float(error[place]), float(degrees[place]), len(columns[place]))
        for place, (mean, _, _) in enumerate(trims)
    ]
