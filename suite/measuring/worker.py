"""The worker: measures one case on request, sends raw rounds, judges nothing."""

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
from suite.machine import cuda, torchrun
from suite.machine.affinity import Cores
from suite.measuring.barrier import RoundBarrier
from suite.measuring.instruments import instrument_named
from suite.measuring.modes import attributes_of, make_step
from suite.measuring.recorder import metrics, record_rounds
from suite.measuring.step import DivergedError
from suite.protocol import Closed, Link
from suite.records import DEFAULT_EPOCHS, DEFAULT_MODE, DEFAULT_SCHEDULE, LEARN, Case, Metric
from suite.records.codec import encode_metric, encode_series
from suite.records.failure_reason import cause, one_line
from suite.records.json_values import plain
from suite.registry import EXECUTIONS
from suite.units import SCALES


def work(link: Link, task: dict[str, Any]) -> None:
    """Do the worker's task: a visit, an instrument, or another rank's visit."""
    if "follow" in task:
        follow_rank_0(link, task)
    elif "survey" in task:
        run_instrument(link, task)
    else:
        visit(link, task)


def visit(link: Link, task: dict[str, Any]) -> None:
    """Make the step of a case, then measure rounds for each request.

    It ends when the link closes. Every error of the case is an answer, not a crash: the record shows it as the reason.

    Args:
        link: to the controller.
        task: `case` and `threads`.
    """
    try:
        case = Case(**task["case"])
        leave_devices_alone(case)
        set_threads(task["threads"])
        cores = Cores()
        with make_step(case) as step:
            gc.collect()
            gc.freeze()  # the step's objects stay, so the collection before each turn can leave them out
            check_units((*metrics(step), *(series.metric for series in step.visit_series)))
            described = [encode_metric(metric) for metric in metrics(step)]
            link.send(
                {
                    "made": plain(attributes_of(case, step)),
                    "once": encode_series(step.visit_series),
                    "metrics": described,
                }
            )
            while True:
                request, fds = link.receive_fds(1)
                if fds:
                    with RoundBarrier(socket.socket(fileno=fds[0]), request["together"]) as barrier:
                        rounds = record_rounds(step, **request["measure"], meet=barrier.wait)
                else:
                    with cores.one_each(torch.get_num_threads()) if step.is_single_process else nullcontext():
                        rounds = record_rounds(step, **request["measure"])
                link.send({"rounds": [series.values for series in rounds.series]})
    except Closed:
        return
    except Exception as error:  # noqa: BLE001 - whatever a user's level raises is the reason of its case
        link.send({"failed": failure_reason(error)})


def run_instrument(link: Link, task: dict[str, Any]) -> None:
    """Send the series of one instrument.

    A learning case is measured as a training case, whose step is the same.

    Args:
        link: to the controller.
        task: `case`, `threads`, and `survey`, the name of the instrument.
    """
    try:
        case = Case(**task["case"])
        leave_devices_alone(case)
        set_threads(task["threads"])
        measured = instrument_named(task["survey"])(as_training(case))
        link.send({"surveyed": encode_series(measured)})
    except Closed:
        return
    except Exception as error:  # noqa: BLE001 - as in `visit`
        link.send({"failed": failure_reason(error)})


def leave_devices_alone(case: Case) -> None:
    """Hide all devices from a worker whose case runs on the host's cores.

    Autograd counts devices in the first backward pass. That would start the driver in this process: its time and its
    memory would be those of the first step.
    """
    if EXECUTIONS[case.execution].strategy.device_type() == "cpu":
        cuda.hide_devices()


def check_units(metrics: Iterable[Metric]) -> None:
    """Refuse a plug-in's metric in a unit that readers of its record would not know.

    Raises:
        ValueError: `unit of metric speed is 'furlong'; allowed: s, B, ...`
    """
    for metric in metrics:
        if metric.unit not in SCALES:
            raise ValueError(f"unit of metric {metric.name} is {metric.unit!r}; allowed: {', '.join(SCALES)}")


def set_threads(threads: int) -> None:
    """Set torch's number of threads.

    Raises:
        RuntimeError: it takes another number.
    """
    torch.set_num_threads(threads)
    if torch.get_num_threads() != threads:
        raise RuntimeError(f"torch took {torch.get_num_threads()} threads where {threads} were asked for")


def as_training(case: Case) -> Case:
    """The case itself, or of a learning case the one that repeats its training step."""
    if case.mode != LEARN:
        return case
    return replace(case, mode=DEFAULT_MODE, schedule=DEFAULT_SCHEDULE, epochs=DEFAULT_EPOCHS)


def follow_rank_0(link: Link, task: dict[str, Any]) -> None:
    """On another rank of torchrun: wait for a visit, then follow rank 0's commands.

    Args:
        link: to the rank agent, which learns whether this worker attends a visit.
        task: `follow`, the number of the visit; `threads`; `limit_s`, seconds that one command may take.
    """
    world = torchrun.world()
    invitation = rendezvous.wait_for_invitation(task["follow"], world) if world else None
    link.send({"attends": invitation is not None})
    if world is None or invitation is None:
        return
    leave_devices_alone(invitation.case)
    set_threads(task["threads"])
    connection = rendezvous.accept_invitation(invitation, world).detach()
    execution = EXECUTIONS[invitation.case.execution].strategy()
    work = partial(execution.follow, invitation, partial(make_step, invitation.case))
    follow_commands(work, connection, connection, task["limit_s"])


def failure_reason(error: Exception) -> str:
    """Reason of a case's failure in one line: out of memory, or the error itself."""
    text = cause(str(error))
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        return f"out of memory: {text or 'the allocation was refused'}"
    return text if isinstance(error, DivergedError) else one_line(error)
