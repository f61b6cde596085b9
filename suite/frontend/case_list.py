"""The cases of a profile as `stepmark list` shows them, in a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from suite.configuration.values import NOTHING, Configuration, naming_places
from suite.matrix.cases import choice_of
from suite.matrix.designs import FULL, Choice
from suite.matrix.profiles import profile_of
from suite.matrix.refusals import refusal
from suite.matrix.selection import selector, shard
from suite.records import INFER, Case
from suite.records.factors import shown_factors

SHOWN_REASONS = 5
"""Reasons for cases that a design could not choose, the most frequent first; more would bury the list."""


@dataclass(frozen=True, slots=True)
class CaseList:
    """Selected cases of a profile.

    Attributes:
        choice: the cases that the profile's design chose, before the selection.
        rows: each selected case, and the reason why it does not run here; empty if it does.
    """

    choice: Choice
    rows: list[tuple[Case, str]]


def list_of(given: Mapping[str, str], expression: str, configuration: Configuration = NOTHING) -> CaseList:
    """The cases that a run with these options would measure.

    Args:
        given: text of each option that was given, by name (`suite.options.LIST_OPTIONS`).
        expression: as pytest's `-k`.
        configuration: of the current folder.

    Raises:
        StepmarkError: an option is wrong, or a profile cannot be read.
    """
    selects = selector(expression)
    values = configuration.values_of("run", given)
    with naming_places(values):
        choice = choice_of(profile_of(values, configuration))
        cases = shard(choice.cases, values["shard"].text) if "shard" in values else choice.cases
    return CaseList(choice, [(case, refusal(case)) for case in cases if selects(case.id)])


def json_lines(listing: CaseList) -> Iterator[str]:
    """One object a line for each case."""
    shown = shown_factors([case for case, _ in listing.rows])
    for case, reason in listing.rows:
        levels = {factor.name: factor.level_of(case) for factor in shown}
        yield json.dumps({"id": case.id, **levels, "runnable": not reason, "reason": reason})


def table_lines(listing: CaseList) -> Iterator[str]:
    """One line for each case, then what the design left out, then totals."""
    width = max((len(case.id) for case, _ in listing.rows), default=0)
    for case, reason in listing.rows:
        yield f"{case.id:<{width}}  {reason or 'runs here'}"
    yield from design_lines(listing.choice)
    if any(case.mode == INFER for case, _ in listing.rows):
        yield "inference cases have no optimizer; each is listed once, under the profile's first optimizer"
    shown, refused = len(listing.rows), sum(bool(reason) for _, reason in listing.rows)
    yield f"{shown} of {len(listing.choice.cases)} cases listed, {shown - refused} run here, {refused} do not"


def design_lines(choice: Choice) -> Iterator[str]:
    """Numbers of cases that a design chose and left out; nothing for a full matrix."""
    if choice.design == FULL:
        return
    refused = sum(choice.refused.values())
    yield (
        f"design {choice.design}: {len(choice.cases)} of {choice.matrix_cases} cases chosen; "
        f"{choice.matrix_cases - len(choice.cases) - refused} more run here, {refused} do not"
    )
    for reason, count in list(choice.refused.items())[:SHOWN_REASONS]:
        yield f"  {count} not here: {reason}"
    if len(choice.refused) > SHOWN_REASONS:
        yield f"  and {len(choice.refused) - SHOWN_REASONS} more reasons"
