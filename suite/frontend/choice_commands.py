"""Commands about a record that say which levels and cases to choose."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from suite.errors import ExitCode
from suite.markup.printable import printable
from suite.matrix.selection import selector
from suite.records import Run
from suite.records.store import read_run

if TYPE_CHECKING:
    from suite.effects.values import Selects


def run_for(options: argparse.Namespace) -> Run:
    """The record; its texts are made printable unless JSON escapes them."""
    run = read_run(options.record)
    return run if options.format == "json" else printable(run)


def effects_text(options: argparse.Namespace) -> str:
    """The effects of levels on one metric, in the format that was asked for.

    Raises:
        StepmarkError: the record cannot be read, or has no case with the metric.
    """
    from suite.effects.as_json import as_json
    from suite.effects.study import study
    from suite.effects.text import as_table

    run = run_for(options)
    found = study(run, options.metric, selection(run, options))
    return as_json(found) if options.format == "json" else as_table(found)


def selection(run: Run, options: argparse.Namespace) -> Selects:
    """Whether both `-k` and `--filter` select a case, by its id.

    Raises:
        StepmarkError: one of them is wrong.
    """
    from suite.overview.filtering import selects

    matches, shows = selector(options.expression or ""), selects(run, options.filter)
    return lambda case_id: matches(case_id) and shows(case_id)


def recommendation(options: argparse.Namespace) -> tuple[str, int]:
    """The recommended cases as text, and the exit code.

    The code is 1 if no case is within the limits.

    Raises:
        StepmarkError: the record cannot be read, a limit is wrong, or no case was measured.
    """
    from suite.effects import advice_text
    from suite.effects.limits import OPTIONS, limits_of
    from suite.effects.recommendation import recommend

    given = {name: getattr(options, name.replace("-", "_")) for name in OPTIONS}
    limits = limits_of({name: text for name, text in given.items() if text is not None})
    run = run_for(options)
    found = recommend(run, limits, selection(run, options))
    render = advice_text.as_json if options.format == "json" else advice_text.as_table
    is_chosen = any(advice.chosen for advice in found)
    return render(found, limits), ExitCode.SUCCESS if is_chosen else ExitCode.FAILURE
