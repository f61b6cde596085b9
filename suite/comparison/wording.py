"""Sentences of the page about a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from suite import units
from suite.analysis import change_text
from suite.analysis.change import Change
from suite.analysis.magnitude import bounds_in_words, magnitude
from suite.analysis.thresholds import Thresholds
from suite.comparison.changes import FEWEST, PASS_LEVEL
from suite.comparison.formats import common_change
from suite.comparison.pairing import Pairing
from suite.comparison.superiority import in_words
from suite.errors import ExitCode

NAMED = 2
"""Facts and cases that a sentence names; it counts the others."""
OUTCOMES = {
    ExitCode.REGRESSION: "regression",
    ExitCode.NOT_COMPARABLE: "not comparable",
    ExitCode.INCONCLUSIVE: "inconclusive",
    ExitCode.SUCCESS: "no regression",
}


def outcome(code: int) -> str:
    """The result in a word or two, by the exit code."""
    return OUTCOMES[ExitCode(code)]


def sentence(pairing: Pairing, limits: Thresholds) -> str:
    """The result of a comparison in one sentence, without its first words."""
    found = pairing.comparison
    if pairing.unlike:
        return f"the environments differ, so no step time has a verdict: {named(pairing.unlike)}"
    if not found.cases:
        return "the two runs measured no case in common"
    texts = [counts(pairing), *regressed(found.cases), *regressed(found.memory)]
    if len(found.cases) >= FEWEST and found.shift_high > limits.margin:
        texts.append(f"all cases together may be up to {units.percent_above(found.shift_high)} slower")
    return "; ".join(texts)


def regressed(changes: Sequence[Change]) -> list[str]:
    """The largest regression of each metric, in words.

    `the largest slowdown is +20.1 %, of resnet18-adam-cpu`
    """
    slow = [one for one in changes if one.verdict == "regression"]
    texts = []
    for metric in dict.fromkeys(one.metric for one in slow):
        worst, *others = (one for one in slow if one.metric == metric)
        grown = "" if change_text.is_time(worst) else f"{metric} regressed in {1 + len(others):,} of them; "
        size = f"{'from ' if change_text.is_from_zero(worst) else ''}{change_text.size(worst)}"
        texts.append(f"{grown}the largest {change_text.terms_of(worst).more} is {size}, of {worst.name}")
    return texts


def counts(pairing: Pairing) -> str:
    """`24 cases compared: 1 slower, 2 faster, 20 unchanged, 1 undecided`."""
    found = pairing.comparison
    words = {"slower": "regression", "faster": "improvement", "unchanged": "no change", "undecided": "inconclusive"}
    numbers = {word: sum(one.verdict == verdict for one in found.cases) for word, verdict in words.items()}
    texts = [f"{number:,} {word}" for word, number in numbers.items() if number]
    total = len(found.cases)
    return f"{total:,} {'case' if total == 1 else 'cases'} compared: {', '.join(texts)}"


def named(texts: Sequence[str]) -> str:
    """The first texts, and the number of the others."""
    rest = len(texts) - NAMED
    return "; ".join(texts[:NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def notices(pairing: Pairing, limits: Thresholds) -> list[str]:
    """Reasons for caution: incomplete runs, environments, the common change."""
    texts = []
    for side, name in ((pairing.baseline, "baseline"), (pairing.candidate, "candidate")):
        run = side.run
        if run.footer is None or run.missing:
            texts.append(f"The {name} run was interrupted{unfinished(len(run.missing))}.")
    if pairing.unlike:
        texts.append(
            "Facts that may change results differ between the two runs. Changes are shown without the common change, "
            "and without a verdict. Measure both in one environment, or run stepmark gate."
        )
    elif len(pairing.comparison.cases) >= FEWEST and pairing.comparison.shift_high > limits.margin:
        text = common_change(pairing.comparison)
        texts.append(f"{text[:1].upper()}{text[1:]}. The common change may exceed the margin.")
    return texts


def unfinished(missing: int) -> str:
    """The number of planned cases without an outcome, as the end of a sentence."""
    if not missing:
        return " after its last case"
    return f": {missing:,} planned {'case has' if missing == 1 else 'cases have'} no outcome"


def changed_case(change: Change, pairing: Pairing, limits: Thresholds) -> str:
    """A changed case after its id: change, interval, size, share of slower steps."""
    share = pairing.slower.get(change.name)
    words = [change_text.with_interval(change), str(magnitude(change.change, limits) or "")]
    return ", ".join(filter(None, words)) + (f"; {in_words(share)}" if share is not None else "")


def how_to_read(limits: Thresholds) -> tuple[tuple[str, str], ...]:
    """Columns of the tables, one line each."""
    tolerance, margin = (units.percent_as_given(one) for one in (limits.tolerance, limits.margin))
    joint = f"{100 - 100 * limits.alpha:g} of 100 comparisons"
    return (
        ("change", "candidate / baseline - 1, without the change that all cases share; lower is better"),
        ("interval", f"the intervals of all cases contain their true changes in {joint}"),
        (
            "ruled out",
            f"larger slowdowns are, at {100 - 100 * PASS_LEVEL:g} % for each case alone; the interval is joint",
        ),
        ("size", bounds_in_words(limits)),
        (
            "slower steps",
            "pairs of one step from each run in which the candidate's step is slower; 50 of 100 means no difference",
        ),
        ("regression", f"shown to be slower by more than the tolerance of {tolerance}"),
        ("improvement", f"shown to be faster by more than {tolerance}"),
        ("no change", f"a slowdown of the margin, {margin}, is ruled out"),
        ("inconclusive", "none of these three was shown; a larger slowdown than the bound is ruled out all the same"),
        ("disturbance", "interference that kernel counters showed in a run; such a case has no verdict"),
    )
