"""A run with everything that the views of its page are made from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from suite.analysis.case_figures import CaseFigures, figures_of
from suite.errors import StepmarkError
from suite.records import DEFAULT_MODE, Run
from suite.report.metrics import METRICS
from suite.report.provenance import command

if TYPE_CHECKING:
    from suite.effects.candidates import Group
    from suite.effects.contrasts import Effect
    from suite.effects.recommendation import Advice
    from suite.effects.study import Study
    from suite.effects.values import Values
    from suite.overview import Overview
    from suite.records.factors import Level

DETAILED_CASES = 800
"""Measured cases up to which each has its command and attributes on the page; beyond, one pattern of the command stands
for all, so that 1,000 cases stay within 2 MB and 10,000 within 6 MB."""
STUDIED_CASES = 2_000
"""Measured cases up to which a page has interactions, shares of variance and predictions: some seconds of computing."""
PLACEHOLDER = "CASE"
"""Stands for the id of a case in the pattern of the command."""


@dataclass(frozen=True)
class Facts:
    """A run with the figures of its cases.

    Attributes:
        record_path: where the record is, as the page names it; empty where it is not to be named.
    """

    run: Run
    record_path: str = ""
    _studies: dict[str, tuple[Study | None, str]] = field(default_factory=dict, repr=False, compare=False)
    _advice: dict[tuple[Level, ...], Advice] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def figures(self) -> dict[str, CaseFigures]:
        """Figures by id of the cases with a round of step time, failed ones too."""
        return figures_of(self.run.cases)

    @cached_property
    def ranked(self) -> tuple[CaseFigures, ...]:
        """Figures of the measured cases, fastest first.

        The place of a case is its index in the page's scripts.
        """
        measured = (one for one in self.figures.values() if one.is_measured)
        return tuple(sorted(measured, key=lambda one: (one.step_time.median, one.case.id)))

    @cached_property
    def columns(self) -> dict[str, list[float | None]]:
        """Figures of the measured cases by metric, in the order of `ranked`."""
        return {name: list(map(figure, self.ranked)) for name, figure in METRICS.items()}

    @cached_property
    def place(self) -> dict[str, int]:
        """Id of a measured case -> its place in `ranked`, from 0."""
        return {one.case.id: place for place, one in enumerate(self.ranked)}

    def study(self, metric: str) -> tuple[Study | None, str]:
        """The effects of levels on a metric, or None and the reason why there are none.

        Args:
            metric: a key of `suite.effects.values.METRICS`.
        """
        if metric not in self._studies:
            from suite.effects.study import study  # numpy and scipy load only where a view shows effects

            try:
                self._studies[metric] = study(self.run, metric, figures=self.figures), ""
            except StepmarkError as error:
                self._studies[metric] = None, str(error)
        return self._studies[metric]

    @cached_property
    def groups(self) -> list[Group]:
        """Groups of measured cases that do the same work."""
        from suite.effects.candidates import groups_of

        return groups_of(self.run, figures=self.figures) if self.ranked else []

    def advice(self, group: Group) -> Advice:
        """The choice in one of the groups, with its Pareto front."""
        work = tuple(group.work.values())
        if work not in self._advice:
            from suite.effects.recommendation import advice  # numpy loads only where a view shows a front

            self._advice[work] = advice(group, ())
        return self._advice[work]

    @cached_property
    def overview(self) -> Overview:
        """The first answers: sentences, best cases, findings."""
        from suite.overview import overview

        def effects(metric: str) -> tuple[Values, tuple[Effect, ...]] | None:
            found, _ = self.study(metric)
            return None if found is None else (found.values, found.effects)

        return overview(self.run, self.figures, effects if self.is_studied else None)

    @property
    def is_studied(self) -> bool:
        """Whether the page has the whole study of effects.

        Else main effects alone are computed, for the findings.
        """
        return len(self.ranked) <= STUDIED_CASES

    @property
    def has_details(self) -> bool:
        """Whether there is room for the command and attributes of each case."""
        return len(self.ranked) <= DETAILED_CASES

    def command(self, figures: CaseFigures) -> str:
        """The shell command that measures a case again as the run did."""
        return command(self.run, figures.case.id, figures.case.mode)

    @cached_property
    def pattern(self) -> str:
        """The command for any case, with `PLACEHOLDER` for its id."""
        return command(self.run, PLACEHOLDER, self.ranked[0].case.mode if self.ranked else DEFAULT_MODE)

    @cached_property
    def nothing(self) -> str:
        """Why no case was measured; empty if one was."""
        return "" if self.ranked else nothing_measured(self.run)


def nothing_measured(run: Run) -> str:
    """Why the ranked table is empty."""
    if not run.header.planned and not run.cases:
        return "No case was measured: the run planned none."
    outcomes = Counter(record.outcome for record in run.cases)
    parts = [f"{outcomes[name]} {name}" for name in ("skipped", "failed") if outcomes[name]]
    parts += [f"{outcomes['measured']} without a recorded round"] if outcomes["measured"] else []
    parts += [f"{len(run.missing)} without an outcome"] if run.missing else []
    return f"No case was measured: {', '.join(parts)}."
