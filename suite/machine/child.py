"""A forked child that serves this process over two pipes, and ends with it."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from suite.machine.process_lifetime import die_with_parent


@dataclass(frozen=True, slots=True)
class Child:
    """A child process, and this process's ends of the pipes to it.

    Attributes:
        pid: the child's process id; the caller waits for it.
        commands: descriptor to write commands to.
        answers: descriptor to read answers from; it is at its end once the child has ended.
    """

    pid: int
    commands: int
    answers: int


def fork_child(serve: Callable[[int, int], object], unwanted: Iterable[int] = ()) -> Child:
    """Fork a child that runs `serve(commands, answers)` and exits.

    Call it before this process starts a thread: a fork copies locks, but not the threads that would release them. An
    error in the child goes to standard error, and its exit status is 1. If this process no longer reads the answers,
    the child ends without a message.

    Args:
        serve: called in the child with the descriptor to read commands from, and the one to write answers to.
        unwanted: descriptors of this process that the child closes, such as those to other children.
    """
    their_commands, commands = os.pipe()
    answers, their_answers = os.pipe()
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        status = 1
        try:
            die_with_parent(parent)
            for fd in (commands, answers, *unwanted):
                os.close(fd)
            serve(their_commands, their_answers)
            status = 0
        except BrokenPipeError:
            pass
        except BaseException:  # noqa: BLE001 - the child ends here, whatever it was
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(their_commands)
    os.close(their_answers)
    return Child(pid, commands, answers)
