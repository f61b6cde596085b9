"""What a step has to compute and to move, and the most that this machine does of either.

Work is that of the case's network, optimizer, batch and precision, run eagerly in one process on the host's cores: it
is the same however it is shared out, compiled or fed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from time import perf_counter
from typing import Any

import torch

from suite.contracts.phase_hook import Phase, PhaseHook
from suite.measuring.instruments.operator_costs import Work
from suite.measuring.modes import make_step
from suite.records import DEFAULT_INPUT, DEFAULT_TUNING, Case, Metric, Series
from suite.registry import EXECUTIONS, TUNINGS

PARTS = {"forward": "forward", "compare": "forward", "backward": "backward", "update": "update"}
"""Part of a step -> the work that it belongs to."""
FLOPS = "Floating-point operations of one step's"
BYTES = "Bytes that the operators of one step read and write, none of them fused."
UNKNOWN = "Operators of the step whose operations could not be counted."
READINGS = 5
"""Of each ceiling: the best of them is the ceiling, the others show how sure it is."""
PRODUCT_SIDE = {"cpu": 768, "cuda": 8192}
"""Rows and columns of the square matrices of the product, by kind of device: the smallest that keep it busy."""
COPIED_BYTES = {"cpu": 64 * 2**20, "cuda": 1024 * 2**20}
"""Bytes of the block that is copied: more than caches hold."""
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""Precision of a tuning -> that of the product; float32 for all others."""


def survey(case: Case) -> tuple[Series, ...]:
    """Operations and bytes of a case's step, and the ceilings of the device that it runs on."""
    return (*work(case), *ceilings(case))


def twin(case: Case) -> Case:
    """The case that does the same work eagerly in one process of the host."""
    facts = TUNINGS[case.tuning].attributes
    keeps = (
        not facts.get("compiled") and not facts.get("graph") and not TUNINGS[case.tuning].strategy.refusal(case, "cpu")
    )
    return replace(case, execution="cpu", tuning=case.tuning if keeps else DEFAULT_TUNING, input=DEFAULT_INPUT)


def work(case: Case) -> tuple[Series, ...]:
    """Operations by part, and bytes, of one step that is not the first: the optimizer's first makes its state."""
    counter = Work()
    with make_step(twin(case), hook=by_part(counter)) as step:
        step()
        counter.clear()
        with counter:
            step()
    parts = dict.fromkeys(PARTS[part] for part in step.phases if part in PARTS)
    return (
        *(Series.single(f"flops_{part}", "FLOP", counter.flops.get(part, 0), f"{FLOPS} {part}.") for part in parts),
        Series.single("bytes_moved", "B", sum(counter.bytes.values()), BYTES),
        Series.single("unknown_operators", "count", len(counter.unknown), UNKNOWN),
    )


def by_part(counter: Work) -> PhaseHook:
    """What tells a counter which part of a step is running."""

    def watch(part: str, call: Phase) -> Phase:
        kind = PARTS.get(part)
        if kind is None:
            return call

        def watched(*arguments: Any) -> Any:
            before, counter.part = counter.part, kind
            try:
                return call(*arguments)
            finally:
                counter.part = before

        return watched

    return watch


def ceilings(case: Case) -> tuple[Series, ...]:
    """Readings of the most that this process does in a second, in the precision and with the threads of the case."""
    execution = EXECUTIONS[case.execution].strategy()
    kind = execution.device_type()
    tuning = TUNINGS[case.tuning].strategy(kind)
    dtype = DTYPES.get(TUNINGS[case.tuning].attributes.get("dtype", ""), torch.float32)
    side = PRODUCT_SIDE[kind]
    with ExitStack() as stack:
        stack.enter_context(tuning.setting())
        matrix = torch.ones(side, side, dtype=dtype, device=kind)
        result = torch.empty_like(matrix)
        product = readings(lambda: torch.mm(matrix, matrix, out=result), 2.0 * side**3, kind)
        block = torch.ones(COPIED_BYTES[kind] // 4, device=kind)
        target = torch.empty_like(block)
        copied = readings(lambda: target.copy_(block), 2.0 * COPIED_BYTES[kind], kind)
    return (
        Series(
            Metric(
                "ceiling_flops", "FLOP/s", "higher", f"Operations per second of a product of {dtype} matrices here."
            ),
            product,
        ),
        Series(
            Metric("ceiling_bandwidth", "B/s", "higher", "Bytes read and written per second by a copy in memory here."),
            copied,
        ),
    )


def readings(run: Callable[[], object], amount: float, kind: str) -> tuple[float, ...]:
    """Amount per second of each of some runs, after one that does not count."""
    found = []
    for _ in range(1 + READINGS):
        start = perf_counter()
        run()
        if kind == "cuda":
            torch.cuda.synchronize()
        found.append(amount / (perf_counter() - start))
    return tuple(found[1:])
