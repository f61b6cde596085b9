"""Tables of the page about a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from suite import units
from suite.analysis import change_text
from suite.analysis.change import Change
from suite.analysis.change_text import is_bounded
from suite.analysis.magnitude import magnitude
from suite.analysis.modes import in_words
from suite.analysis.thresholds import VERDICTS, Thresholds
from suite.comparison.changes import CaseChange, Side
from suite.comparison.environments import Difference
from suite.comparison.pairing import UNLIKE, Modes, Pairing
from suite.comparison.superiority import of_100_pairs
from suite.comparison.wording import outcome
from suite.markup.github_markdown import clipped
from suite.records.factors import FACTORS
from suite.theme.tables import Column, Row, Table, without_empty_columns

LONGEST_FACT = 300
LONGEST_ID = 200
"""Characters of a text of a record that a table shows."""
CASE = Column("case", is_code=True)


def of_runs(pairings: Sequence[Pairing]) -> Table:
    """One row for each candidate."""
    columns = (
        Column("candidate", is_code=True),
        Column("commit", is_code=True, is_text=True),
        Column("result", is_text=True, name="verdict"),
        Column("cases compared"),
        *(Column(verdict) for verdict in VERDICTS),
        Column("common change", "of all cases, lower is better"),
    )
    kinds = {"no regression": "no change", "not comparable": "inconclusive"}
    rows = tuple(
        Row(
            (
                clipped(one.candidate.run.header.run_id, LONGEST_ID),
                commit(one.candidate),
                outcome(one.code),
                f"{len(one.comparison.cases):,}",
                *(["–"] * len(VERDICTS) if one.unlike else numbers(one.comparison.cases)),
                units.percent(one.comparison.shift, sign=True),
            ),
            kinds.get(outcome(one.code), outcome(one.code)),
        )
        for one in pairings
    )
    return Table("runs", "Each candidate against the baseline", columns, rows)


def commit(side: Side) -> str:
    """The start of a run's commit; a mark of changes that are not committed."""
    found = side.run.header.environment.get("commit") or {}
    revision = str(found.get("revision") or "not known")
    return f"{revision[:12]}{', with changes' if found.get('dirty') else ''}"


def of_differences(differences: Sequence[Difference], sides: Sequence[str]) -> Table | None:
    """Facts that differ between environments; None without one."""
    columns = (
        Column("fact", is_code=True),
        *(Column(name, is_text=True, is_code=True) for name in sides),
        Column("effect", is_text=True, name="effect"),
        Column("remark", is_text=True),
    )
    rows = tuple(
        Row(
            (
                clipped(one.name, LONGEST_ID),
                *(clipped(value, LONGEST_FACT) for value in one.values),
                one.effect,
                one.remark,
            ),
            "harmless" if one.effect == "harmless" else "may",
        )
        for one in differences
    )
    return without_empty_columns(Table("differences", "Facts that differ", columns, rows)) if rows else None


def of_levels(pairing: Pairing, prefix: str) -> Table | None:
    """Number of compared cases with each verdict, by level of factors that vary."""
    rows = []
    for factor in FACTORS:
        members: dict[str | int, list[CaseChange]] = {}
        for case in pairing.comparison.cases:
            level = factor.level_of(pairing.baseline.records[case.name].case)
            members.setdefault(level, []).append(case)
        if 1 < len(members) < len(pairing.comparison.cases):
            middle = {level: median(case.change for case in some) for level, some in members.items()}
            for level, some in sorted(members.items(), key=lambda entry: -middle[entry[0]]):
                cells = (f"{factor.name} {level}", f"{len(some):,}", *numbers(some))
                rows.append(Row((*cells, units.percent(middle[level], sign=True))))
    columns = (
        Column("level"),
        Column("cases"),
        *(Column(verdict) for verdict in VERDICTS),
        Column("median change", "lower is better"),
    )
    return Table(f"{prefix}by-level", "Verdicts on step time, by level", columns, tuple(rows)) if rows else None


def numbers(cases: Iterable[Change]) -> list[str]:
    """The number of cases with each verdict; a dash for none."""
    verdicts = [case.verdict for case in cases]
    return [f"{verdicts.count(verdict):,}" if verdict in verdicts else "–" for verdict in VERDICTS]


def of_coverage(pairing: Pairing, prefix: str) -> Table:
    """Outcomes of the cases in both runs."""
    columns = (
        Column("run"),
        Column("run id", is_code=True, is_text=True),
        Column("planned"),
        *(Column(name) for name in ("measured", "skipped", "failed", "no outcome")),
        Column("compared"),
    )
    rows = []
    for name, side in (("baseline", pairing.baseline), ("candidate", pairing.candidate)):
        outcomes = [record.outcome for record in side.records.values()]
        counts = [outcomes.count(one) for one in ("measured", "skipped", "failed")]
        every = [len(side.run.header.planned), *counts, len(side.run.missing), len(pairing.comparison.cases)]
        run_id = clipped(side.run.header.run_id, LONGEST_ID)
        rows.append(Row((name, run_id, *(f"{number:,}" if number else "–" for number in every))))
    return Table(f"{prefix}coverage", "Cases of both runs", columns, tuple(rows))


