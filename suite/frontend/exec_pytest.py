"""pytest with Stepmark's exit codes: `python exec_pytest.py ARGUMENTS`.

`stepmark run` becomes this program in the same process, so that a signal to one ends the other. It runs by its path:
pytest has to find the package `suite` before anything imports it.
"""

from __future__ import annotations

import os
import runpy
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

WRONG_USAGE = 2
PYTEST_WRONG_USAGE, PYTEST_NOTHING_SELECTED = 4, 5
"""pytest's own exit codes for a wrong command line and for no test selected; `stepmark run` says 2 for both.

Source: pytest, reference guides, "Exit codes".
"""
NOTHING_SELECTED = "stepmark: no case was selected; `stepmark list` shows the cases of a profile.\n"


def main() -> int:
    """Run pytest as `python -m pytest` does; return its exit code, 2 for wrong usage."""
    if not sys.flags.safe_path:  # the first entry is this file's folder; with `-m` it is the current one
        sys.path[0] = str(Path.cwd())
    with streams().forgiving():
        try:
            runpy.run_module("pytest", run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        end_ranks()
    if code == PYTEST_NOTHING_SELECTED:
        sys.stderr.write(NOTHING_SELECTED)
    return WRONG_USAGE if code in (PYTEST_WRONG_USAGE, PYTEST_NOTHING_SELECTED) else code


def streams() -> ModuleType:
    """The module `streams` next to this file, not yet as one of the package.

    What pytest prints must not end a run: a reader such as `head` closes the pipe, a terminal is closed.
    """
    spec = spec_from_file_location("stepmark_streams", Path(__file__).with_name("streams.py"))
    if spec is None or spec.loader is None:
        raise AssertionError("a file of Python has a loader")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def end_ranks() -> None:
    """Let torchrun's other ranks end; if that fails, its agent ends them."""
    from suite.distributed.rendezvous import announce_end
    from suite.machine import torchrun
    from suite.records import StepmarkError

    try:
        world = torchrun.world()
        if world:
            announce_end(world)
    except StepmarkError as error:
        sys.stderr.write(f"stepmark: {error}\n")


if __name__ == "__main__":
    sys.exit(main())
