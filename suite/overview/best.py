"""Cases that do the same work, and the fastest of each structure at the defaults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter

from suite.analysis.case_figures import CaseFigures
from suite.effects.candidates import SAME_WORK
from suite.records import Case
from suite.records.factors import FACTORS, Level

MOST = 8
"""Rows of a first table, at most: more would not be read at a glance."""
WORK = attrgetter(*(f"record.case.{name}" for name in SAME_WORK))
"""The levels that say what a step of a case does."""
DEFAULTS = {factor.name: factor.default for factor in FACTORS if factor.default is not None}


def ranked_of(figures: Mapping[str, CaseFigures]) -> list[CaseFigures]:
    """The measured cases, the fastest first."""
    measured = (one for one in figures.values() if one.is_measured)
    return sorted(measured, key=lambda one: (one.step_time.median, one.case.id))


def same_work(ranked: Sequence[CaseFigures]) -> list[CaseFigures]:
    """The cases at the default work; without any, those of the most frequent work.

    Work is `effects.candidates.SAME_WORK`: a step of 16 images is no rival of one of 64.
    """
    chosen: tuple[Level | None, ...] = tuple(DEFAULTS[name] for name in SAME_WORK)
    works = list(map(WORK, ranked))
    if chosen not in works and works:
        chosen = Counter(works).most_common(1)[0][0]
    return [one for one, work in zip(ranked, works, strict=True) if work == chosen]


def best_of_structures(ranked: Sequence[CaseFigures]) -> tuple[tuple[CaseFigures, ...], int]:
    """The fastest case of each structure at the defaults, and how many there are.

    At most `MOST` cases, the fastest first. Without a case at the defaults, those of the most frequent
    work compete.
    """
    rivals = same_work(ranked)
    at_defaults = [one for one in rivals if is_default(one.case)]
    fastest: dict[str, CaseFigures] = {}
    for one in at_defaults or rivals:
        fastest.setdefault(one.case.structure, one)
    return tuple(fastest.values())[:MOST], len(fastest)


def is_default(case: Case) -> bool:
    """Whether each factor that has a default has it."""
    return all(getattr(case, name) == level for name, level in DEFAULTS.items())
