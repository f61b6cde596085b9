"""A verdict as plain text, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from suite import units
from suite.gate.formats.method import conditions
from suite.gate.formats.numbers import between, percent
from suite.gate.formats.sanitize import printable
from suite.gate.formats.sentences import (
    BLAMED,
    bound,
    by_reason,
    case_label,
    culprit,
    culprits,
    failures,
    finding,
    is_bounded,
    is_time,
    level_label,
    names,
    not_compared,
    remarks,
    sentence,
    telling_levels,
    widest,
)
from suite.gate.verdict import GateVerdict, Judged

FEW = 3
"""Cases of a metric of memory without a change that have a row each; more are summed up in one line."""
HEAD = ("case", "metric", "baseline", "candidate", "change", "95 % interval", "verdict")
LEFT = {0, 1, 6}
"""Columns of words; the others are numbers."""


def render(verdict: GateVerdict) -> str:
    """The sentence, the culprits, each case and metric, and how it was measured."""
    verdict = printable(verdict)
    summed = summed_up(verdict.cases)
    rows = [cells(case_label(one), one) for one in verdict.cases if one.metric not in summed or not is_same(one)]
    levels = [cells(level_label(one), one) for one in telling_levels(verdict)]
    parts = [
        [f"baseline {verdict.baseline}, candidate {verdict.candidate}: {sentence(verdict)}", *remarks(verdict)],
        blamed(verdict),
        [*(aligned([HEAD, *rows, *levels]) if rows or levels else []), *summed.values()],
        unjudged(verdict),
        [f"{label}: {text}" for label, text in conditions(verdict) if label not in ("baseline", "candidate")],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def blamed(verdict: GateVerdict) -> list[str]:
    """The largest culprits, and how many there are besides."""
    found = [culprit(label, one) for label, one in culprits(verdict)]
    rest = len(found) - BLAMED
    return [*found[:BLAMED], *([f"and {rest:,} more"] if rest > 0 else [])]


def is_same(one: Judged) -> bool:
    """Whether nothing has changed."""
    return one.verdict == "no change"


def summed_up(cases: Sequence[Judged]) -> dict[str, str]:
    """A line for each metric of memory of which many cases are without a change, by metric."""
    lines = {}
    for metric in dict.fromkeys(one.metric for one in cases if not is_time(one)):
        same = [one for one in cases if one.metric == metric and is_same(one)]
        if len(same) > FEW:
            ruled_out = f"; {bound(widest(same))} in all" if is_bounded(widest(same)) else ""
            lines[metric] = f"{metric}: no change in {len(same):,} cases{ruled_out}"
    return lines


def cells(label: str, one: Judged) -> tuple[str, ...]:
    """One case, or one level, by one metric."""
    medians = (units.whole(value, one.unit) for value in (one.baseline_median, one.candidate_median))
    return (label, one.metric, *medians, percent(one.change, sign=True), between(one), finding(one))


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows with columns of one width, words to the left, numbers to the right; the last one as long as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if index in LEFT else f"{cell:>{width}}"
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def unjudged(verdict: GateVerdict) -> list[str]:
    """Cases that fail in the candidate, each, and those that were left out, by reason."""
    return [
        *(f"failed: {one.name}: {one.reason}" for one in failures(verdict)),
        *(f"not compared: {names(some)}: {reason}" for reason, some in by_reason(not_compared(verdict)).items()),
    ]
