"""The gate that a command line asks for: a new one, or an interrupted one."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.configuration.files import configuration_here
from suite.gate import output, planning
from suite.gate.options import options_of
from suite.gate.planning import OpenGate
from suite.options import GATE_OPTIONS, given_options, refuse_with_resume


def open_gate(options: argparse.Namespace) -> OpenGate:
    """A new gate, or the interrupted one that `--resume` names.

    Raises:
        StepmarkError: an option is wrong, or the gate cannot be continued.
    """
    given = given_options(options, GATE_OPTIONS)
    others = {"-k": options.expression, "--out": options.out}
    if options.resume is None:
        wanted = options_of({**given, "expression": options.expression}, configuration_here())
        return planning.begin(wanted, options.out)
    refuse_with_resume(f"--{name}" for name in given)
    refuse_with_resume(flag for flag, value in others.items() if value is not None)
    place = options.resume if options.resume.is_dir() else options.resume.parent
    return planning.resume(options.resume, has_verdict=all((place / name).is_file() for name in output.FILES))


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Within it, an interruption says how to continue."""
    try:
        yield
    except KeyboardInterrupt as error:
        command = shlex.join(["stepmark", "gate", "--resume", str(folder)])
        error.args = (f"{str(error) or 'interrupted'}; `{command}` continues",)
        raise
