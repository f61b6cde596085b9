"""Effects, interactions, shares of variance and predictions, with pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from suite import units
from suite.effects import text, wording
from suite.effects.contrasts import Effect, Interaction
from suite.effects.separation import Separation, Share
from suite.effects.sizes import Size
from suite.effects.study import Study, place_of
from suite.effects.values import METRICS, MetricKind
from suite.effects.wording import count
from suite.report.facts import Facts
from suite.report.view import View

TITLES = {
    "step_time": "Step time",
    "peak_memory": "Peak memory",
    "energy": "Energy of a step",
    "accuracy": "Final accuracy",
}
MOST_ROWS = 40
"""Effects of one metric on the page; the largest are shown."""
MOST_SHARES = 12
LEAST_SHARE = 0.0005
"""Share of variance below which a term is counted and not shown: it would read 0.0 %."""
WIDTH_PX, HEIGHT_PX = 180, 14
"""Size of the picture of an interval, as in views/effects.css."""


@dataclass(frozen=True, slots=True)
class Row:
    """An effect, an interaction or a share, with its picture.

    Attributes:
        words: the texts of the cells, the picture's place not among them.
        path: of the interval and its middle.
        direction: `better`, `worse`, or empty where the interval includes no change.
        arrow: up for an increase, down for a decrease; empty without a direction.
    """

    words: tuple[str, ...]
    path: str
    direction: str = ""
    arrow: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The effects of one factor, or of one attribute of its levels, on one scale.

    Attributes:
        ends: changes at both ends of the scale.
        zero: the place of no change, in pixels from the left.
    """

    dimension: str
    ends: tuple[str, str]
    zero: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """The effects on one metric.

    Attributes:
        reading: one line that says what to see.
        about: the cases, and what was read.
        shares: terms of the model by the share of the variance that they explain, the largest first.
        predictions: case id, value and interval, the best first.
        notes: sentences under each of the four tables.
    """

    metric: str
    title: str
    better: str
    reading: str
    about: str
    shares: tuple[Row, ...]
    effects: tuple[Group, ...]
    interactions: Group | None
    predictions: tuple[tuple[str, str, str], ...]
    notes: dict[str, tuple[str, ...]]


def view(facts: Facts) -> View | None:
    """The effects on each metric of the record; None without two cases to compare."""
    if not facts.is_studied:
        reason = f"The page has no effects of {len(facts.ranked):,} cases, since that takes long."
        return made((), f"{reason} `stepmark effects RECORD` shows them.")
    studies = [facts.study(name)[0] for name in METRICS]
    sections = tuple(section(one) for one in studies if one is not None and (one.effects or one.separation))
    return made(sections, "") if sections else None


def made(sections: Sequence[Section], left_out: str) -> View:
    """The view of some sections, or of the sentence that says why there are none."""
    return View(
        id="effects",
        title="Effects: what each level costs",
        navigation="Effects",
        template="effects.html.j2",
        values={"sections": sections, "left_out": left_out},
    )


def section(study: Study) -> Section:
    """All tables of one metric."""
    metric = study.values.metric
    shown = text.shown_effects(study)
    largest = sorted(shown, key=lambda effect: -abs(effect.size.middle))[:MOST_ROWS]
    smaller = len(shown) - len(largest)
    hidden = [f"{count(smaller, 'smaller effect')} not shown; {text.ALL}"] if smaller else []
    clear = text.clear_interactions(study)[: text.SHOWN]
    return Section(
        metric=metric.name,
        title=TITLES[metric.name],
        better=f"{metric.better} is better",
        reading=reading(study, shown),
        about=sentence(f"{count(len(study.values.found), 'case')}, {study.values.source}"),
        shares=shares(study.separation),
        effects=groups(metric, largest),
        interactions=interaction_group(metric, clear) if clear else None,
        predictions=tuple(text.prediction_cells(metric, one) for one in study.predictions.found[: text.SHOWN]),
        notes={
            "shares": sentences(share_notes(study.separation)),
            "effects": sentences([*text.effect_notes(study), *hidden]),
            "interactions": sentences(text.interaction_notes(study)),
            "predictions": sentences(text.prediction_notes(study)),
        },
    )


def share_notes(separated: Separation | None) -> Iterator[str]:
    """How to read the shares, and how many are not shown."""
    if separated is not None:
        yield from text.share_notes(separated)
        smaller = len(text.known(separated)) - len(shown_terms(separated))
        if smaller:
            yield f"{count(smaller, 'smaller term')} not shown; {text.ALL}"


def sentences(notes: Iterable[str]) -> tuple[str, ...]:
    """Notes of the terminal as sentences of a page."""
    return tuple(sentence(note) for note in notes)


def sentence(note: str) -> str:
    """A note with a capital and a full stop."""
    return f"{note[:1].upper()}{note[1:]}."


