"""Which structures, inputs and modes fit the task of a case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.matrix.profiles import Profile
from suite.records import DEFAULT_IMAGE_SIZE, DEFAULT_TASK, INFER, Case, StepmarkError
from suite.registry import EXECUTIONS, INPUTS, OPTIMIZERS, STRUCTURES, TASKS, TUNINGS


def fitting_structures(profile: Profile, tasks: list[str]) -> list[str]:
    """Structures of a profile that are for one of its tasks, in their order.

    A pattern stands for those that it matches and that fit.

    Raises:
        StepmarkError: a name or a pattern stands for none, a task has no structure, or no task has images of a size.
    """
    if "image_sizes" in profile.sizes and not any(TASKS[task].strategy.has_images for task in tasks):
        raise StepmarkError(
            f"profile {profile.name!r}: image_sizes is {profile.sizes['image_sizes']}, and none of its tasks has "
            "images; leave it out."
        )
    fitting: dict[str, None] = {}
    for pattern in profile.levels.get("structures", ["*"]):
        names = STRUCTURES.matching([pattern])
        fits = [name for name in names if any(TASKS[task].takes(STRUCTURES[name].task) for task in tasks)]
        if not fits and "structures" in profile.levels:
            raise StepmarkError(
                f"profile {profile.name!r}: structure {pattern!r} is for task {STRUCTURES[names[0]].task}, and the "
                f"profile has the tasks {', '.join(tasks)}; add the task to `tasks`, or leave the structure out."
            )
        fitting.update(dict.fromkeys(fits))
    for task in profile.levels.get("tasks", [DEFAULT_TASK]):
        if task in TASKS and not any(TASKS[task].takes(STRUCTURES[name].task) for name in fitting):
            raise StepmarkError(
                f"profile {profile.name!r}: none of its structures is for task {task}; add one, or leave the task out."
            )
    return list(fitting)


def with_task(levels: dict[str, Any], crossed: Mapping[str, list[Any]]) -> dict[str, Any] | None:
    """Levels of a case as its task has them; None for a combination that is no case.

    A structure meets its own task alone. A task without images has the default image size, once.

    Args:
        levels: of a combination, by factor.
        crossed: all levels of the profile, by factor.
    """
    task = TASKS[levels["task"]]
    if not task.takes(STRUCTURES[levels["structure"]].task):
        return None
    if task.strategy.has_images:
        return levels
    if levels["image_size"] != crossed["image_size"][0]:
        return None
    return {**levels, "image_size": DEFAULT_IMAGE_SIZE}


def refusal_of_task(case: Case) -> str:
    """Reason why the levels of `case` do not fit its task; empty if they do."""
    task = TASKS[case.task]
    for factor, name, takes in (
        ("structure", case.structure, STRUCTURES[case.structure].task),
        ("input", case.input, INPUTS[case.input].task),
    ):
        if not task.takes(takes):
            return f"{factor} {name} is for task {takes}, and this case has task {case.task}"
    if case.mode == INFER and not task.strategy.infers:
        return f"{case.task} has no forward pass without targets, which mode {INFER} repeats"
    return refusal_of_order(case) or refusal_of_calls(case) or task.strategy.refusal(case)


def refusal_of_order(case: Case) -> str:
    """Reason why a step in another order cannot have the optimizer; empty if it can."""
    of_structure = STRUCTURES[case.structure].make_step is not None
    has_own = of_structure or TASKS[case.task].strategy.has_own_order()
    if case.mode == INFER or not has_own or not OPTIMIZERS[case.optimizer].closure:
        return ""
    owner = case.structure if of_structure else case.task
    return f"{case.optimizer} evaluates loss and gradients itself, and {owner} has a step of another order"


def refusal_of_calls(case: Case) -> str:
    """Reason why a network not called as a whole cannot run so; empty if it can."""
    if TASKS[case.task].strategy.calls_network:
        return ""
    if EXECUTIONS[case.execution].strategy.wraps_network:
        return f"{case.execution} wraps the network, and {case.task} does not call it as a whole"
    if TUNINGS[case.tuning].attributes.get("compiled"):
        return f"{case.tuning} compiles calls of the network, and {case.task} does not call it as a whole"
    return ""
