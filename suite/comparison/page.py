"""Changes from a run to one or more others as one HTML file, without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suite import theme, units
from suite.analysis import change_text
from suite.analysis.magnitude import reading
from suite.analysis.thresholds import VERDICTS, Thresholds
from suite.comparison import tables, wording
from suite.comparison.changes import FEWEST, CaseChange
from suite.comparison.environments import environment_differences
from suite.comparison.formats import cases_by_reason, common_change, metric_lines, summary
from suite.comparison.pairing import Pairing, overall_code
from suite.comparison.phases import of_phases
from suite.markup.github_markdown import clipped
from suite.markup.printable import printable
from suite.theme import forest
from suite.theme.forest import MARK_PX, SHAPES, TOP_PX, Interval

FOLDER = Path(__file__).parent
FEW = 24
"""Cases up to which one table has all of them; of more, the unchanged ones are folded away."""
LISTED = 10
"""Changed cases that are listed in words; the table has all of them."""
LONGEST_REASON = 600
"""Characters of a reason, and of a sentence."""


def render(pairings: Sequence[Pairing], limits: Thresholds) -> str:
    """The page about candidates that were each compared with the baseline."""
    runs = [pairings[0].baseline.run, *(one.candidate.run for one in pairings)]
    found, facts = environment_differences(runs)
    is_alone = len(pairings) == 1
    sides = ["baseline", *(["candidate"] if is_alone else [f"candidate {n}" for n, _ in enumerate(pairings, 1)])]
    values = {
        "outcome": wording.outcome(overall_code(pairings)),
        "baseline": clipped(runs[0].header.run_id, tables.LONGEST_ID),
        "candidates": [clipped(run.header.run_id, tables.LONGEST_ID) for run in runs[1:]],
        "differences": tables.of_differences(found, sides),
        "facts": facts,
        "runs": None if is_alone else tables.of_runs(pairings),
        "every_run": None if is_alone else tables.of_every_run(pairings),
        "pairings": [
            shown(one, limits, "" if is_alone else f"candidate-{number}-") for number, one in enumerate(pairings, 1)
        ],
        "how_to_read": wording.how_to_read(limits),
        "shapes": SHAPES,
        "top": TOP_PX,
        "middle": MARK_PX,
    }
    template = theme.environment(FOLDER).get_template("compare.html.j2")
    return template.render(style=theme.style_of_changes(), **printable(values))


def shown(pairing: Pairing, limits: Thresholds, prefix: str) -> dict[str, Any]:
    """Values of the template about one candidate, with `prefix` before each id."""
    found = pairing.comparison
    changed = [case for case in found.cases if case.verdict in ("regression", "improvement")]
    are_few = len(found.cases) <= FEW
    shown_first = [case for case in found.cases if are_few or case.verdict != "no change"]
    folded = [] if are_few else [case for case in found.cases if case.verdict == "no change"]
    caption = "Step time of each case" if not folded else "Step time of the cases with a change, or without a verdict"
    return {
        "prefix": prefix,
        "outcome": wording.outcome(pairing.code),
        "sentence": clipped(wording.sentence(pairing, limits), LONGEST_REASON),
        "notices": wording.notices(pairing, limits),
        "figures": figures(pairing),
        "changed": [
            (clipped(one.name, tables.LONGEST_ID), wording.changed_case(one, pairing, limits))
            for one in changed[:LISTED]
        ],
        "has_levels_to_show": bool(changed or pairing.unlike),
        "more_changed": len(changed[LISTED:]),
        "coverage": tables.of_coverage(pairing, prefix),
        "levels": tables.of_levels(pairing, prefix),
        "forest": plot(found.cases, limits),
        "reading": reading(found.cases),
        "interval": f"{100 - 100 * limits.alpha:g} %",
        "cases": tables.of_cases(pairing, shown_first, limits, f"{prefix}cases", caption),
        "folded": tables.of_cases(pairing, folded, limits, f"{prefix}unchanged", "Step time of the unchanged cases"),
        "unchanged": len(folded),
        "phases": None if pairing.unlike else of_phases(pairing, changed[:LISTED], prefix),
        "modes": tables.of_modes(pairing, prefix),
        "memory": tables.of_memory(pairing, prefix),
        "memory_lines": metric_lines(found),
        "no_memory": "the environments differ" if pairing.unlike else "one of the runs did not measure it",
        "left_out": {
            clipped(reason, LONGEST_REASON): [clipped(case_id, tables.LONGEST_ID) for case_id in ids]
            for reason, ids in cases_by_reason(found).items()
        },
        "judged": () if pairing.unlike else (common_change(found), summary(found, limits)),
    }


def figures(pairing: Pairing) -> list[tuple[str, str, str, str]]:
    """Value, name, remark and verdict of each figure of the first screen."""
    found = pairing.comparison
    counts: list[tuple[str, str, str, str]] = []
    if found.cases and not pairing.unlike:
        counts += [(f"{found.count(kind):,}", kind, "", kind) for kind in VERDICTS]
    if found.cases and pairing.unlike:
        counts.append((f"{len(found.cases):,}", "in both runs", "without a verdict", ""))
    if found.left_out:
        counts.append((f"{len(found.left_out):,}", "not compared", "", ""))
    if len(found.cases) >= FEWEST:
        interval = units.percent_interval(found.shift_low, found.shift_high)
        counts.append(
            (units.percent(found.shift, sign=True), "common change", f"{interval}, removed from each case", "")
        )
    return counts


def plot(cases: Sequence[CaseChange], limits: Thresholds) -> forest.Forest | None:
    """The forest plot; None without a case."""
    if not cases:
        return None
    lines = ((share, units.percent(share)) for share in (limits.tolerance, limits.margin))
    return forest.forest([[interval(case) for case in cases]], *lines)


def interval(case: CaseChange) -> Interval:
    """The row of a case."""
    return Interval(
        label=clipped(case.name, tables.LONGEST_ID),
        verdict=case.verdict,
        low=case.low,
        change=case.change,
        high=case.high,
        figures=change_text.with_interval(case),
        finding=change_text.verdict(case),
    )
