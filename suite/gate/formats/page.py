"""A verdict as one HTML file without scripts or other files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from suite import theme, units
from suite.analysis import change_text
from suite.analysis.change_text import is_time, with_interval
from suite.analysis.magnitude import bounds_in_words, magnitude, reading
from suite.analysis.thresholds import VERDICTS
from suite.gate.formats.conditions import conditions
from suite.gate.formats.forest import forest
from suite.gate.formats.sentences import (
    BLAMED,
    by_reason,
    case_label,
    culprits,
    details,
    failures,
    finding,
    level_label,
    metric_prefix,
    not_compared,
    outcome,
    remarks,
)
from suite.gate.formats.sides import by_level, differences
from suite.gate.formats.table import is_unchanged, unchanged_memory
from suite.gate.verdict import GateChange, GateVerdict
from suite.theme.forest import MARK_PX, SHAPES, TOP_PX
from suite.theme.tables import Column, Row, Table

FOLDER = Path(__file__).parent
METRIC = Column("metric", is_text=True)
MEDIANS = (Column("baseline", "median, lower is better"), Column("candidate", "median, lower is better"))
COLUMNS = (
    Column("change", "lower is better"),
    Column("interval", "at 95 %, narrower is better"),
    Column("size", is_text=True),
    Column("verdict", is_text=True, name="verdict"),
)


def render(verdict: GateVerdict) -> str:
    """The page of a verdict."""
    blamed = culprits(verdict)
    times = [case for case in verdict.cases if is_time(case)]
    different, facts = differences(verdict)
    template = theme.environment(FOLDER).get_template("gate.html.j2")
    return template.render(
        style=theme.style_of_changes(),
        verdict=verdict,
        outcome=outcome(verdict),
        details=details(verdict),
        begins_with_name=bool(blamed) and details(verdict).startswith(blamed[0][1].name),
        remarks=[text for text in remarks(verdict) if text.rstrip(".") not in details(verdict)],
        figures=figures(verdict, times or list(verdict.cases)),
        culprits=[(label, f"{metric_prefix(judged)}{with_interval(judged)}") for label, judged in blamed[:BLAMED]],
        more_culprits=len(blamed[BLAMED:]),
        failures=failures(verdict),
        differences=different,
        facts=facts,
        by_level=by_level(verdict),
        levels_changed=any(case.verdict in ("regression", "improvement") for case in times),
        coverage=coverage(verdict),
        how_to_read=how_to_read(verdict),
        forest=forest(verdict),
        reading=reading(times),
        shapes=SHAPES,
        top=TOP_PX,
        middle=MARK_PX,
        cases=of_times(verdict, times),
        levels=of_levels(verdict),
        left_out=by_reason(not_compared(verdict)),
        conditions=conditions(verdict),
        **memory(verdict),
    )


def memory(verdict: GateVerdict) -> dict[str, Any]:
    """Values about memory; what did not change is a line and a folded table."""
    cases = [case for case in verdict.cases if not is_time(case)]
    unchanged = unchanged_memory(cases)
    folded = [case for case in cases if case.metric in unchanged and is_unchanged(case)]
    shown = [case for case in cases if case.metric not in unchanged or not is_unchanged(case)]
    caption = "Memory of the other cases" if folded else "Memory of each case"
    return {
        "unchanged": list(unchanged.values()),
        "memory": of_metrics("memory-cases", caption, shown),
        "memory_unchanged": of_metrics("memory-same", "Memory of the unchanged cases", folded),
    }


def figures(verdict: GateVerdict, cases: list[GateChange]) -> list[tuple[str, str, str, str]]:
    """Value, name, remark and verdict of each figure of the first screen."""
    numbers = [(kind, sum(case.verdict == kind for case in cases)) for kind in VERDICTS]
    found = [(f"{number:,}", kind, "", str(kind)) for kind, number in numbers] if cases else []
    left = len({case.name for case in not_compared(verdict)})
    return [*found, *([(f"{left:,}", "not compared", "", "")] if left else [])]


def coverage(verdict: GateVerdict) -> str:
    """Number of cases that were compared, of all."""
    compared = {case.name for case in verdict.cases}
    every = compared | {case.name for case in verdict.left_out} | set(verdict.failed)
    pairs = "pair" if verdict.blocks == 1 else "pairs"
    blocks = f", in {verdict.blocks:,} {pairs} of fresh processes" if verdict.blocks else ""
    cases = "case was" if len(every) == 1 else "cases were"
    return f"{len(compared):,} of {len(every):,} {cases} compared{blocks}."


def of_times(verdict: GateVerdict, cases: list[GateChange]) -> Table | None:
    """The step times of cases, regressions first; None without one."""
    columns = (Column("case", is_code=True), *COLUMNS, *MEDIANS, Column("blocks"))
    rows = tuple(row(verdict, case_label(case), case, ()) for case in cases)
    return Table("cases", "Step time of each case", columns, rows) if rows else None


def of_levels(verdict: GateVerdict) -> Table | None:
    """All cases of a level together; None without levels."""
    columns = (Column("level"), METRIC, *COLUMNS, Column("blocks"))
    rows = tuple(row(verdict, level_label(one), one, (one.metric,), has_medians=False) for one in verdict.levels)
    return Table("levels", "All cases of a level together", columns, rows) if rows else None


def of_metrics(table_id: str, caption: str, cases: Iterable[GateChange]) -> Table | None:
    """Memory metrics of cases; None without one."""
    columns = (Column("case", is_code=True), METRIC, COLUMNS[0], COLUMNS[3], *MEDIANS, Column("blocks"))
    rows = tuple(
        Row(
            (
                case_label(case),
                case.metric,
                change_text.percent(case),
                finding(case),
                *change_text.medians(case),
                blocks(case),
            ),
            case.verdict,
        )
        for case in cases
    )
    return Table(table_id, caption, columns, rows) if rows else None


def row(
    verdict: GateVerdict, label: str, judged: GateChange, metric: tuple[str, ...], *, has_medians: bool = True
) -> Row:
    """The row of a case or level."""
    baseline, candidate, change, interval = change_text.figures(judged)
    size = (magnitude(judged.change, verdict.limits) or "") if is_time(judged) else ""
    medians = (baseline, candidate) if has_medians else ()
    return Row((label, *metric, change, interval, size, finding(judged), *medians, blocks(judged)), judged.verdict)


def blocks(judged: GateChange) -> str:
    """Number of blocks that gave a ratio; of all, if some did not."""
    of = f" of {judged.blocks + judged.discarded:,}" if judged.discarded else ""
    return f"{judged.blocks:,}{of}"


def how_to_read(verdict: GateVerdict) -> tuple[tuple[str, str], ...]:
    """Columns of the tables, one line each."""
    tolerance, margin = (units.percent_as_given(one) for one in (verdict.limits.tolerance, verdict.limits.margin))
    return (
        ("change", "candidate / baseline - 1, from steps that both sides took in the same seconds; lower is better"),
        ("interval", "contains the true change of this case in 95 of 100 gates"),
        ("size", bounds_in_words(verdict.limits)),
        ("regression", f"shown to be slower by more than the tolerance of {tolerance}"),
        ("improvement", f"shown to be faster by more than {tolerance}"),
        ("no change", f"a slowdown of the margin, {margin}, is ruled out"),
        ("inconclusive", "none of these three was shown; the verdict gives the bound, or the reason"),
        ("blocks", "pairs of fresh processes, one of each side, that gave a ratio"),
    )
