"""The gate's study: what `stepmark gate` and its rivals say of identical sides and of sides with a known slowdown.

until nothing is lacking, or the time is up:
    two trials of the gate, then one of a rival, so that all are of the same hours:
        of what is lacking, the part of the lowest stage that lacks most of its trials

Every trial is on disk once it is over, and the study goes on where it was. `STUDY=short` starts no trial that
may not be over in 28 minutes.
"""

from __future__ import annotations

import os
import random
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import cycle
from time import monotonic

import live
import organic
from parts import Part
from rivals import trials as rivals

SHORT_S = 1680.0
"""Seconds of `STUDY=short`. With blocks dealt anew and the page, it is over in half an hour."""


def of_the_gate() -> list[Part]:
    """Parts that run `stepmark gate`."""
    return [*live.parts(), *organic.parts()]


TURNS: tuple[Callable[[], list[Part]], ...] = (of_the_gate, of_the_gate, rivals.parts)


def due(parts: Sequence[Part], left_s: float, chance: random.Random) -> Part | None:
    """The part of the lowest stage that lacks most trials and has time for one; chance decides between equals."""
    lacking = [one for one in parts if one.done < one.wanted and one.longest_s <= left_s]
    return min(lacking, key=lambda one: (one.stage, one.done / one.wanted, chance.random()), default=None)


def main() -> None:
    """Measure what is missing."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, help="within which trials have to be over")
    limit_s = parser.parse_args().seconds
    if limit_s is None:
        limit_s = SHORT_S if os.environ.get("STUDY") == "short" else float("inf")
    started_s, chance, idle = monotonic(), random.Random(), 0  # noqa: S311 - an order
    first = chance.randrange(len(TURNS))  # so that a study that is often stopped has its turns too
    for parts in cycle((*TURNS[first:], *TURNS[:first])):
        if idle == len(TURNS):
            break
        part = due(parts(), limit_s - (monotonic() - started_s), chance)
        idle = 0 if part else idle + 1
        if part:
            print(f"{datetime.now(UTC):%H:%M:%S}  {part.measure()}", flush=True)


if __name__ == "__main__":
    main()