def of_cases(
    pairing: Pairing, cases: Iterable[CaseChange], limits: Thresholds, table_id: str, caption: str
) -> Table | None:
    """Step times, the largest slowdown first; None without one."""
    columns = (
        CASE,
        Column("change", "lower is better"),
        Column("interval", f"joint, at {100 - 100 * limits.alpha:g} %, narrower is better"),
        Column("size", is_text=True),
        Column("verdict", is_text=True, name="verdict"),
        Column("ruled out", "slowdown, lower is better"),
        Column("slower steps", "of 100 pairs, lower is better"),
        Column("baseline", "median, lower is better"),
        Column("candidate", "median, lower is better"),
        Column("disturbance", is_text=True),
    )
    rows = tuple(Row(cells(case, pairing, limits), case.verdict) for case in cases)
    return without_empty_columns(Table(table_id, caption, columns, rows)) if rows else None


def cells(case: CaseChange, pairing: Pairing, limits: Thresholds) -> tuple[str, ...]:
    """The row of a case."""
    baseline, candidate, change, interval = change_text.figures(case)
    share = pairing.slower.get(case.name)
    is_open = case.verdict in ("no change", "inconclusive") and is_bounded(case) and not case.reason
    return (
        clipped(case.name, LONGEST_ID),
        change,
        interval,
        magnitude(case.change, limits) or "",
        case.verdict,
        ruled_out(case) if is_open else "",
        of_100_pairs(share) if share is not None else "",
        baseline,
        candidate,
        "" if case.reason == UNLIKE else case.reason,
    )


def ruled_out(case: CaseChange) -> str:
    """The smallest slowdown that is ruled out."""
    return "any" if case.ruled_out <= 0 else f"above {units.percent_above(case.ruled_out)}"


def of_modes(pairing: Pairing, prefix: str) -> Table | None:
    """Cases with two step times in a run; None without one."""
    columns = (
        CASE,
        Column("baseline", is_text=True),
        Column("candidate", is_text=True),
        Column("faster mode", "change, as measured, lower is better"),
        Column("slower mode", "change, as measured, lower is better"),
        Column("share of the slower mode", "of turns, lower is better"),
    )
    medians = {case.name: change_text.medians(case) for case in pairing.comparison.cases}
    rows = tuple(
        Row((clipped(name, LONGEST_ID), *map(described, both, medians[name]), *shifts(*both)))
        for name, both in pairing.modes.items()
    )
    return Table(f"{prefix}modes", "Cases with two step times", columns, rows) if rows else None


def described(modes: Modes, middle: str) -> str:
    """Two step times in words, or that there is one."""
    return in_words(modes) if modes else f"one step time: {middle}"


def shifts(before: Modes, after: Modes) -> tuple[str, str, str]:
    """The change of each mode and of their shares; empty unless both runs have two."""
    shares = [f"{100 * modes[1].share:.0f} %" if modes else "none" for modes in (before, after)]
    share = " to ".join(shares)
    if not before or not after:
        return "", "", share
    faster, slower = (
        units.percent(new.mean_s / old.mean_s - 1, sign=True) for old, new in zip(before, after, strict=True)
    )
    return faster, slower, share


def of_memory(pairing: Pairing, prefix: str) -> Table | None:
    """Changed metrics of memory, the largest growth first; None without one."""
    columns = (
        CASE,
        Column("metric", is_text=True),
        Column("change", "lower is better"),
        Column("verdict", is_text=True, name="verdict"),
        Column("baseline", "lower is better"),
        Column("candidate", "lower is better"),
    )
    rows = tuple(
        Row(
            (
                clipped(one.name, LONGEST_ID),
                one.metric,
                change_text.percent(one),
                one.verdict,
                *change_text.medians(one),
            ),
            one.verdict,
        )
        for one in pairing.comparison.memory
        if one.verdict != "no change"
    )
    return Table(f"{prefix}memory-cases", "Memory of the changed cases", columns, rows) if rows else None


def of_every_run(pairings: Sequence[Pairing]) -> Table:
    """The baseline's step times and the change of each candidate, slowdowns first."""
    baseline = pairings[0].baseline
    changes = [{case.name: case for case in one.comparison.cases} for one in pairings]
    names = [name for name in baseline.records if any(name in found for found in changes)]
    names.sort(key=lambda name: -max(found[name].change for found in changes if name in found))
    columns = (
        CASE,
        Column("baseline", "median step time, lower is better"),
        *(Column(f"candidate {number}", "change, lower is better") for number, _ in enumerate(pairings, 1)),
    )
    rows = tuple(
        Row(
            (
                clipped(name, LONGEST_ID),
                units.text(baseline.figures[name].step_time.median, "s"),
                *(with_mark(found.get(name)) for found in changes),
            )
        )
        for name in names
    )
    return Table("every-run", "Each case in each run", columns, rows)


ARROWS = {"regression": "▲ ", "improvement": "▼ "}


def with_mark(case: CaseChange | None) -> str:
    """A change with the arrow of its verdict; a dash if the case was not compared."""
    return f"{ARROWS.get(case.verdict, '')}{change_text.percent(case)}" if case else "–"
