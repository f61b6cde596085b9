"""Several runs -> each compared with the first, with modes and slower steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from suite.analysis.issue import BIMODAL
from suite.analysis.modes import Mode, two_modes
from suite.analysis.thresholds import Thresholds
from suite.analysis.validity import turns_of_visits
from suite.comparison.changes import CaseChange, Comparison, Side, compare_sides, side_of
from suite.comparison.formats import exit_code, unlike_facts
from suite.comparison.superiority import share_of_slower_steps
from suite.errors import ExitCode
from suite.records import Run

UNLIKE = "the environments differ"
"""Reason why no change of step time has a verdict."""
FIRST = (ExitCode.REGRESSION, ExitCode.NOT_COMPARABLE, ExitCode.INCONCLUSIVE, ExitCode.SUCCESS)
"""Exit codes of several comparisons: the first that one of them has."""
Modes = tuple[Mode, Mode] | None


@dataclass(frozen=True, slots=True)
class Pairing:
    """A candidate compared with the baseline.

    Attributes:
        comparison: without verdicts on step times if the environments differ.
        unlike: facts whose difference prevents verdicts, as `name: a, now b`.
        slower: share of pairs of steps in which the candidate's is slower, by case id.
        modes: step times of cases that have two, of the baseline and of the candidate, by case id.
        code: exit code.
    """

    baseline: Side
    candidate: Side
    comparison: Comparison
    unlike: tuple[str, ...]
    slower: dict[str, float]
    modes: dict[str, tuple[Modes, Modes]]
    code: int


def pair_up(runs: Sequence[Run], limits: Thresholds, memory_tolerance: float) -> tuple[Pairing, ...]:
    """Compare each run with the first one, which is the baseline."""
    baseline, *candidates = map(side_of, runs)
    return tuple(pairing(baseline, candidate, limits, memory_tolerance) for candidate in candidates)


def pairing(baseline: Side, candidate: Side, limits: Thresholds, memory_tolerance: float) -> Pairing:
    """Compare two runs; differences of their environments withhold the verdicts."""
    unlike = tuple(unlike_facts(baseline.run, candidate.run))
    comparison = compare_sides(baseline, candidate, limits, memory_tolerance)
    is_comparable = bool(comparison.cases) and not unlike
    code = exit_code(comparison, limits) if is_comparable else ExitCode.NOT_COMPARABLE
    if unlike:
        comparison = replace(comparison, cases=tuple(map(withheld, comparison.cases)), memory=())
    shares = {
        case.name: share_of_slower_steps(
            baseline.figures[case.name].rounds, candidate.figures[case.name].rounds, comparison.shift
        )
        for case in comparison.cases
    }
    return Pairing(
        baseline=baseline,
        candidate=candidate,
        comparison=comparison,
        unlike=unlike,
        slower={name: share for name, share in shares.items() if share is not None},
        modes={
            case.name: both
            for case in comparison.cases
            if any(both := (modes_of(baseline, case.name), modes_of(candidate, case.name)))
        },
        code=code,
    )


def withheld(case: CaseChange) -> CaseChange:
    """A change without a verdict; change and interval stay for who wants to look."""
    return replace(case, verdict="inconclusive", reason=UNLIKE, ruled_out=math.inf)


def modes_of(side: Side, case_id: str) -> Modes:
    """The two step times of a case that validity calls bimodal; None for any other."""
    figures = side.figures[case_id]
    if all(issue.kind != BIMODAL for issue in figures.issues):
        return None
    return two_modes(turn for turns in turns_of_visits(figures.measurement) for turn in turns)


def overall_code(pairings: Sequence[Pairing]) -> int:
    """The exit code of all comparisons."""
    codes = {one.code for one in pairings}
    return next(code for code in FIRST if code in codes)
