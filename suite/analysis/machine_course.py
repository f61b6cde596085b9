"""The speed of the machine as a run went on, from the turns of all its cases."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from suite.analysis.drift import by_device, moments, turn_levels
from suite.analysis.estimates import Kept, batches
from suite.records import LEARN, RunRecord

MOST_SPELLS = 60
FEWEST_TURNS = 10
"""Turns in a spell, at least, so that one case hardly moves their median."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Some seconds of a run, and how fast the machine was in them.

    Attributes:
        device: the kind of device of the cases, such as `cpu`.
        at_s: the median turn's time, from the start of the run.
        slower: the median turn over its case's median, less 1; 0.02 is 2 % slower than in most of the run.
        turns: turns in the spell, of all cases.
    """

    device: str
    at_s: float
    slower: float
    turns: int


def machine_course(records: Iterable[RunRecord], kept: Mapping[str, Kept] | None = None) -> list[Spell]:
    """Spells of a run in their order, those of each kind of device together.

    Up to `MOST_SPELLS` of each, with as many turns. None for cases that learn: their steps are the first of a training.

    Args:
        records: all of a run.
        kept: the rounds of each case that count, by id, where the caller has them.
    """
    measured = {one.case.id: one for one in records if one.outcome == "measured" and one.case.mode != LEARN}
    known = kept or {}
    found: list[Spell] = []
    for ids in by_device(measured.values()):
        pairs = [(known.get(case_id), measured[case_id].measurement) for case_id in ids]
        cases = [one or Kept.of(measurement) for one, measurement in pairs if measurement is not None]
        device = str(measured[ids[0]].attributes.get("execution", {}).get("device", "cpu"))
        found += spells(device, levels_in_time(cases))
    return found


def spells(device: str, levels: Sequence[tuple[float, float]]) -> list[Spell]:
    """Stretches of equally many turns, with their medians.

    Args:
        device: the kind of device that all of them used.
        levels: seconds from the start of the run and log of a turn over its case's median, in order of time.
    """
    count = min(MOST_SPELLS, len(levels) // FEWEST_TURNS)
    return [
        Spell(device, median(at_s for at_s, _ in one), math.exp(median(level for _, level in one)) - 1, len(one))
        for one in (batches(levels, count) if count else [])
    ]


def levels_in_time(cases: Sequence[Kept]) -> list[tuple[float, float]]:
    """When each turn was, and its level.

    Cases whose workers take turns share a start. The turns of such a group are spread evenly over its seconds: no
    single turn has a time in the record.
    """
    group_s: dict[tuple[int, float], float] = defaultdict(float)
    group_turns: dict[tuple[int, float], int] = defaultdict(int)
    for one in cases:
        for index, started_s, turn in moments(one.measurement):
            group_turns[index, started_s] = max(group_turns[index, started_s], turn + 1)
        for visit in one.measurement.visits:
            group_s[visit.index, visit.started_s] += visit.seconds
    found = []
    for one in cases:
        for (index, started_s, turn), level in turn_levels(one).items():
            share = (turn + 0.5) / group_turns[index, started_s]
            found.append((started_s + share * group_s[index, started_s], level))
    return sorted(found)
