"""The sequential procedure: blocks in, verdicts out. Knows no worker, no file and no clock.

for each block that compares the sides:
    add its log ratios
    where the schedule has a look:
        regression    shown slower than the tolerance, by moderated t and by sign flips, over all cases and levels
        improvement   shown faster than the tolerance, by the same tests
        no change     slower by the margin is ruled out, and nothing suggests a slowdown that matters
        settled cases are measured no more
when the time is up: one last look, and what is settled by nothing is inconclusive

Live gates, simulations and the study all run this; so what is published of its error is of this code.
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
"""Chance to call a case unchanged that is slower by the margin, over all looks."""
CONFIDENCE = 0.95
"""Of the intervals that are shown, and of the slowdown that is said to be ruled out; for one case alone."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What is known of one case, or of all cases of a level, by the logs of its ratios.

    Attributes:
        mean, error: of the log ratio, trimmed; `error` draws on the noise of the other cases. NaN below two blocks.
        degrees: of freedom of the error.
        blocks: that told a ratio.
        slower, faster: p-values of exceeding the tolerance, by the moderated t, for this one alone.
    """

    mean: float
    error: float
    degrees: float
    blocks: int
    slower: float
    faster: float

    def below(self, error: float) -> float:
        """The log ratio that is not exceeded but with that chance."""
        return self.mean + float(stats.t.ppf(1 - error, self.degrees)) * self.error if self.blocks > 1 else math.inf

    def interval(self) -> tuple[float, float]:
        """Ends of the log ratio's interval at `CONFIDENCE`."""
        reach = self.below((1 - CONFIDENCE) / 2) - self.mean
        return self.mean - reach, self.mean + reach


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, and after how many blocks it fell."""

    verdict: ChangeVerdict
    blocks: int


class Procedure:
    """One comparison of many cases at once.

    Args:
        cases: ids.
        levels: name -> ids of the cases that have it; each is judged as one more case, by the mean of its cases.
        limits: what matters, and the chance of any false alarm.
        seed: of the sign flips, where not all are looked at.
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
        """Cases that are still to be measured; none where all is over."""
        done = self.decisions.keys() | self.dropped
        return () if self.is_over else tuple(case for case in self.cases if case not in done)

    def drop(self, case: str) -> None:
        """Measure a case no more, which fails."""
        self.dropped.add(case)

    def add(self, ratios: Mapping[str, float]) -> None:
        """Add the log ratios of one block, by case, and look where it is time; what is left out or NaN told nothing."""
        self._rows.append([ratios.get(case, math.nan) for case in self.cases])
        self._known = None
        if spending.is_look(self.blocks):
            self._look(spending.share(self.looks), final=False)
            self.looks += 1

    def finish(self) -> None:
        """The last look: the time is up, or every case is settled. There is none where so few blocks show no slowdown
        of any size: that none was shown would mean nothing.
        """
        if self.open and self.blocks >= spending.fewest(self.limits.alpha, len(self._names())):
            self._look(spending.final_share(self.looks), final=True)
        self.is_over = True

    def known(self) -> dict[str, Effect]:
        """The estimates of cases and of levels, computed once for the blocks and decisions so far."""
        if self._known is None:
            self._known = self._estimated()
        return self._known

    def _estimated(self) -> dict[str, Effect]:
        columns = self._columns()
        tolerance = math.log1p(self.limits.tolerance)
        found: dict[str, Effect] = {}
        for family in self._families():
            names, part = self._names()[family], columns[:, family]
            for name, (mean, error, degrees, blocks) in zip(names, estimates(part), strict=True):
                slower, faster = (
                    float(stats.t.sf((side * mean - tolerance) / error, degrees)) if blocks > 1 else 1.0
                    for side in (1, -1)
                )
                found[name] = Effect(mean, error, degrees, blocks, slower, faster)
        return found

    def noise(self) -> dict[str, float]:
        """Standard deviation of one block's log ratio, of the cases and levels of which it is known."""
        return {name: one.error * math.sqrt(one.blocks) for name, one in self.known().items() if one.blocks > 1}

    def resemblance(self) -> Resemblance:
        """How much neighbouring blocks resemble each other."""
        columns = self._columns()[:, : len(self.cases)]
        return resemblance(columns, [one.blocks for one in self.decisions.values()], self._seed)

    def _look(self, share: float, *, final: bool) -> None:
        known = self.known()
        permitted = self.limits.alpha * share
        verdicts: tuple[tuple[ChangeVerdict, int], ...] = (("regression", 1), ("improvement", -1))
        for verdict, side in verdicts:
            for name, p_value in self._adjusted(known, verdict, side, permitted).items():
                if p_value <= permitted:
                    self._settle(name, verdict)
            self._settle_levels(verdict)
        for case in self.open:
            if not self._seems_slower_with_its_level(case, known[case]) and self._is_no_slower(
                known[case], PASS_ERROR * share, final=final
            ):
                self._settle(case, "no change")

    def _settle(self, name: str, verdict: ChangeVerdict) -> None:
        """Keep a verdict. The first one of a case or level stands."""
        if name not in self.decisions:
            self.decisions[name] = Decision(verdict, self.blocks)
            self._known = None

    def _settle_levels(self, verdict: ChangeVerdict) -> None:
        """A level of which each case is settled alike is settled with them: their mean can be nothing else."""
        for name, members in self.levels.items():
            if all(member in self.decisions and self.decisions[member].verdict == verdict for member in members):
                self._settle(name, verdict)

    def _seems_slower_with_its_level(self, case: str, one: Effect) -> bool:
        """Whether a case of a slower level seems slower by itself, too: not shown, but hardly no change either."""
        slower = {name for name, settled in self.decisions.items() if settled.verdict == "regression"}
        return one.slower <= 1 - CONFIDENCE and any(case in self.levels[name] for name in slower & self.levels.keys())

    def attribute(self, known: Mapping[str, Effect], verdict: ChangeVerdict = "regression") -> dict[str, str]:
        """Each case and level of a verdict -> the one of them that explains it, itself where none does."""
        changed = [name for name, settled in self.decisions.items() if settled.verdict == verdict]
        side = 1 if verdict == "regression" else -1
        means = {case: side * known[case].mean for case in self.cases if known[case].blocks}
        return attribute(changed, means, self.levels, math.log1p(self.limits.tolerance))

    def _is_no_slower(self, one: Effect, error: float, *, final: bool) -> bool:
        """Whether a slowdown by the margin is ruled out; before the last look also that more are pointless."""
        bound, limits = one.below(error), self.limits
        pointless = one.mean < math.log1p(limits.tolerance) or bound < math.log1p(2 * limits.tolerance)
        return bound < math.log1p(limits.margin) and (final or pointless)

    def _adjusted(
        self, known: Mapping[str, Effect], verdict: ChangeVerdict, side: int, permitted: float
    ) -> dict[str, float]:
        """P-values of cases and levels, adjusted over all of them but those that have this verdict already. The signs
        are looked at where the t alone is no larger than `permitted`.

        At the first look no case was left out because of its results, and the sign flips are joint. Afterwards each is
        taken alone, and Holm adjusts for all that there were: the open ones were chosen by their results, and a joint
        test of them would be too bold. That a case or level counts no more once it is shown keeps the error of any
        false one (Holm 1979; Maurer and Bretz 2013, "Multiple testing in group sequential trials using graphical
        approaches"): before the first false one, at least as many are left as are not slower.
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
            return {name: max(jointly[name], one) for name, one in zip(names, holm(by_t), strict=True)}
        by_name = dict(zip(self._names(), columns.T, strict=True))
        p_values = [
            max(alone(by_name[name]), one) if one <= permitted and self._is_testable(name) else 1.0
            for name, one in zip(names, by_t, strict=True)
        ]
        return dict(zip(names, holm(p_values), strict=True))

    def _is_testable(self, name: str) -> bool:
        """Whether neither a case nor, of a level, any of its cases is settled."""
        return not {name, *self.levels.get(name, ())} & self.decisions.keys()

    def _names(self) -> list[str]:
        return [*self.cases, *self.levels]

    def _families(self) -> list[slice]:
        """Columns whose variances know of each other: cases, and levels."""
        found = [slice(0, len(self.cases)), slice(len(self.cases), len(self._names()))]
        return [one for one in found if one.stop > one.start]

    def _columns(self) -> Values:
        """(N, cases and levels) of N blocks; a level's is the mean of its cases, as long as all are measured."""
        rows = np.array(self._rows, dtype=np.float64).reshape(len(self._rows), len(self.cases))
        columns = [rows]
        for members in self.levels.values():
            part = rows[:, [self.cases.index(member) for member in members]]
            whole = [self.decisions[member].blocks for member in members if member in self.decisions]
            part = np.where(np.arange(len(rows))[:, None] < min(whole, default=len(rows)), part, math.nan)
            told = np.isfinite(part)
            count = told.sum(axis=1)
            mean = np.where(told, part, 0.0).sum(axis=1) / np.maximum(count, 1)
            columns.append(np.where(count > 0, mean, math.nan)[:, None])
        return np.hstack(columns)


def estimates(part: Values) -> list[tuple[float, float, float, int]]:
    """Trimmed mean of each column (N, M), its moderated standard error, the degrees of freedom, and how many values
    it has; NaN where these are too few.
    """
    columns = [column[np.isfinite(column)] for column in part.T]
    told = [trimmed(column) if len(column) else (np.array(math.nan), np.array(math.nan), 0) for column in columns]
    known = [place for place, column in enumerate(columns) if len(column) > 1]
    error, degrees = np.full(len(columns), math.nan), np.full(len(columns), math.nan)
    if known:
        variances = np.array([float(told[place][1]) for place in known])
        drawn, freedom = moderated(variances, np.array([float(told[place][2]) for place in known]))
        error[known] = np.sqrt(drawn / np.array([len(columns[place]) for place in known]))
        degrees[known] = freedom
    return [
        (float(mean), float(error[place]), float(degrees[place]), len(columns[place]))
        for place, (mean, _, _) in enumerate(told)
    ]
