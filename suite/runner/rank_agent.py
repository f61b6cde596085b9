"""The process of a rank other than 0: forks workers that follow rank 0's workers.

torchrun starts it. It selects no case and writes no record.

    for each visit that will be announced:
        fork a worker that waits for it
        wait until it attends, or finds that the run is over
        end workers whose visits are over
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress

from suite.configuration.files import configuration_here
from suite.distributed.rendezvous import is_over
from suite.machine.torchrun import World
from suite.matrix.profiles import search_plugins
from suite.options import OPTIONS, add_options, given_options
from suite.protocol import Attends
from suite.runner.launcher import Launcher
from suite.runner.settings import machine_defaults, resolve_options
from suite.runner.worker_handle import WorkerFailed, WorkerHandle


def follow(arguments: Sequence[str], world: World) -> None:
    """Take part in the visits of rank 0's run until it is over.

    Args:
        arguments: of `stepmark run`, the same on every rank; pytest's own do not matter here.
        world: the ranks that torchrun started.

    Raises:
        StepmarkError: an option is wrong, or no zygote starts.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_options(parser.add_argument, OPTIONS)
    given = given_options(parser.parse_known_args(arguments)[0], OPTIONS)
    settings = resolve_options(given, machine_defaults(), configuration_here())
    search_plugins(settings.profile)
    with Launcher(settings.workers, settings.profile.plugins) as launcher:
        attend_all(launcher, world)


def attend_all(launcher: Launcher, world: World) -> None:
    """Fork a worker for each visit; one that attends lives until it is over.

    A worker that is lost before it attends is replaced: rank 0 waits for it.
    """
    busy: list[WorkerHandle] = []
    number = 0
    while True:
        waiting = launcher.start_rank_worker(number)
        busy.append(waiting)
        with suppress(WorkerFailed):
            attends = waiting.receive(Attends, within_limit=False).attends
            number += 1
            if attends:
                end_those_over(busy)
                continue
        if is_over(world):
            return


def end_those_over(workers: list[WorkerHandle]) -> None:
    """Remove the workers whose visits are over; their processes have ended."""
    for worker in [worker for worker in workers if worker.has_closed]:
        worker.end()
        workers.remove(worker)
