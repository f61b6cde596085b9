"""A profile's cases: the product of its levels, or those that a design chooses."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from suite.matrix.designs import Choice, choose
from suite.matrix.profiles import Profile, search_plugins
from suite.matrix.refusals import refusal
from suite.matrix.tasks import fitting_structures, with_task
from suite.records import INFER, MODES, Case, StepmarkError
from suite.records.factors import FACTORS, Factor
from suite.registry import REGISTRIES, load_levels


def cases_of(profile: Profile) -> list[Case]:
    """Cases that a profile's design chooses, in order; raises as `matrix_of`."""
    return choice_of(profile).cases


def choice_of(profile: Profile) -> Choice:
    """The choice of a profile's design from its matrix; raises as `matrix_of`."""
    return choose(matrix_of(profile), profile.design, refusal)


def matrix_of(profile: Profile) -> list[Case]:
    """Every combination of a profile's levels, in their order.

    The profile's plug-ins are imported first. Structures meet the tasks that they are for. Inference has no optimizer:
    cases of that mode take the profile's first one, since the others would repeat them under other names. Schedules and
    epochs are for learning cases; others take the defaults.

    Raises:
        StepmarkError: a level is not known, a structure fits no task, a plug-in does not import, or two cases have one
            id.
    """
    search_plugins(profile)
    load_levels(profile.plugins)
    crossed = {factor.name: profile_levels(profile, factor) for factor in FACTORS if not factor.mode}
    crossed["structure"] = fitting_structures(profile, crossed["task"])
    combinations = (dict(zip(crossed, levels, strict=True)) for levels in product(*crossed.values()))
    cases = [
        case
        for levels in combinations
        if (fitting := with_task(levels, crossed)) is not None
        for case in learning_variants(Case(**fitting), profile)
        if case.mode != INFER or case.optimizer == crossed["optimizer"][0]
    ]
    reject_duplicate_ids(cases)
    return cases


def profile_levels(profile: Profile, factor: Factor) -> list[Any]:
    """A profile's levels of a factor, each once.

    Raises:
        StepmarkError: one of them is not known.
    """
    if factor.least:
        return list(dict.fromkeys(profile.sizes.get(factor.key, [factor.default])))
    names = profile.levels.get(factor.key, ["*" if factor.default is None else str(factor.default)])
    if factor.name in REGISTRIES:
        return REGISTRIES[factor.name].matching(names)
    return [known_mode(name) for name in dict.fromkeys(names)]


def learning_variants(case: Case, profile: Profile) -> list[Case]:
    """A learning case with each schedule and number of epochs; other cases once."""
    own = {factor.name: profile_levels(profile, factor) for factor in FACTORS if factor.mode == case.mode}
    return [replace(case, **dict(zip(own, combination, strict=True))) for combination in product(*own.values())]


def reject_duplicate_ids(cases: list[Case]) -> None:
    """Refuse two cases with one id.

    A tuning named `b128` and a batch size of 128 would make them.

    Raises:
        StepmarkError: the id, and what the cases are.
    """
    first: dict[str, Case] = {}
    for case in cases:
        other = first.setdefault(case.id, case)
        if other is not case:
            raise StepmarkError(f"two cases have the id {case.id!r}: {other} and {case}; rename a level.")


def known_mode(mode: str) -> str:
    """A mode that exists.

    Raises:
        StepmarkError: the mode found and the modes allowed.
    """
    if mode not in MODES:
        raise StepmarkError(f"mode {mode!r} is not known; allowed: {', '.join(MODES)}.")
    return mode
