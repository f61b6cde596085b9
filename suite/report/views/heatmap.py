"""Heat maps of step times by structure and optimizer, one for all other levels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from statistics import fmean

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.effects.wording import count
from suite.records import Case, Run
from suite.records.factors import FACTORS, NAMES, Level
from suite.report.facts import Facts
from suite.report.view import View

SHADES = 8
"""Steps of the colour scale, as in styles/views.css."""
MOST_CELLS = 2_000
"""Cells on the page: some 150 kB."""
MOST_MAPS = 40
DIGITS = 3
AXES = ("structure", "optimizer")
OTHERS = attrgetter("seed", *(name for name in NAMES if name not in AXES))
"""Levels that the cases of a map share."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A case in the map, or the place of one.

    Attributes:
        kind: `measured`, `skipped`, `failed`, or empty where the run had no such case.
        note: against the fastest case of the row, or the number of the reason.
        shade: from 0, the fastest case of the page, to `SHADES` - 1, the slowest; None without a step time.
        place: of the case in the ranking, from 0; None if it has none.
        says: what a pointer sees: the id, and the reason if there is one.
    """

    kind: str
    text: str = ""
    note: str = ""
    shade: int | None = None
    place: int | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Map:
    """The cases that differ in structure and optimizer alone.

    Attributes:
        name: the levels that they share.
        reading: one line that says what to see.
        rows: a structure and its cells; the one with the fastest case first.
        reasons: why cases have no step time, by their numbers from 1.
        hidden: structures that the page has no room for.
    """

    name: str
    reading: str
    optimizers: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    measured: int
    reasons: tuple[str, ...]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Maps:
    """All maps in the order of the matrix; those with few measured cases last.

    Attributes:
        ends: step times at both ends of the colour scale.
        left_out: what the page does not show; empty if it shows all.
    """

    maps: tuple[Map, ...]
    ends: tuple[str, str]
    left_out: str


def maps_of(run: Run, ranked: Sequence[CaseFigures], most_cells: int = MOST_CELLS) -> Maps | None:
    """Every map with two measured cases; None if there is none.

    Args:
        run: for the cases without a step time.
        ranked: the measured cases, the fastest first.
        most_cells: on the page, of all maps.
    """
    places = {figures.case.id: place for place, figures in enumerate(ranked)}
    slices = slices_of(run)
    measured = {name: sum(case.id in places for case, _, _ in cases) for name, cases in slices.items()}
    most = max(measured.values(), default=0)
    names = sorted((name for name in slices if measured[name] > 1), key=lambda name: 2 * measured[name] < most)
    if not names:
        return None
    scale = LogScale(ranked[0].step_time.median, ranked[-1].step_time.median)
    made: list[Map] = []
    room = most_cells
    for name in names[:MOST_MAPS]:
        found = map_of(name, slices[name], Ranked(ranked, places, scale), room)
        if not found.rows:
            break
        room -= len(found.rows) * len(found.optimizers)
        made.append(found)
    ends = (units.text(scale.low, "s", DIGITS), units.text(scale.high, "s", DIGITS))
    alone = sum(measured[name] for name in slices if measured[name] == 1)
    return Maps(tuple(made), ends, left_out(names[len(made) :], measured, alone))


def left_out(names: Sequence[str], measured: Mapping[str, int], alone: int) -> str:
    """The sentence about cases that no map has; empty if there are none."""
    parts = []
    if names:
        cases = sum(measured[name] for name in names)
        parts.append(f"{count(len(names), 'more map')} of {count(cases, 'measured case')}, for lack of room")
    if alone:
        parts.append(f"{count(alone, 'case')} without another case that has the same other levels")
    return f"Not shown: {'; '.join(parts)}. The ranked table has all cases." if parts else ""


@dataclass(frozen=True, slots=True)
class LogScale:
    """Step times in seconds to shades: equal steps are equal ratios."""

    low: float
    high: float

    def shade(self, value: float) -> int:
        """From 0 at `low` to `SHADES` - 1 at `high`."""
        if not 0 < self.low < self.high:
            return 0
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return min(int(share * SHADES), SHADES - 1)


@dataclass(frozen=True, slots=True)
class Ranked:
    """The measured cases with their places and the colour scale of their step times."""

    figures: Sequence[CaseFigures]
    places: Mapping[str, int]
    scale: LogScale

    def of(self, case: Case) -> CaseFigures | None:
        """The figures of a case; None without any."""
        place = self.places.get(case.id)
        return None if place is None else self.figures[place]


Outcome = tuple[Case, str, str]
"""A case, its outcome, and the reason for it."""


def slices_of(run: Run) -> dict[str, list[Outcome]]:
    """Cases with an outcome, by the words for their other levels."""
    names: dict[tuple[Level, ...], str] = {}
    slices: dict[str, list[Outcome]] = {}
    for record in run.cases:
        levels = OTHERS(record.case)
        if levels not in names:
            names[levels] = name_of(record.case)
        slices.setdefault(names[levels], []).append((record.case, record.outcome, record.reason))
    return slices


def name_of(case: Case) -> str:
    """`execution cpu, batch size 16`: the execution, and what is no default."""
    words = [f"execution {case.execution}"]
    for factor in FACTORS:
        level = factor.level_of(case)
        if factor.name not in (*AXES, "execution") and level != factor.default:
            words.append(f"{factor.name.replace('_', ' ')} {level}")
    return ", ".join([*words, f"seed {case.seed}"] if case.seed else words)


def map_of(name: str, cases: Sequence[Outcome], ranked: Ranked, room: int) -> Map:
    """One map of up to `room` cells."""
    by_row: dict[str, dict[str, Outcome]] = {}
    for one in cases:
        by_row.setdefault(one[0].structure, {})[one[0].optimizer] = one
    optimizers = sorted({case.optimizer for case, _, _ in cases}, key=cost_of_optimizers(by_row.values(), ranked))
    last = len(ranked.figures)
    order = sorted(by_row, key=lambda row: min(ranked.places.get(one[0].id, last) for one in by_row[row].values()))
    shown = order[: room // len(optimizers)]
    reasons: dict[str, int] = {}
    rows = tuple((row, cells_of(by_row[row], optimizers, ranked, reasons)) for row in shown)
    return Map(
        name=name,
        reading=reading(by_row, ranked),
        optimizers=tuple(optimizers),
        rows=rows,
        measured=sum(ranked.of(case) is not None for case, _, _ in cases),
        reasons=tuple(reasons),
        hidden=len(order) - len(shown),
    )


def cost_of_optimizers(rows: Iterable[Mapping[str, Outcome]], ranked: Ranked) -> Callable[[str], tuple[float, str]]:
    """A key that sorts optimizers: the geometric mean against the fastest of each row."""
    logs: dict[str, list[float]] = {}
    for row in rows:
        steps = step_times(row, ranked)
        for optimizer, step_s in steps.items():
            if step_s > 0:
                logs.setdefault(optimizer, []).append(math.log(step_s / min(steps.values())))
    return lambda optimizer: (fmean(logs[optimizer]) if optimizer in logs else math.inf, optimizer)


def step_times(row: Mapping[str, Outcome], ranked: Ranked) -> dict[str, float]:
    """Median step times of a row's measured cases, in seconds."""
    found = {optimizer: ranked.of(case) for optimizer, (case, _, _) in row.items()}
    return {optimizer: one.step_time.median for optimizer, one in found.items() if one is not None}


