"""The first screen: three sentences, and the best case of each structure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from suite import units
from suite.analysis.case_figures import CaseFigures, examples_noun
from suite.analysis.estimates import CONFIDENCE
from suite.overview.best import same_work
from suite.records import Run
from suite.report.charts import decades
from suite.report.facts import Facts
from suite.report.svg import is_logarithmic
from suite.report.view import View

PUBLISHED = ("reports", "published")
"""Folder of the records that a project publishes."""
SHORT = 8
"""Characters of a hash that a chip shows; its button copies all of them."""
WIDTH = 1000
"""Units of a strip's width; the page stretches it to the width of its column."""
HEIGHT = 20
MOST_LABELS = 6
"""Numbers on the axis, at most, so that they stand apart on a phone."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A fact of provenance in a few letters.

    Attributes:
        copied: the whole of it; empty where the text is all.
        is_warning: whether it makes the run less fit to be cited.
    """

    text: str
    meaning: str
    copied: str = ""
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """Step times to places from 0 to `WIDTH`; logarithmic for a wide range."""

    low: float
    high: float

    @property
    def logarithmic(self) -> bool:
        """Whether equal distances are equal ratios."""
        return is_logarithmic(self.low, self.high)

    def place(self, value: float) -> int:
        """Distance from the left end."""
        value, low, high = min(max(value, self.low), self.high), self.low, self.high
        if not high > low:
            return WIDTH // 2
        if self.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return round(WIDTH * (value - low) / (high - low))

    def ticks(self) -> list[float]:
        """Round numbers on the axis."""
        if not (self.high > self.low and math.isfinite(self.high)):
            return []
        if self.logarithmic:
            found = decades(self.low, self.high)
            return found if len(found) <= MOST_LABELS else [one for one in found if f"{one:e}".startswith("1")]
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / 2))
        step = next(step * factor for factor in (1, 2, 5, 10, 20) if (self.high - self.low) / (step * factor) <= 5)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [float(f"{step * count:.6g}") for count in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Best:
    """The best case of a structure, as texts, and the strip of all its cases.

    Attributes:
        times: step time over that of the first row.
        all_cases: path of a tick for each case of the structure.
        dot: place of the best case, in percent of the width.
        label: the strip for a screen reader.
    """

    case_id: str
    step_time: str
    interval: str
    times: str
    throughput: str
    peak_memory: str
    all_cases: str
    bar: str
    dot: float
    label: str


def view(facts: Facts) -> View:
    """Sentences, best cases and provenance of a run."""
    found = facts.overview
    axis, rows = best(facts, found.best)
    return View(
        id="headline",
        title=facts.run.header.run_id,
        navigation="",
        template="headline.html.j2",
        values={
            "chips": list(chips(facts)),
            "interrupted": interruption(facts.run),
            "sentences": found.sentences if facts.ranked else (facts.nothing, *found.sentences[1:2]),
            "best": rows,
            "others": found.structures - len(found.best),
            "axis": [(units.round_text(tick, "s"), axis.place(tick) * 100 / WIDTH) for tick in axis.ticks()],
            "grid": "".join(f"M{axis.place(tick)} 0v{HEIGHT}" for tick in axis.ticks()),
            "scale": "logarithmic" if axis.logarithmic else "linear",
            "columns": meanings(found.best),
        },
    )


def best(facts: Facts, chosen: Sequence[CaseFigures]) -> tuple[Axis, list[Best]]:
    """The rows of the first table, and the axis that their strips share."""
    rivals: dict[str, list[CaseFigures]] = {one.case.structure: [] for one in chosen}
    for one in same_work(facts.ranked):
        if one.case.structure in rivals:
            rivals[one.case.structure].append(one)
    times = [one.step_time.median for found in rivals.values() for one in found]
    axis = Axis(
        min((one.step_time.low for one in chosen), default=0.0),
        max([*times, *(one.step_time.high for one in chosen)], default=0.0),
    )
    return axis, [row(one, chosen[0], rivals[one.case.structure], axis) for one in chosen]


def row(figures: CaseFigures, first: CaseFigures, rivals: Sequence[CaseFigures], axis: Axis) -> Best:
    """A row of the first table."""
    step_time = figures.step_time
    places = sorted({axis.place(one.step_time.median) for one in rivals})
    low, high = axis.place(step_time.low), axis.place(step_time.high)
    times = step_time.median / first.step_time.median if first.step_time.median else math.nan
    slowest = max(one.step_time.median for one in rivals)
    count = f"{len(rivals):,} case{'' if len(rivals) == 1 else 's'}"
    return Best(
        case_id=figures.case.id,
        step_time=units.text(step_time.median, "s"),
        interval=units.interval(step_time.low, step_time.high, "s"),
        times=f"{units.number(times, 3)} ×" if math.isfinite(times) else "–",
        throughput=units.text(figures.throughput, "count"),
        peak_memory=units.text(figures.peak_memory_bytes, "B"),
        all_cases="".join(f"M{place} 5v{HEIGHT - 10}" for place in places),
        bar=f"M{low} {HEIGHT // 2}H{max(high, low + 1)}",
        dot=axis.place(step_time.median) * 100 / WIDTH,
        label=f"{count} from {units.text(step_time.median, 's')} to {units.text(slowest, 's')}",
    )


def meanings(chosen: Sequence[CaseFigures]) -> tuple[tuple[str, str, str], ...]:
    """Title, note and meaning of each column of the first table."""
    return (
        ("Case", "best of its structure", "The structure's fastest case with the default sizes, tuning and input."),
        ("Step time", "median, lower is better", "Time of one training step: one batch, forward to optimizer."),
        (
            f"{CONFIDENCE * 100:.0f} % interval",
            "narrower is better",
            "Range in which the median of many more processes of this run would lie.",
        ),
        ("Times", "the fastest, 1 is best", "Step time divided by that of the first row."),
        ("Throughput", f"{examples_noun(one.case for one in chosen)}/s, higher is better", "Over all kept rounds."),
        ("Peak memory", "of the process, lower is better", "Most RAM of the process in any phase."),
        (
            "All cases of the structure",
            "left is better",
            "The dot is the best case, with its interval. Each tick is another case that does the same work.",
        ),
    )


def chips(facts: Facts) -> Iterator[Chip]:
    """Provenance next to the title: the kind of run, and hashes."""
    environment = facts.run.header.environment
    commit, software, container = (found(environment, key) for key in ("commit", "software", "container"))
    if PurePath(facts.record_path).parts[:2] == PUBLISHED:
        yield Chip("published run", "The project publishes this record.")
    if interruption(facts.run):
        yield Chip("partial run", "Some planned cases have no outcome, or the record has no end.", is_warning=True)
    if commit.get("dirty"):
        diff = str(commit.get("diff_sha256") or "")
        yield Chip("dirty working tree", "The code differs from its commit.", diff, is_warning=True)
    image = found(container, "image")
    for name, value, meaning in (
        ("commit", commit.get("revision"), "Commit of the code"),
        ("image", image.get("config_digest"), "Digest of the container image"),
        ("lock", software.get("lock_sha256"), "SHA-256 of requirements.lock"),
    ):
        if value:
            yield Chip(f"{name} {str(value).removeprefix('sha256:')[:SHORT]}", f"{meaning}: {value}", str(value))


def found(environment: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A group of the environment; empty where the record has none."""
    group = environment.get(key)
    return group if isinstance(group, Mapping) else {}


def interruption(run: Run) -> str:
    """Planned cases without an outcome; empty for a complete run."""
    if run.footer is not None and not run.missing:
        return ""
    planned = len(run.header.planned)
    if run.missing:
        verb = "has" if len(run.missing) == 1 else "have"
        return f"interrupted: {len(run.missing):,} of {planned:,} planned {cases(planned)} {verb} no outcome"
    return f"interrupted: the record has no footer, though all {planned:,} planned {cases(planned)} have an outcome"


def cases(count: int) -> str:
    """The noun in the number that fits."""
    return "case" if count == 1 else "cases"
