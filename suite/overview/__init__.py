"""The first answers of a run.

The end of a run, `stepmark show` and the page's first screen give them. The room reads records: no torch, no HTML.

best.py        the cases that do the same work, and the fastest of each structure
sentences.py   the three sentences: best cases, counts of outcomes, noise
findings.py    the largest effects as sentences, each with the filter that shows its cases
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from suite.analysis.case_figures import CaseFigures, figures_of
from suite.effects.contrasts import Effect
from suite.effects.values import Values
from suite.overview.best import best_of_structures, ranked_of
from suite.overview.findings import Finding, effects_of, findings
from suite.overview.sentences import best_cases, noise, outcomes
from suite.records import Run

__all__ = ["Finding", "Overview", "overview"]

EffectsOf = Callable[[str], tuple[Values, tuple[Effect, ...]] | None]
"""Metric -> its values and effects; None where no case has the metric."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The first answers of a run.

    Attributes:
        sentences: the best cases; the counts of outcomes; the noise, and its meaning for trust.
        best: the fastest case of each structure at the defaults, the fastest first, at most `best.MOST`.
        structures: structures with a measured case at the defaults, of which `best` shows some.
        findings: the largest effects, those on the step time first.
    """

    sentences: tuple[str, str, str]
    best: tuple[CaseFigures, ...]
    structures: int
    findings: tuple[Finding, ...]


def overview(run: Run, figures: Mapping[str, CaseFigures] | None = None, effects: EffectsOf | None = None) -> Overview:
    """The sentences, the best cases and the findings of a run.

    Args:
        run: the whole run.
        figures: of `figures_of(run.cases)`, where the caller has them.
        effects: where the caller has studied metrics; `study(run, metric)` has both as `values` and `effects`.
    """
    known = figures_of(run.cases) if figures is None else figures
    ranked = ranked_of(known)
    best, structures = best_of_structures(ranked)
    return Overview(
        sentences=(best_cases(run, ranked), outcomes(run), noise(ranked)),
        best=best,
        structures=structures,
        findings=findings(run, effects or (lambda metric: effects_of(run, metric, known))),
    )
