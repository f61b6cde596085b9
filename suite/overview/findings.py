"""The largest effects as sentences.

`optimizer adamw_fused takes 8.1 % [6.0, 10.1] less time per step than adamw, over 12 networks`

An effect is a finding if matched cases show it, and if its intervals exclude no effect: that of these cases, and that
of networks to come where enough networks were measured.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.effects.candidates import SLACK
from suite.effects.contrasts import Effect, main_effects
from suite.effects.dimensions import DIMENSIONS, varied
from suite.effects.sizes import Size
from suite.effects.values import METRICS, MetricKind, Values, values_of
from suite.effects.wording import as_change, count
from suite.records import Case, Run, StepmarkError
from suite.records.factors import NAMES

MOST = {"step_time": 4, "peak_memory": 2, "energy": 2, "accuracy": 2}
"""Metric -> findings, at most; in the order in which they are shown."""
MOST_OF_DIMENSION = 2
"""Findings about one factor or attribute, at most."""
SMALLEST = {"step_time": 0.01, "accuracy": 0.001} | SLACK
"""Metric -> change below which an effect is no finding, whatever its interval."""
TIMES_FROM = 1.0
"""Change from which a text gives the ratio: 250 % more is 3.5 times as much."""
LARGEST_LOG = 700.0
"""Logs above it have no ratio that a float can hold."""
MORE_AND_LESS = {
    "step_time": ("takes", "more time per step than", "less time per step than", "as long per step as"),
    "peak_memory": ("needs", "more memory than", "less memory than", "as much memory as"),
    "energy": ("uses", "more energy per step than", "less energy per step than", "as much energy per step as"),
    "accuracy": ("classifies", "more test examples right than", "fewer test examples right than", ""),
}
"""Metric -> verb, the comparison where the level has more, where it has less, and that of a ratio."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One effect as a sentence.

    Attributes:
        text: the sentence, without a full stop.
        metric: a key of `effects.values.METRICS`.
        filter: the filter that shows its cases.
        effect: the effect itself.
    """

    text: str
    metric: str
    filter: str
    effect: Effect


def effects_of(
    run: Run, metric: str, figures: Mapping[str, CaseFigures] | None = None
) -> tuple[Values, tuple[Effect, ...]] | None:
    """A metric's values, and its effects from matched cases; None without a value.

    Args:
        run: complete or interrupted.
        metric: a key of `METRICS`.
        figures: those of cases of the run by id, if they are known already.
    """
    try:
        values = values_of(run, metric, figures=figures)
    except StepmarkError:
        return None
    dimensions = [one for one in DIMENSIONS if len(varied(values.found, one)) > 1]
    return values, tuple(effect for one in dimensions for effect in main_effects(values.found, one))


def findings(run: Run, effects: Callable[[str], tuple[Values, tuple[Effect, ...]] | None]) -> tuple[Finding, ...]:
    """The largest effects on each metric, as sentences."""
    measured = [record.case for record in run.cases if record.outcome == "measured"]
    found = []
    for name, most in MOST.items():
        known = effects(name)
        if known is not None:
            metric = METRICS[name]
            chosen = largest(once(one for one in known[1] if is_clear(metric, one)), most)
            found += [Finding(sentence(metric, one), name, filter_of(one, measured), one) for one in chosen]
    return tuple(found)


def once(found: Iterable[Effect]) -> Iterator[Effect]:
    """The first of the effects that the same pairs show: no attribute of a factor."""
    seen = set()
    for one in found:
        pairs = one.shown_by
        if pairs and pairs not in seen:
            seen.add(pairs)
            yield one


def is_clear(metric: MetricKind, effect: Effect) -> bool:
    """Whether an effect is large enough, and no interval of it includes none."""
    change = as_change(metric, effect.size.middle) or 0.0
    known = [size for size in (effect.size, effect.networks) if size is not None and size.low is not None]
    return abs(change) >= SMALLEST[metric.name] and all((size.low or 0) > 0 or (size.high or 0) < 0 for size in known)


def largest(found: Iterable[Effect], most: int) -> list[Effect]:
    """The largest effects, first one of each dimension, then a second one."""
    seen: Counter[str] = Counter()
    ranked: list[tuple[int, float, int, Effect]] = []
    for effect in sorted(found, key=lambda one: -abs(one.size.middle)):
        seen[effect.dimension] += 1
        if seen[effect.dimension] <= MOST_OF_DIMENSION:
            ranked.append((seen[effect.dimension], -abs(effect.size.middle), len(ranked), effect))
    chosen = sorted(ranked, key=lambda row: row[:3])[:most]
    return [effect for _, _, _, effect in sorted(chosen, key=lambda row: row[1:3])]


def sentence(metric: MetricKind, effect: Effect) -> str:
    """An effect in words: subject, size, interval, and number of networks or pairs."""
    size = shown_size(effect)
    verb, more, less, as_much = MORE_AND_LESS[metric.name]
    change = as_change(metric, size.middle) or 0.0
    if metric.is_ratio and change >= TIMES_FROM:
        amount, comparison = times(size), as_much
    else:
        amount, comparison = percent(metric, size), more if change > 0 else less
    words = effect.dimension.replace(".", " ").replace("_", " ")
    against = f"{words.rpartition(' ')[2]} {effect.against}" if isinstance(effect.against, int) else effect.against
    return f"{words} {effect.level} {verb} {amount} {comparison} {against}, {extent(effect)}"


def shown_size(effect: Effect) -> Size:
    """The size for these cases.

    Where each was read once, that for networks to come, which has an interval.
    """
    return effect.networks if effect.size.low is None and effect.networks is not None else effect.size


def extent(effect: Effect) -> str:
    """The networks or pairs of cases that an effect was found in."""
    if effect.networks_count > 1:
        return f"over {count(effect.networks_count, 'network')}"
    return f"in {count(effect.pairs_count, 'pair', 'pairs')} of cases"


def percent(metric: MetricKind, size: Size) -> str:
    """A change without its sign: `8.1 % [6.0, 10.1]`, or `1.2 points [0.9, 1.5]`."""
    middle, *ends = (
        100 * (as_change(metric, one) or 0.0) for one in (size.middle, size.low, size.high) if one is not None
    )
    sign = -1 if middle < 0 else 1
    unit = "%" if metric.is_ratio else "points"
    return f"{sign * middle:.1f} {unit}{between(f'{one:.1f}' for one in sorted(sign * end for end in ends))}"


def times(size: Size) -> str:
    """A ratio: `3.5 times [3.3, 3.7]`."""
    middle, *ends = (math.exp(min(one, LARGEST_LOG)) for one in (size.middle, size.low, size.high) if one is not None)
    return f"{units.number(middle, 3)} times{between(units.number(end, 3) for end in ends)}"


def between(ends: Iterable[str]) -> str:
    """` [6.0, 10.1]`; empty without ends."""
    text = ", ".join(ends)
    return f" [{text}]" if text else ""


def filter_of(effect: Effect, measured: Sequence[Case]) -> str:
    """The filter that shows the cases of an effect.

    First its factor, then every other factor of which they have some levels alone.
    """
    ids = {case_id for pair in effect.pairs for case_id in (*pair.ids, *pair.against_ids)}
    wanted = [case for case in measured if case.id in ids]
    shown, words = list(measured), []
    first = effect.dimension.partition(".")[0]
    for name in sorted(NAMES, key=lambda one: one != first):
        level_of = attrgetter(name)
        levels = dict.fromkeys(map(level_of, wanted))
        if not levels.keys() >= set(map(level_of, shown)):
            words.append(f"{name}:{','.join(map(str, levels))}")
            shown = [case for case in shown if level_of(case) in levels]
    return " ".join(words)
