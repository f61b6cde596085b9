"""A forked child: it answers, it ends with its parent's interest, and it leaves nothing behind."""

from __future__ import annotations

import os

from suite.machine.child import Child, fork_child
from tests.fakes.fresh import in_fresh_process


def end(child: Child) -> int:
    """Close both pipes; the child's exit status."""
    os.close(child.commands)
    answer = os.read(child.answers, 1)
    os.close(child.answers)
    assert answer == b""
    return os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])


def echo(commands: int, answers: int) -> None:
    while command := os.read(commands, 1):
        os.write(answers, command.upper())


def answers_of_an_echo() -> list:
    child = fork_child(echo)
    os.write(child.commands, b"a")
    return [os.read(child.answers, 1).decode(), end(child)]


def test_a_child_answers_until_its_commands_end():
    assert in_fresh_process(answers_of_an_echo) == ["A", 0]


def statuses() -> list[int]:
    def raises(commands: int, answers: int) -> None:
        raise KeyboardInterrupt

    def writes_too_late(commands: int, answers: int) -> None:
        os.read(commands, 1)
        os.write(answers, b"x")

    failed = end(fork_child(raises))
    late = fork_child(writes_too_late)
    os.close(late.answers)
    os.close(late.commands)
    return [failed, os.waitstatus_to_exitcode(os.waitpid(late.pid, 0)[1])]


def test_a_child_that_raises_and_one_that_nobody_reads_end_with_status_1(capfd):
    assert in_fresh_process(statuses) == [1, 1]
    assert "BrokenPipeError" not in capfd.readouterr().err


def ends_of_others() -> bool:
    """Whether a second child keeps the first one's commands open."""
    first = fork_child(echo)
    second = fork_child(echo, unwanted=(first.commands, first.answers))
    first_ended = end(first) == 0
    return first_ended and end(second) == 0


def test_a_child_does_not_keep_the_pipes_of_another_open():
    assert in_fresh_process(ends_of_others)
