"""Which cases can learn: the refusals of mode `learn`."""

from __future__ import annotations

from suite.records import DEFAULT_INPUT, DEFAULT_SCHEDULE, LEARN, Case
from suite.registry import EXECUTIONS, OPTIMIZERS, TASKS, TUNINGS

RATE_AT_FIRST = ("rprop",)
"""Families of optimizers whose learning rate is the size of their first step; later ones adapt by themselves.

Source: PyTorch, `torch.optim.Rprop`, algorithm.
"""


def refusal_to_learn(case: Case) -> str:
    """Reason why `case` cannot learn, or must learn but does not; empty otherwise."""
    full_batch = OPTIMIZERS[case.optimizer].full_batch
    if case.mode != LEARN:
        needs = f"{case.optimizer} takes the whole training set at each step, which only cases of mode {LEARN} have"
        return needs if full_batch else ""
    task = TASKS[case.task].strategy
    count, noun = task.training_examples, task.training_noun
    if not count:
        return f"{case.task} has neither a training set nor a quality, which cases of mode {LEARN} need"
    if case.batch_size > count:
        return f"a batch of {case.batch_size} is more than the {count} {noun} of the training set"
    if full_batch and case.batch_size < count:
        return f"{case.optimizer} takes all {count} {noun} at each step, not {case.batch_size}"
    if case.schedule != DEFAULT_SCHEDULE and OPTIMIZERS[case.optimizer].attributes["family"] in RATE_AT_FIRST:
        return (
            f"{case.optimizer} uses its learning rate in its first step alone, so that {case.schedule} would do nothing"
        )
    if case.input != DEFAULT_INPUT:
        return f"learning cases have the {noun} as input, not {case.input}"
    return refusal_of_levels(case)


def refusal_of_levels(case: Case) -> str:
    """Reason why execution or tuning cannot train in one process from step one on."""
    tuning = TUNINGS[case.tuning].attributes
    if tuning.get("compiled") or tuning.get("graph"):
        return f"{case.tuning} runs warm-up steps, which would train the network before the first epoch"
    if EXECUTIONS[case.execution].strategy.wanted_ranks() > 1:
        return f"{case.execution} shares a batch among ranks, but learning cases run in one process"
    return ""
