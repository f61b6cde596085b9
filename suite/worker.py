"""The isolated process that measures one case on request and sends raw rounds. It judges nothing."""

from __future__ import annotations

import gc
from contextlib import nullcontext
from dataclasses import dataclass

import torch

from suite.cores import Cores
from suite.protocol import Closed, Link, describe, pack
from suite.recorder import metrics, record_rounds
from suite.records import Case
from suite.training import DivergedError, attributes, make_step


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is forked for."""

    case: Case
    threads: int


def serve(link: Link, order: Order) -> None:
    """Make the step, then measure rounds for each request until the link closes.

    Every error of the case is an answer, not a crash: the reading half shows it as the reason.
    """
    try:
        torch.set_num_threads(order.threads)
        cores = Cores()
        with make_step(order.case) as step:
            gc.collect()
            gc.freeze()  # what the step is made of stays; a turn's own collection need not look through it
            described = [describe(metric) for metric in metrics(step)]
            link.send({"made": attributes(order.case, step), "once": pack(step.once), "metrics": described})
            while True:
                request = link.receive()
                with cores.one_each(torch.get_num_threads()) if step.is_alone else nullcontext():
                    rounds = record_rounds(step, **request["measure"])
                link.send({"rounds": [series.values for series in rounds]})
    except Closed:
        return
    except Exception as error:  # noqa: BLE001 - whatever a user's level raises is the reason of its case
        link.send({"failed": reason(error)})


def reason(error: Exception) -> str:
    """Why a case failed, in one line: what ran out, or the error's type and first line."""
    lines = str(error).strip().splitlines() or [""]
    text = lines[0]
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        return f"out of memory: {text or 'the allocation was refused'}"
    if isinstance(error, DivergedError):
        return text
    return f"{type(error).__name__}: {text}"
