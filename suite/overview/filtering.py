"""A filter applied to the cases of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suite.analysis.case_figures import CaseFigures, figures_of
from suite.analysis.validity import label
from suite.effects.values import FINDERS, Selects
from suite.records import Case, Run, RunRecord, StepmarkError
from suite.records.factors import FACTORS, NAMES, Factor
from suite.records.filters import Facts, filter_of
from suite.records.selected import some_of

READ = ("energy", "accuracy")
"""Metrics of a filter that are no field of a case's figures."""


def filtered(run: Run, text: str) -> Run:
    """The run with the cases that a filter shows; the figures of each stay the same.

    Raises:
        StepmarkError: the filter is wrong, or shows no case.
    """
    found = some_of(run, selects(run, text)) if text.strip() else run
    if run.cases and not found.cases:
        raise StepmarkError(
            f"--filter {text!r} shows none of the record's {len(run.cases):,} cases; allowed: a filter that shows one; "
            "`stepmark show RECORD` lists them."
        )
    return found


def selects(run: Run, text: str, figures: Mapping[str, CaseFigures] | None = None) -> Selects:
    """Whether a filter shows a case, by id.

    The case is one of the run, or one that levels of the run make up.

    Args:
        run: the whole run.
        text: the filter.
        figures: of `figures_of(run.cases)`, where the caller has them.

    Raises:
        StepmarkError: the filter is wrong.
    """
    found = filter_of(text)
    if not found.tests:
        return lambda _: True
    known = {facts["id"]: facts for facts in facts_of(run, figures_of(run.cases) if figures is None else figures)}
    levels = levels_by_word([record.case for record in run.cases])
    return lambda case_id: found.matches(known.get(case_id) or made_up(case_id, levels))


def facts_of(run: Run, figures: Mapping[str, CaseFigures]) -> Iterator[Facts]:
    """All that a filter asks of each case."""
    measured = [record for record in run.cases if record.outcome == "measured" and record.measurement]
    read = {name: FINDERS[name](measured)[1] for name in READ}
    for record in run.cases:
        case_id = record.case.id
        metrics = {name: values[case_id][0] for name, values in read.items() if case_id in values}
        one = figures.get(case_id)
        yield {**identity(record), **metrics, **(figured(one) if one and one.is_measured else {})}


def identity(record: RunRecord) -> dict[str, Any]:
    """Id, levels and outcome."""
    levels = {name: getattr(record.case, name) for name in NAMES}
    return {"id": record.case.id, **levels, "outcome": record.outcome}


def figured(one: CaseFigures) -> dict[str, Any]:
    """Figures and verdict of a measured case."""
    return {
        "step_time": one.step_time.median,
        "peak_memory": one.peak_memory_bytes,
        "throughput": one.throughput,
        "verdict": label(one.issues),
    }


Words = list[tuple[Factor, dict[str, Any]]]
"""Each factor with the words of its levels in an id."""


def levels_by_word(cases: Sequence[Case]) -> Words:
    """Words in ids -> levels of the cases, by factor."""
    return [(factor, {factor.word_of(case): factor.level_of(case) for case in cases}) for factor in FACTORS]


def made_up(case_id: str, levels: Words) -> Facts:
    """Id and levels of a case without an outcome, as far as levels of the run say."""
    words = case_id.split("-")
    facts: dict[str, Any] = {"id": case_id, "outcome": "missing"}
    for factor, known in levels:
        word = words.pop(0) if words and words[0] in known and words[0] else ""
        if word or factor.default is not None:
            facts[factor.name] = known[word] if word else factor.default
    return facts
