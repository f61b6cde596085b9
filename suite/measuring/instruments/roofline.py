"""Roofline: operations and bytes of a step, and the ceilings of this machine.

The step has the case's network, optimizer, batch and precision. It runs eagerly in one process on the host's cores, so
its operations do not depend on execution, compilation or input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any

import torch

from suite.contracts import float32
from suite.contracts.phase_hook import Phase, PhaseHook
from suite.measuring.instruments.operator_costs import OperatorCosts
from suite.measuring.modes import make_step
from suite.records import DEFAULT_INPUT, DEFAULT_TUNING, Case, Metric, Series
from suite.registry import EXECUTIONS, TASKS, TUNINGS

PHASES = {"forward": "forward", "compare": "forward", "backward": "backward", "update": "update"}
"""Phase of a step -> the phase that its operations count for."""
OUTSIDE = "other"
"""Operations outside of phases, in a step in another order."""
FLOPS = "Floating-point operations of one step's"
BYTES = "Bytes that the operators of one step read and write, none of them fused."
UNKNOWN = "Operators of the step whose operations could not be counted."
READINGS = 5
"""Of each ceiling: the best of them is the ceiling, the others show its uncertainty."""
PRODUCT_SIDE = {"cpu": 768, "accelerator": 8192}
"""Rows and columns of the square matrices of the product, by kind of device: the smallest that keep it busy."""
COPIED_BYTES = {"cpu": 64 * 2**20, "accelerator": 1024 * 2**20}
"""Bytes of the block that is copied: more than caches hold."""
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""Precision of a tuning -> that of the product; float32 for all others."""


def measure(case: Case) -> tuple[Series, ...]:
    """Count operations and bytes of a case's step; measure its device's ceilings."""
    return (*count_work(case), *measure_ceilings(case))


def eager_equivalent(case: Case) -> Case:
    """The case with the same operations, eagerly in one process of the host."""
    tuning = TUNINGS[case.tuning]
    is_eager = not tuning.attributes.get("compiled") and not tuning.attributes.get("graph")
    keeps = is_eager and not tuning.strategy.refusal(case, "cpu")
    made = TASKS[case.task].strategy.makes_batches()
    return replace(
        case,
        execution="cpu",
        tuning=case.tuning if keeps else DEFAULT_TUNING,
        input=DEFAULT_INPUT if made else case.input,
    )


def count_work(case: Case) -> tuple[Series, ...]:
    """Count operations by phase, and bytes, of a step after the first.

    In the first step the optimizer makes its state.
    """
    costs = OperatorCosts()
    with make_step(eager_equivalent(case), hook=label_phases(costs)) as step:
        step()
        costs.clear()
        with costs:
            step()
    phases = dict.fromkeys(PHASES[phase] for phase in step.phases if phase in PHASES)
    if step.has_own_order:
        phases[OUTSIDE] = None
    return (
        *(Series.single(f"flops_{phase}", "FLOP", costs.flops.get(phase, 0), f"{FLOPS} {phase}.") for phase in phases),
        Series.single("bytes_moved", "B", sum(costs.bytes.values()), BYTES),
        Series.single("unknown_operators", "count", len(costs.unknown), UNKNOWN),
    )


def label_phases(costs: OperatorCosts) -> PhaseHook:
    """A hook that sets the phase under which operators are counted."""

    def wrap_phase(name: str, phase: Phase) -> Phase:
        label = PHASES.get(name)
        if label is None:
            return phase

        def labelled(*arguments: Any) -> Any:
            before, costs.phase = costs.phase, label
            try:
                return phase(*arguments)
            finally:
                costs.phase = before

        return labelled

    return wrap_phase


def measure_ceilings(case: Case) -> tuple[Series, ...]:
    """Measure this process's highest rates: a product of matrices, and a copy.

    In the precision and with the threads of the case. A product of float32 has the precision of convolutions, which on
    CUDA devices is not that of other products. Matrices hold random numbers: equal ones need less power, so that a
    device would run at a higher clock.
    """
    execution = EXECUTIONS[case.execution].strategy()
    kind, device = execution.device_type(), execution.device()
    tuning = TUNINGS[case.tuning].strategy(kind)
    dtype = DTYPES.get(TUNINGS[case.tuning].attributes.get("dtype", ""), torch.float32)
    size = "cpu" if kind == "cpu" else "accelerator"
    side, copied_bytes = PRODUCT_SIDE[size], COPIED_BYTES[size]
    with ExitStack() as stack:
        stack.enter_context(tuning.setting())
        precision = stack.enter_context(precision_of_product(kind, dtype))
        matrix = torch.randn(side, side, dtype=dtype, device=device)
        result = torch.empty_like(matrix)
        product = rates(lambda: torch.mm(matrix, matrix, out=result), 2.0 * side**3, execution.wait)
        block = torch.ones(copied_bytes // 4, device=device)
        target = torch.empty_like(block)
        copied = rates(lambda: target.copy_(block), 2.0 * copied_bytes, execution.wait)
    return (
        Series(
            Metric(
                "ceiling_flops",
                "FLOP/s",
                "higher",
                f"Operations per second of a product of {dtype} matrices{precision} here.",
            ),
            product,
        ),
        Series(
            Metric("ceiling_bandwidth", "B/s", "higher", "Bytes read and written per second by a copy in memory here."),
            copied,
        ),
    )


@contextmanager
def precision_of_product(kind: str, dtype: torch.dtype) -> Iterator[str]:
    """Let products on CUDA devices have the precision of convolutions; yield it."""
    if kind != "cuda":
        yield ""
        return
    _, convolutions = float32.precisions()
    with float32.computing_in(convolutions, convolutions):
        yield f" in {convolutions}" if dtype == torch.float32 else ""


def rates(run: Callable[[], object], amount: float, wait: Callable[[], None]) -> tuple[float, ...]:
    """Amount per second of each run, after one that does not count."""
    readings = []
    for _ in range(1 + READINGS):
        start = perf_counter()
        run()
        wait()
        readings.append(amount / (perf_counter() - start))
    return tuple(readings[1:])
