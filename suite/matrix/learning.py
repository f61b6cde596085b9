"""Which cases can learn: the refusals of mode `learn`."""

from __future__ import annotations

from suite.contracts.learning_data import TRAINING_IMAGES
from suite.provenance.installation import is_installed
from suite.records import DEFAULT_INPUT, LEARN, Case
from suite.registry import EXECUTIONS, OPTIMIZERS, TUNINGS


def refusal_to_learn(case: Case) -> str:
    """Reason why `case` cannot learn, or must learn but does not; empty otherwise."""
    full_batch = OPTIMIZERS[case.optimizer].full_batch
    if case.mode != LEARN:
        needs = f"{case.optimizer} takes the whole training set at each step, which only cases of mode {LEARN} have"
        return needs if full_batch else ""
    if not is_installed("sklearn"):
        return f"mode {LEARN} needs scikit-learn, which is not installed; pip install 'stepmark[learning]'"
    if case.batch_size > TRAINING_IMAGES:
        return f"a batch of {case.batch_size} is more than the {TRAINING_IMAGES} digits of the training set"
    if full_batch and case.batch_size < TRAINING_IMAGES:
        return f"{case.optimizer} takes all {TRAINING_IMAGES} digits at each step, not {case.batch_size}"
    if case.input != DEFAULT_INPUT:
        return f"learning cases have the digits as input, not {case.input}"
    return refusal_of_levels(case)


def refusal_of_levels(case: Case) -> str:
    """Reason why execution or tuning cannot train in one process from step one on."""
    tuning = TUNINGS[case.tuning].attributes
    if tuning.get("compiled") or tuning.get("graph"):
        return f"{case.tuning} runs warm-up steps, which would train the network before the first epoch"
    if EXECUTIONS[case.execution].strategy.wanted_ranks() > 1:
        return f"{case.execution} shares a batch among ranks, but learning cases run in one process"
    return ""
