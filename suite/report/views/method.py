"""How the figures were measured, and the words of the page."""

from __future__ import annotations

from suite import units
from suite.analysis.estimates import CONFIDENCE, DISTURBED_SHARE, ENOUGH_UNDISTURBED
from suite.records import Header
from suite.report.facts import Facts
from suite.report.view import View


def view(facts: Facts) -> View:
    """The method with the plan of the run, and the glossary."""
    return View(
        id="method",
        title="How the numbers were made",
        navigation="Method",
        template="method.html.j2",
        values={
            "confidence": CONFIDENCE,
            "disturbed_share": DISTURBED_SHARE,
            "enough_undisturbed": ENOUGH_UNDISTURBED,
            "plan": plan_sentences(facts.run.header),
            "glossary": GLOSSARY,
        },
    )


def plan_sentences(header: Header) -> str:
    """The plan of the run in words."""
    plan, workers = header.plan, header.workers
    passes = "1 pass" if plan.passes == 1 else f"{plan.passes} passes"
    threads = "1 thread" if workers.threads == 1 else f"{workers.threads} threads"
    instruments = "Instruments measured each case after that." if plan.surveys == "all" else "No instrument ran."
    case_s, warmup_s, round_s = (
        units.text(seconds, "s", 3) for seconds in (plan.case_seconds, plan.warmup_seconds, plan.round_seconds)
    )
    return (
        f"This run made {passes}. A case had {case_s} for its rounds after warm-up, or less once its interval was "
        f"within {units.percent_as_given(plan.target_precision)} of the median. A warm-up took at most {warmup_s}, a "
        f"round at least {round_s}. Up to {plan.abreast} cases took turns. Each worker had {threads} and the "
        f"{workers.allocator} allocator. {instruments}"
    )


GLOSSARY = (
    ("factor, level", "structure, optimizer, execution, task, tuning, input or mode; one of its entries"),
    ("case", "one combination of levels and sizes; its id has a word for each level that is not the default"),
    ("step", "one batch through zero_grad, forward, loss, backward and optimizer step"),
    ("phase", "a part of a step"),
    ("round", "the steps between two readings of the clock; its value is the time per step"),
    ("turn", "the rounds that one case takes while other cases wait"),
    ("visit", "the measurement of one case by one worker in one pass"),
    ("pass", "one visit to every case, in random order"),
    ("warm-up", "rounds at the start of each visit and of each turn; no figure uses them"),
    ("kept, discarded", "rounds that count; rounds that do not count, because a thread waited for a core"),
    ("worker", "a process that measures"),
    ("run", "one invocation, one record"),
    ("instrument", "code that measures anything but the step time, in a separate worker"),
    ("throughput", "images or other examples per second: all of them divided by all time"),
    ("steady", "a case without an issue: nothing was found that makes its step time misleading"),
    ("drifting", "the step time climbs or falls within most visits"),
    ("bimodal", "the step time has two levels, with few turns between them"),
    ("drift of the machine", "a change of speed that all cases share"),
    ("skipped", "not measured, because the case cannot run here"),
    ("failed", "ended by an error"),
    ("minor fault", "a page of memory mapped in without reading a disk"),
    ("resident set", "the part of a process's memory that is in RAM"),
    ("intensity", "floating-point operations per byte that is read or written"),
)
"""Words of the page, and their meanings."""