def cells_of(
    row: Mapping[str, Outcome], optimizers: Sequence[str], ranked: Ranked, reasons: dict[str, int]
) -> tuple[Cell, ...]:
    """The cells of a structure; adds their reasons to those of the map."""
    measured = [found for case, _, _ in row.values() if (found := ranked.of(case)) is not None]
    best = min(measured, key=lambda one: one.step_time.median, default=None)
    return tuple(
        cell_of(*row[optimizer], ranked, best, reasons) if optimizer in row else Cell("") for optimizer in optimizers
    )


def cell_of(
    case: Case, outcome: str, reason: str, ranked: Ranked, best: CaseFigures | None, reasons: dict[str, int]
) -> Cell:
    """The cell of a case with an outcome."""
    figures = ranked.of(case)
    if figures is None or best is None:
        reason = reason or "the record gives no reason"
        number = reasons.setdefault(f"{outcome}: {reason}", len(reasons) + 1)
        return Cell(outcome, outcome, str(number), says=f"{case.id}: {reason}")
    step_s = figures.step_time.median
    return Cell(
        kind="measured",
        text=units.text(step_s, "s", DIGITS),
        note=against(figures, best),
        shade=ranked.scale.shade(step_s),
        place=ranked.places[case.id],
        says=case.id,
    )


def against(figures: CaseFigures, best: CaseFigures) -> str:
    """A step time against the fastest of the row: `best`, or `+12.1 %`.

    A question mark stands where the intervals overlap, so that the case may be the fastest.
    """
    if figures is best:
        return "best"
    fastest = best.step_time.median
    change = units.percent(figures.step_time.median / fastest - 1 if fastest else math.inf, sign=True)
    return f"{change} ?" if figures.step_time.low <= best.step_time.high else change


def reading(rows: Mapping[str, Mapping[str, Outcome]], ranked: Ranked) -> str:
    """By how much the step time changes along the rows and down the columns, at most."""
    along = {row: step_times(cells, ranked) for row, cells in rows.items()}
    down: dict[str, dict[str, float]] = {}
    for row, steps in along.items():
        for optimizer, step_s in steps.items():
            down.setdefault(optimizer, {})[row] = step_s
    sentences = []
    for axis, lines, unit in (("optimizer", along, "structure"), ("structure", down, "optimizer")):
        ratio, line = max(((spread(steps), name) for name, steps in lines.items()), default=(1.0, ""))
        if ratio > 1:
            sentences.append(f"The {axis} changes the step time by up to {size(ratio)} ({unit} {line}).")
    return " ".join(sentences)


def spread(steps: Mapping[str, float]) -> float:
    """The largest over the smallest step time; 0 for fewer than two."""
    smallest = min(steps.values(), default=0.0)
    return max(steps.values()) / smallest if len(steps) > 1 and smallest > 0 else 0.0


def size(ratio: float) -> str:
    """A ratio as a reader compares it: `29 %`, or `a factor of 3.4`."""
    return f"{100 * (ratio - 1):.0f} %" if ratio < 2 else f"a factor of {units.number(ratio, 2)}"


def view(facts: Facts) -> View | None:
    """The heat maps; None where no two measured cases share their other levels."""
    found = maps_of(facts.run, facts.ranked)
    if found is None:
        return None
    return View(
        id="heatmap",
        title="Heat map: which optimizer costs how much on which structure",
        navigation="Heat map",
        template="heatmap.html.j2",
        values={"found": found, "shades": SHADES},
    )
