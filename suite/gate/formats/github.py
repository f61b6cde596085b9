"""A verdict as workflow commands, which GitHub shows as annotations of a run.

Source: GitHub's "Workflow commands for GitHub Actions"; the escapes are those of `@actions/core`, `command.ts`.
"""

from __future__ import annotations

from dataclasses import replace

from suite.errors import ExitCode
from suite.gate.formats.numbers import change
from suite.gate.formats.sanitize import printable
from suite.gate.formats.sentences import (
    also,
    bound,
    case_label,
    culprits,
    failures,
    finding,
    is_bounded,
    level_label,
    remarks,
    sentence,
)
from suite.gate.verdict import GateVerdict, Judged

SHOWN = 10
"""Annotations of one kind that GitHub shows for a step; it drops all further ones, so the last one counts the rest."""
DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render(verdict: GateVerdict) -> str:
    """Errors for culprits and failed cases, warnings for what is not known, notices for improvements and the whole."""
    verdict = printable(verdict)
    return "\n".join(
        [
            *limited("error", "regressions and failed cases", errors(verdict)),
            *limited("warning", "inconclusive cases", warnings(verdict)),
            *limited("notice", "improvements", notices(verdict)),
        ]
    )


def errors(verdict: GateVerdict) -> list[tuple[str, str]]:
    """Titles and messages of each culprit, with how many it explains, and of each case that fails."""
    attribute = [one.explained_by for one in (*verdict.cases, *verdict.levels)]
    found = []
    for label, one in culprits(verdict):
        others = attribute.count(one.name)
        more = f"; it explains {others:,} more" if others else ""
        found.append((f"{one.metric} regression", f"{label}: {change(one)}{also(replace(one, explained_by=''))}{more}"))
    return found + [("case fails", f"{one.name}: {one.reason}") for one in failures(verdict)]


def warnings(verdict: GateVerdict) -> list[tuple[str, str]]:
    """Titles and messages of remarks, of each inconclusive case, and that nothing was compared."""
    nothing = [sentence(verdict)] if verdict.exit_code == ExitCode.NOT_COMPARABLE else []
    return [("gate", one) for one in (*remarks(verdict), *nothing)] + [
        (f"{one.metric} inconclusive", f"{case_label(one)}: {finding(one)}")
        for one in verdict.cases
        if one.verdict == "inconclusive"
    ]


def notices(verdict: GateVerdict) -> list[tuple[str, str]]:
    """Titles and messages of the whole, and of each improvement: of levels first, which explain their cases."""
    better = [(level_label(one), one) for one in verdict.levels] + [(case_label(one), one) for one in verdict.cases]
    return [("gate", sentence(verdict))] + [
        (f"{one.metric} improvement", improved(label, one)) for label, one in better if one.verdict == "improvement"
    ]


def improved(label: str, one: Judged) -> str:
    """An improvement, and what slowdown is ruled out."""
    return f"{label}: {change(one)}" + (f"; {bound(one)}" if is_bounded(one) else "")


def limited(kind: str, what: str, found: list[tuple[str, str]]) -> list[str]:
    """Commands of one kind, as many as are shown; the last one counts the rest where there are more."""
    if len(found) > SHOWN:
        rest = len(found) - SHOWN + 1
        found = [*found[: SHOWN - 1], ("and more", f"{rest:,} more {what} are in the table")]
    return [f"::{kind} title={title.translate(PROPERTY)}::{message.translate(DATA)}" for title, message in found]
