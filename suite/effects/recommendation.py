"""The fastest case within limits, the cases that may be as fast, and the front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from suite.effects.candidates import Candidate, Group, groups_of
from suite.effects.front import OnFront, front
from suite.effects.limits import Limit, Within, within_all
from suite.effects.values import Selects
from suite.records import Run


@dataclass(frozen=True, slots=True)
class Option:
    """A case as a choice.

    Attributes:
        within: whether it is within all limits.
        on_front: whether it is on the Pareto front of its group, whatever the limits.
    """

    candidate: Candidate
    within: Within
    on_front: OnFront

    @property
    def step_s(self) -> float:
        """Median step time in seconds."""
        return self.candidate.known["step_time"].value


@dataclass(frozen=True, slots=True)
class Exclusion:
    """The effect of one limit alone.

    Attributes:
        outside: cases whose value is outside.
        unknown: cases without a value.
    """

    limit: Limit
    outside: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Advice:
    """The choice in one group of cases that do the same work.

    Attributes:
        options: all cases of the group, the fastest first.
        chosen: the fastest within all limits; where no interval is, the fastest whose values are. None if no case is.
        as_good: cases within the limits whose step time the intervals do not separate from that of `chosen`.
        exclusions: of each limit.
        nearest: without a choice, the case with the smallest largest excess; None if no case has all values.
    """

    group: Group
    options: tuple[Option, ...]
    chosen: Option | None
    as_good: tuple[Option, ...]
    exclusions: tuple[Exclusion, ...]
    nearest: Option | None


def recommend(run: Run, limits: tuple[Limit, ...], selects: Selects = lambda _: True) -> list[Advice]:
    """Choose in each group of selected cases that do the same work.

    Raises:
        StepmarkError: no selected case was measured.
    """
    return [advice(group, limits) for group in groups_of(run, selects)]


def advice(group: Group, limits: tuple[Limit, ...]) -> Advice:
    """Choose in one group."""
    options = sorted(
        (
            Option(candidate, within_all(limits, candidate), on_front)
            for candidate, on_front in zip(group.candidates, front(group), strict=True)
        ),
        key=lambda option: (option.step_s, option.candidate.case.id),
    )
    likely = [option for option in options if option.within == "within" or largest_excess(limits, option) <= 0]
    chosen = next((option for option in likely if option.within == "within"), next(iter(likely), None))
    return Advice(
        group=group,
        options=tuple(options),
        chosen=chosen,
        as_good=tuple(rivals(chosen, likely)),
        exclusions=tuple(exclusion(limit, options) for limit in limits),
        nearest=None if chosen else nearest(limits, options),
    )


def largest_excess(limits: Sequence[Limit], option: Option) -> float:
    """How far a case's values lie outside the limit that it misses most."""
    return max((limit.middle_excess(option.candidate) for limit in limits), default=0.0)


def rivals(chosen: Option | None, options: Sequence[Option]) -> list[Option]:
    """Other cases whose interval of the step time overlaps that of the choice."""
    if chosen is None:
        return []
    best = chosen.candidate.known["step_time"]
    return [
        option for option in options if option is not chosen and option.candidate.known["step_time"].low <= best.high
    ]


def exclusion(limit: Limit, options: Sequence[Option]) -> Exclusion:
    """Numbers of cases that a limit alone excludes."""
    excess = [limit.middle_excess(option.candidate) for option in options]
    unknown = sum(option.candidate.known.get(limit.metric.name) is None for option in options)
    return Exclusion(limit, sum(one > 0 for one in excess) - unknown, unknown)


def nearest(limits: Sequence[Limit], options: Sequence[Option]) -> Option | None:
    """The case whose largest excess is smallest, of those with all values."""
    whole = [option for option in options if lacks_nothing(limits, option)]
    return min(whole, key=lambda option: largest_excess(limits, option), default=None)


def lacks_nothing(limits: Sequence[Limit], option: Option) -> bool:
    """Whether a case has a value for each limit."""
    return all(limit.metric.name in option.candidate.known for limit in limits)
