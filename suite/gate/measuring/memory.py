"""Reads the memory of both sides, case by case, with a run's instrument."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from time import monotonic

from suite.analysis.exact_metrics import exact_metrics
from suite.gate.measuring.block import refuse_strays, start
from suite.gate.measuring.pair import OneFailed, answer
from suite.gate.measuring.sides import BothSides, SideWorker
from suite.gate.record.values import SIDES, CasePair, Reading, Side

SURVEY = "memory"


def measure_memory(
    setting: BothSides, rows: Sequence[CasePair], index: int, seed: int, clock_s: Callable[[], float] = monotonic
) -> Reading:
    """Measure the memory of each case in fresh processes, both sides at once.

    Raises:
        StepmarkError: a side does not start, has loaded code of another checkout, or its code has changed.
    """
    chance = random.Random(f"{seed} memory {index}")  # noqa: S311 - an order
    started_s = clock_s()
    by_row: dict[str, tuple[dict[str, float], dict[str, float]]] = {}
    failed: dict[str, tuple[Side, str]] = {}
    with ExitStack() as stack:
        launchers = setting.launchers("comparison", chance)
        for launcher in launchers:
            stack.enter_context(launcher)
        start(launchers, chance.randrange(2))
        for row in rows:
            workers: list[SideWorker] = []
            try:
                for place, case in enumerate((row.baseline, row.candidate)):
                    begin = partial(launchers[place].start_instrument, case, SURVEY)
                    workers.append(answer(place, begin))
                series = [answer(place, worker.instrument_series) for place, worker in enumerate(workers)]
                baseline, candidate = map(exact_metrics, series)
                by_row[row.id] = (baseline, candidate)
            except OneFailed as error:
                if not error.lost:
                    failed[row.id] = (SIDES[error.place], str(error))
            finally:
                for worker in workers:
                    worker.end()
        refuse_strays(launchers)
        setting.refuse_changed(launchers)
    return Reading(index, clock_s() - started_s, by_row, failed)