def reading(study: Study, effects: Sequence[Effect]) -> str:
    """The terms that explain most, or the largest effect where there are no shares."""
    separated = study.separation
    known = [] if separated is None else text.known(separated)[:2]
    if known:
        first = known[0]
        others = [f"{wording.term(one.term)} {units.percent(one.share or 0.0)}" for one in known[1:]]
        explained = f"{wording.term(first.term)} explains {units.percent(first.share or 0.0)} of the variance"
        return sentence(", ".join([explained, *others]))
    metric = study.values.metric
    if not effects:
        return "No factor has an effect that these cases show."
    largest = max(effects, key=lambda effect: abs(effect.size.middle))
    change = wording.change(metric, largest.size.middle)
    level = wording.level(largest.dimension, largest.level)
    return f"The largest effect is that of {level} against {largest.against}: {change}."


@dataclass(frozen=True, slots=True)
class Axis:
    """Differences of responses to pixels, with zero on it."""

    low: float
    high: float

    @classmethod
    def of(cls, sizes: Sequence[Size]) -> Axis:
        """An axis on which all intervals have room."""
        ends = [end for size in sizes for end in (size.low, size.middle, size.high) if end is not None]
        finite = [end for end in ends if math.isfinite(end)]
        return cls(min([0.0, *finite]), max([0.0, *finite]))

    def px(self, response: float) -> int:
        """Whole pixels from the left end, with room for half a tick at both ends."""
        if self.high <= self.low:
            return WIDTH_PX // 2
        share = (min(max(response, self.low), self.high) - self.low) / (self.high - self.low)
        return round(1 + share * (WIDTH_PX - 2))

    def path(self, size: Size) -> str:
        """A line with a tick at the middle; the tick alone without an interval."""
        middle = self.px(size.middle)
        tick = f"M{middle} 2V{HEIGHT_PX - 2}"
        if size.low is None or size.high is None:
            return tick
        low, high = self.px(size.low), self.px(size.high)
        return f"M{low} {HEIGHT_PX // 2}H{max(high, low + 1)}{tick}"


def groups(metric: MetricKind, effects: Sequence[Effect]) -> tuple[Group, ...]:
    """The effects of each dimension on a scale, the best first."""
    by_dimension: dict[str, list[Effect]] = {}
    for effect in sorted(effects, key=lambda one: place_of(one.dimension)):
        by_dimension.setdefault(effect.dimension, []).append(effect)
    sign = 1 if metric.better == "lower" else -1
    return tuple(
        group(
            metric,
            dimension,
            [
                (effect.size, (str(effect.level), *text.cells(metric, effect)[1:]))
                for effect in sorted(found, key=lambda one: (sign * one.size.middle, str(one.level)))
            ],
        )
        for dimension, found in by_dimension.items()
    )


def interaction_group(metric: MetricKind, found: Sequence[Interaction]) -> Group:
    """The interactions on a scale."""
    return group(metric, "", [(one.size, text.interaction_cells(metric, one)) for one in found])


def group(metric: MetricKind, dimension: str, found: Sequence[tuple[Size, tuple[str, ...]]]) -> Group:
    """Rows with pictures on the one scale of all of them."""
    axis = Axis.of([size for size, _ in found])
    return Group(
        dimension=dimension,
        ends=(wording.change(metric, axis.low), wording.change(metric, axis.high)),
        zero=axis.px(0.0),
        rows=tuple(row(metric, axis, size, words) for size, words in found),
    )


def row(metric: MetricKind, axis: Axis, size: Size, words: tuple[str, ...]) -> Row:
    """A row with its picture; the arrow says the direction without a colour."""
    clear = direction(metric, size)
    arrow = "" if not clear else "▲" if size.middle > 0 else "▼"
    return Row(words, axis.path(size), clear, arrow)


def direction(metric: MetricKind, size: Size) -> str:
    """Whether a change is clear, and which way."""
    low, high = (size.middle if end is None else end for end in (size.low, size.high))
    if low <= 0 <= high:
        return ""
    return "better" if (high < 0) == (metric.better == "lower") else "worse"


def shown_terms(separated: Separation) -> list[Share]:
    """The terms with the largest shares, without those that round to nothing."""
    return [one for one in text.known(separated)[:MOST_SHARES] if (one.share or 0.0) >= LEAST_SHARE]


def shares(separated: Separation | None) -> tuple[Row, ...]:
    """Shares of variance as bars, and the rest."""
    if separated is None or not separated.shares:
        return ()
    known = [(wording.term(one.term), one.share or 0.0, str(one.degrees)) for one in shown_terms(separated)]
    rows = [*known, ("rest", separated.rest, wording.DASH)]
    return tuple(
        Row((name, units.percent(share), degrees), f"M0 1H{round(WIDTH_PX * min(share, 1.0))}v{HEIGHT_PX - 2}H0z")
        for name, share, degrees in rows
    )
