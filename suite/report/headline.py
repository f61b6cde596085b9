"""The verdict strip: the answer in one sentence, and a few figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.records import Run


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer in one sentence, and a few figures.

    Attributes:
        fastest: the case with the shortest step; None where no case was measured.
        overlapping: other cases whose interval reaches into that of the fastest.
        most_images: the case with the highest throughput, where batch sizes differ and it is another one.
        figures: value, what it is, and a remark.
        interrupted: how much the run lacks; empty where it is complete.
    """

    fastest: CaseFigures | None
    step_time: str
    interval: str
    throughput: str
    overlapping: int
    most_images: str
    figures: tuple[tuple[str, str, str], ...]
    interrupted: str


def verdict(run: Run, facts: Sequence[CaseFigures]) -> Verdict:
    """The fastest case, what became of the others, and how noisy the machine was. `facts` are fastest first."""
    outcomes = Counter(record.outcome for record in run.cases)
    counts = [(f"{outcomes[name]:,}", name, "") for name in ("measured", "skipped", "failed")]
    fastest = facts[0] if facts else None
    best = fastest.step_time if fastest else None
    return Verdict(
        fastest=fastest,
        step_time=units.text(best.median, "s") if best else "",
        interval=units.interval(best.low, best.high, "s") if best else "",
        throughput=units.text(fastest.throughput, "images/s") if fastest else "",
        overlapping=sum(other.step_time.low <= best.high for other in facts[1:]) if best else 0,
        most_images=most_images(facts),
        figures=(*counts, *missing(run), *noise(facts)),
        interrupted=interruption(run),
    )


def most_images(facts: Sequence[CaseFigures]) -> str:
    """The case with the highest throughput and its figure; empty where step time alone tells it."""
    if len({one.case.batch_size for one in facts}) < 2:
        return ""
    best = max(facts, key=lambda one: one.throughput)
    return f"{best.case.id} with {units.text(best.throughput, 'images/s')}" if best is not facts[0] else ""


def missing(run: Run) -> list[tuple[str, str, str]]:
    """The planned cases without an outcome; nothing where there are none."""
    return [(f"{len(run.missing):,}", "no outcome", f"of {len(run.header.planned):,} planned")] if run.missing else []


def noise(facts: Sequence[CaseFigures]) -> list[tuple[str, str, str]]:
    """How well the medians are known, and how many rounds other processes spoilt."""
    if not facts:
        return []
    halfwidth = units.text(median(one.step_time.precision for one in facts), "ratio", 2)
    share = sum(one.discarded for one in facts) / sum(one.taken for one in facts)
    return [
        (f"± {halfwidth}", "typical interval", "half-width, median over cases; lower is better"),
        (units.text(share, "ratio", 2), "rounds set aside", "disturbed by other processes; lower is better"),
        (f"{sum(not one.issues for one in facts):,}", "steady", f"of {len(facts):,} measured; higher is better"),
    ]


def interruption(run: Run) -> str:
    """How much an interrupted run lacks; empty where it is complete."""
    if run.footer is not None and not run.missing:
        return ""
    planned = len(run.header.planned)
    if run.missing:
        return f"interrupted: {len(run.missing):,} of {planned:,} planned {cases(planned)} have no outcome"
    return f"interrupted: the record has no footer, though all {planned:,} planned {cases(planned)} have an outcome"


def cases(count: int) -> str:
    """The noun in the number that fits."""
    return "case" if count == 1 else "cases"
