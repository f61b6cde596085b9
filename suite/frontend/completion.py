"""The completion of a shell, made from the parsers of the commands."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

import shtab

from suite.exports.formats import FORMATS
from suite.frontend.cli_options import parser
from suite.matrix.profiles import OWN_PROFILES, read_profiles
from suite.registry import STRUCTURES, load_levels

PATHS = {
    **dict.fromkeys(("RECORD", "BASELINE", "CANDIDATE", "FILE"), shtab.FILE),
    "DIR": shtab.DIRECTORY,
}
"""Placeholder of a value -> what completes it."""


def script(shell: str) -> str:
    """The script that completes `stepmark` in a shell.

    Profiles and structures are those of this installation: files and plug-ins may add more.
    """
    load_levels()
    _, profiles = read_profiles(OWN_PROFILES)
    names: dict[str, Iterable[str]] = {"--profile": profiles, "--structure": STRUCTURES}
    top = parser()
    for command, action in actions_of(top):
        known = FORMATS if (command, action.dest) == ("export", "format") else names.get(first_flag(action))
        if known is not None:
            action.choices = list(known)
        elif action.metavar in PATHS:
            action.complete = PATHS[action.metavar]  # type: ignore[attr-defined]  # shtab's protocol
    text: str = shtab.complete(top, shell)
    return text


def actions_of(top: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Each argument of each command, with the command's name."""
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command, below in action.choices.items():
                yield from ((command, one) for one in below._actions)


def first_flag(action: argparse.Action) -> str:
    """The first spelling of an option; empty for a positional argument."""
    return next(iter(action.option_strings), "")
