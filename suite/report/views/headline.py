"""The headline: the fastest case in one sentence, and a few figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from suite import units
from suite.analysis.case_figures import CaseFigures, examples_noun
from suite.records import Run


@dataclass(frozen=True, slots=True)
class Headline:
    """The answer in one sentence, and a few figures.

    Attributes:
        fastest: the case with the shortest step; None where no case was measured.
        overlapping: other cases whose interval reaches into that of the fastest.
        most_images: the case with the highest throughput, where batch sizes differ and it is another one.
        is_alone: whether no other case was measured.
        figures: value, its name, and a remark.
        interrupted: what the run lacks; empty if it is complete.
    """

    fastest: CaseFigures | None
    step_time: str
    interval: str
    throughput: str
    overlapping: int
    is_alone: bool
    most_images: str
    figures: tuple[tuple[str, str, str], ...]
    interrupted: str


def headline(run: Run, ranked: Sequence[CaseFigures]) -> Headline:
    """The fastest case, counts of outcomes, and the machine's noise.

    `ranked` is fastest first.
    """
    outcomes = Counter(record.outcome for record in run.cases)
    counts = [(f"{outcomes[name]:,}", name, "") for name in ("measured", "skipped", "failed")]
    fastest = ranked[0] if ranked else None
    best = fastest.step_time if fastest else None
    return Headline(
        fastest=fastest,
        step_time=units.text(best.median, "s") if best else "",
        interval=units.interval(best.low, best.high, "s") if best else "",
        throughput=units.text(fastest.throughput, per_second([fastest])) if fastest else "",
        overlapping=sum(other.step_time.low <= best.high for other in ranked[1:]) if best else 0,
        is_alone=len(ranked) == 1,
        most_images=most_images(ranked),
        figures=(*counts, *missing(run), *noise(ranked)),
        interrupted=interruption(run),
    )


def most_images(ranked: Sequence[CaseFigures]) -> str:
    """The case with the highest throughput and its figure; empty if it is the fastest."""
    if len({one.case.batch_size for one in ranked}) < 2:
        return ""
    best = max(ranked, key=lambda one: one.throughput)
    return f"{best.case.id} with {units.text(best.throughput, per_second([best]))}" if best is not ranked[0] else ""


def per_second(figures: Sequence[CaseFigures]) -> str:
    """The unit of their throughput."""
    return f"{examples_noun(one.case for one in figures)}/s"


def missing(run: Run) -> list[tuple[str, str, str]]:
    """The planned cases without an outcome; nothing where there are none."""
    return [(f"{len(run.missing):,}", "no outcome", f"of {len(run.header.planned):,} planned")] if run.missing else []


def noise(ranked: Sequence[CaseFigures]) -> list[tuple[str, str, str]]:
    """Typical interval, share of discarded rounds, and number of steady cases."""
    if not ranked:
        return []
    halfwidth = units.text(median(one.step_time.precision for one in ranked), "ratio", 2)
    share = sum(one.discarded for one in ranked) / sum(one.taken for one in ranked)
    return [
        (f"± {halfwidth}", "typical interval", "half-width, median over cases; lower is better"),
        (units.text(share, "ratio", 2), "rounds discarded", "disturbed by other processes; lower is better"),
        (f"{sum(not one.issues for one in ranked):,}", "steady", f"of {len(ranked):,} measured; higher is better"),
    ]


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
