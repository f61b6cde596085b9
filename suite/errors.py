"""Errors that a user can mend, and the exit codes of every command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit code of a command.

    A command that a signal ends has 128 plus the signal's number, as in a shell.
    """

    SUCCESS = 0
    FAILURE = 1
    """A case failed, or what was asked for could not be made."""
    WRONG_USAGE = 2
    REGRESSION = 10
    INCONCLUSIVE = 11
    NOT_COMPARABLE = 12


class StepmarkError(Exception):
    """A fault that the user can mend, in one sentence.

    The sentence has the value found, the values allowed, and the change that mends it.
    """

    exit_code = ExitCode.WRONG_USAGE


class NotComparableError(StepmarkError):
    """The two sides cannot be compared; the sentence names the difference."""

    exit_code = ExitCode.NOT_COMPARABLE
