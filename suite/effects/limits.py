"""Limits as a user writes them, and whether a case is within them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from suite import units
from suite.effects.candidates import Candidate
from suite.effects.values import METRICS, MetricKind
from suite.records import StepmarkError

Within = Literal["within", "perhaps", "outside", "unknown"]

OPTIONS = {
    "max-time": ("step_time", "10ms"),
    "max-memory": ("peak_memory", "600MiB"),
    "max-energy": ("energy", "2.5J"),
    "min-accuracy": ("accuracy", "0.95"),
}
"""Option -> the metric that it limits, and an example."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound of one metric.

    Attributes:
        option: that set it, without dashes.
        bound: in base units.
    """

    option: str
    metric: MetricKind
    bound: float

    def of(self, candidate: Candidate) -> Within:
        """Whether a case is within; `perhaps` if its interval includes the bound."""
        known = candidate.known.get(self.metric.name)
        if known is None:
            return "unknown"
        ends = [self.excess(known.low), self.excess(known.high)]
        if max(ends) <= 0:
            return "within"
        return "perhaps" if min(ends) <= 0 else "outside"

    def excess(self, value: float) -> float:
        """How far a value lies outside, relative to the bound; up to 0 within it."""
        beyond = value - self.bound if self.metric.better == "lower" else self.bound - value
        return beyond / self.bound

    def middle_excess(self, candidate: Candidate) -> float:
        """The excess of a case's value; infinite if it is not known."""
        known = candidate.known.get(self.metric.name)
        return math.inf if known is None else self.excess(known.value)

    def text(self) -> str:
        """`--max-memory 600 MiB`."""
        return f"--{self.option} {units.text(self.bound, self.metric.unit)}"


def limits_of(texts: Mapping[str, str]) -> tuple[Limit, ...]:
    """Limits by option; those that were not given limit nothing.

    Raises:
        StepmarkError: `--max-memory is '600'; allowed: a number above 0 with its unit (...), such as 600MiB.`
    """
    return tuple(limit_of(option, texts[option]) for option in OPTIONS if option in texts)


def limit_of(option: str, text: str) -> Limit:
    """One limit from its text; raises as `limits_of` does."""
    name, example = OPTIONS[option]
    metric = METRICS[name]
    try:
        bound = units.read(text, metric.unit)
        if not 0 < bound < math.inf or (metric.unit == "ratio" and bound > 1):
            raise ValueError(text)
    except ValueError as error:
        allowed = f"a number above 0 with its unit ({', '.join(units.scale_names(metric.unit))})"
        if metric.unit == "ratio":
            allowed = "a share above 0 and up to 1, or a percentage"
        raise StepmarkError(f"--{option} is {text!r}; allowed: {allowed}, such as {example}.") from error
    return Limit(option, metric, bound)


def within_all(limits: tuple[Limit, ...], candidate: Candidate) -> Within:
    """The worst answer of all limits; `within` if there are none."""
    answers = {limit.of(candidate) for limit in limits}
    order: tuple[Within, ...] = ("outside", "unknown", "perhaps")
    return next((one for one in order if one in answers), "within")
