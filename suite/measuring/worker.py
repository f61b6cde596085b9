"""The isolated process that measures one case on request and sends raw rounds. It judges nothing."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from suite.distributed import rendezvous
from suite.distributed.ranks import follow_commands
from suite.machine import torchrun
from suite.machine.affinity import Cores
from suite.measuring.barrier import Meeting
from suite.measuring.instruments import instrument_named
from suite.measuring.modes import attributes, make_step
from suite.measuring.recorder import metrics, record_rounds
from suite.measuring.step import DivergedError
from suite.protocol import Closed, Link, describe, pack
from suite.records import DEFAULT_EPOCHS, DEFAULT_MODE, DEFAULT_SCHEDULE, LEARN, Case, Metric
from suite.records.failure_reason import cause, one_line
from suite.records.json_values import plain
from suite.registry import EXECUTIONS
from suite.units import SCALES


def work(link: Link, order: dict[str, Any]) -> None:
    """What a worker was forked for: a visit, a survey, or another rank's visit."""
    (follow if "follow" in order else survey if "survey" in order else serve)(link, order)


def serve(link: Link, order: dict[str, Any]) -> None:
    """Make the step of a case, then measure rounds for each request until the link closes.

    Every error of the case is an answer, not a crash: the reading half shows it as the reason.

    Args:
        link: to the process that judges.
        order: `case` and `threads`.
    """
    try:
        case = Case(**order["case"])
        take_threads(order["threads"])
        cores = Cores()
        with make_step(case) as step:
            gc.collect()
            gc.freeze()  # what the step is made of stays; a turn's own collection need not look through it
            refuse_units((*metrics(step), *(one.metric for one in step.once)))
            described = [describe(metric) for metric in metrics(step)]
            link.send({"made": plain(attributes(case, step)), "once": pack(step.once), "metrics": described})
            while True:
                request, fds = link.receive_fds(1)
                if fds:
                    with Meeting(socket.socket(fileno=fds[0]), request["together"]) as meeting:
                        rounds = record_rounds(step, **request["measure"], meet=meeting.meet)
                else:
                    with cores.one_each(torch.get_num_threads()) if step.is_single_process else nullcontext():
                        rounds = record_rounds(step, **request["measure"])
                link.send({"rounds": [series.values for series in rounds]})
    except Closed:
        return
    except Exception as error:  # noqa: BLE001 - whatever a user's level raises is the reason of its case
        link.send({"failed": reason(error)})


def survey(link: Link, order: dict[str, Any]) -> None:
    """Send what one survey finds of a case. One that learns is looked at as it trains: its step is the same.

    Args:
        link: to the process that judges.
        order: `case`, `threads`, and `survey`, the name of one.
    """
    try:
        case = Case(**order["case"])
        take_threads(order["threads"])
        found = instrument_named(order["survey"])(trained(case))
        link.send({"surveyed": pack(found)})
    except Closed:
        return
    except Exception as error:  # noqa: BLE001 - as in `serve`
        link.send({"failed": reason(error)})


def refuse_units(taken: Iterable[Metric]) -> None:
    """Refuse a metric of a plug-in in a unit that no reader of its record would know.

    Raises:
        ValueError: `unit of metric speed is 'furlong'; allowed: s, B, ...`
    """
    for metric in taken:
        if metric.unit not in SCALES:
            raise ValueError(f"unit of metric {metric.name} is {metric.unit!r}; allowed: {', '.join(SCALES)}")


def take_threads(threads: int) -> None:
    """Let torch compute with that many threads.

    Raises:
        RuntimeError: it takes another number.
    """
    torch.set_num_threads(threads)
    if torch.get_num_threads() != threads:
        raise RuntimeError(f"torch took {torch.get_num_threads()} threads where {threads} were asked for")


def trained(case: Case) -> Case:
    """The case itself, or the one that repeats the step with which it learns."""
    if case.mode != LEARN:
        return case
    return replace(case, mode=DEFAULT_MODE, schedule=DEFAULT_SCHEDULE, epochs=DEFAULT_EPOCHS)


def follow(link: Link, order: dict[str, Any]) -> None:
    """On a rank of torchrun's other than 0: wait for a visit, then do what rank 0's worker tells.

    Args:
        link: to the process that torchrun started for this rank, which is told whether there is such a visit.
        order: `follow`, the number of the visit; `threads`; `limit_s`, seconds that one command may take.
    """
    world = torchrun.world()
    invitation = rendezvous.wait_for_invitation(order["follow"], world) if world else None
    link.send({"attends": invitation is not None})
    if world is None or invitation is None:
        return
    take_threads(order["threads"])
    connection = rendezvous.accept_invitation(invitation, world).detach()
    execution = EXECUTIONS[invitation.case.execution].strategy()
    follow_commands(
        lambda: execution.follow(invitation, partial(make_step, invitation.case)),
        connection,
        connection,
        order["limit_s"],
    )


def reason(error: Exception) -> str:
    """Why a case failed, in one line: what ran out, or the error's type and what it says."""
    text = cause(str(error))
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        return f"out of memory: {text or 'the allocation was refused'}"
    return text if isinstance(error, DivergedError) else one_line(error)
