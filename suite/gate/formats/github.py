"""A verdict as workflow commands, which GitHub shows as annotations.

Source: GitHub's "Workflow commands for GitHub Actions"; escapes of `@actions/core`, `command.ts`.
"""

from __future__ import annotations

from dataclasses import replace

from suite.analysis import change_text
from suite.analysis.change_text import with_interval
from suite.errors import ExitCode
from suite.gate.formats.sentences import (
    case_label,
    culprits,
    explanation,
    failures,
    finding,
    level_label,
    remarks,
    sentence,
)
from suite.gate.verdict import GateChange, GateVerdict

SHOWN = 10
"""Annotations of one kind that GitHub shows for a step. It drops all others, so the last one counts them."""
DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render(verdict: GateVerdict) -> str:
    """Errors for regressions and failed cases, warnings, and notices for the rest."""
    return "\n".join(
        [
            *limited("error", "regressions and failed cases", errors(verdict)),
            *limited("warning", "inconclusive cases", warnings(verdict)),
            *limited("notice", "improvements", notices(verdict)),
        ]
    )


def errors(verdict: GateVerdict) -> list[tuple[str, str]]:
    """Titles and messages of the culprits and the failed cases."""
    explanations = [judged.explained_by for judged in (*verdict.cases, *verdict.levels)]
    titled = []
    for label, culprit in culprits(verdict):
        explained = explanations.count(culprit.name)
        more = f"; it explains {explained:,} more regression{'s' * (explained != 1)}" if explained else ""
        measured = explanation(replace(culprit, explained_by=""))
        titled.append((f"{culprit.metric} regression", f"{label}: {with_interval(culprit)}{measured}{more}"))
    return titled + [("case fails", f"{case.name}: {case.reason}") for case in failures(verdict)]


def warnings(verdict: GateVerdict) -> list[tuple[str, str]]:
    """Titles and messages of remarks, inconclusive cases and an empty comparison."""
    nothing = [sentence(verdict)] if verdict.exit_code == ExitCode.NOT_COMPARABLE else []
    return [("gate", text) for text in (*remarks(verdict), *nothing)] + [
        (f"{case.metric} inconclusive", f"{case_label(case)}: {finding(case)}")
        for case in verdict.cases
        if case.verdict == "inconclusive"
    ]


def notices(verdict: GateVerdict) -> list[tuple[str, str]]:
    """Titles and messages of the sentence and the improvements, levels before cases."""
    labelled = [(level_label(level), level) for level in verdict.levels]
    labelled += [(case_label(case), case) for case in verdict.cases]
    return [("gate", sentence(verdict))] + [
        (f"{judged.metric} improvement", improvement(label, judged))
        for label, judged in labelled
        if judged.verdict == "improvement"
    ]


def improvement(label: str, judged: GateChange) -> str:
    """An improvement with its bound."""
    bound = f"; {change_text.bound(judged)}" if change_text.is_bounded(judged) else ""
    return f"{label}: {with_interval(judged)}{bound}"


def limited(kind: str, plural: str, titled: list[tuple[str, str]]) -> list[str]:
    """At most `SHOWN` commands of one kind; the last one counts the others."""
    if len(titled) > SHOWN:
        rest = len(titled) - SHOWN + 1
        titled = [*titled[: SHOWN - 1], ("and more", f"{rest:,} more {plural} are in the table")]
    return [f"::{kind} title={title.translate(PROPERTY)}::{message.translate(DATA)}" for title, message in titled]
