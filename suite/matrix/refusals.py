"""Reasons why a case cannot run here. Such a case is listed and not measured."""

from __future__ import annotations

from suite.machine import cuda
from suite.matrix.learning import refusal_to_learn
from suite.matrix.tasks import refusal_of_task
from suite.provenance.installation import refusal_without
from suite.records import INFER, Case
from suite.registry import EXECUTIONS, INPUTS, OPTIMIZERS, STRUCTURES, TUNINGS


def refusal(case: Case) -> str:
    """Reason why `case` cannot run on this machine, or at all; empty if it can."""
    structure = STRUCTURES[case.structure]
    if structure.needs and (missing := refusal_without(structure.needs, case.structure)):
        return missing
    smallest = structure.min_image_size
    if case.image_size < smallest:
        return f"{case.structure} needs images of at least {smallest} pixels a side, not {case.image_size}"
    execution = EXECUTIONS[case.execution].strategy
    device = execution.device_type()
    return (
        refusal_alone(case, execution.wanted_ranks())
        or refusal_of_task(case)
        or refusal_to_learn(case)
        or refusal_of_devices(case, device)
        or execution.refusal(case)
        or ("" if case.mode == INFER else OPTIMIZERS[case.optimizer].lacks_kernel(device))
        or TUNINGS[case.tuning].strategy.refusal(case, device)
        or INPUTS[case.input].pipeline.refusal(case, device)
    )


def refusal_of_devices(case: Case, device: str) -> str:
    """Reason why torch can use no device here; empty if it can, or without one."""
    why = cuda.hindrance() if device == "cuda" else ""
    return f"{case.execution} needs a CUDA device, and {why}" if why else ""


def refusal_alone(case: Case, ranks: int) -> str:
    """Reason why one image a rank is too few for batch norms; empty if it is not."""
    smallest = STRUCTURES[case.structure].min_image_size_alone
    if case.mode == INFER or case.batch_size // ranks != 1 or case.image_size >= smallest:
        return ""
    return f"{case.structure} needs 2 images a rank, or images of {smallest} pixels a side, for its last batch norms"
