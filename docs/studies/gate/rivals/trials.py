"""Results of other tools for identical sides and for sides with a known slowdown.

A trial measures baseline and candidate in turns, all cases of each, in a tool's usual way, and asks the tool which
cases are slower. The slower side does as much more work as in the gate's trials; the other side has the plug-in too.
Every trial is a line of `reports/studies/rivals.jsonl`.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from dose import counts_of, measured
from live import PROTOCOL, keep, protocol_of
from parts import Part
from rivals import rival_asv, rival_benchmatrix, rival_hyperfine, rival_pyperf, rival_pytest_benchmark
from rivals.rival import Rival
from rivals.steps import cases
from suite.records.line_file import read_lines

RAW = Path("reports/studies/rivals.jsonl")
TRIAL_S = 600.0
"""What a trial may take, both sides together, start-up included: the default budget of a gate. A gate that is sure
stops before; the other tools have no such rule."""
THREADS = 1
"""Of steps."""
LONGEST_S = 780.0
"""What it takes at most, since rivals keep to their time only about; without making a rival's environment, once."""
ADAPTERS = (rival_pytest_benchmark, rival_pyperf, rival_asv, rival_benchmatrix, rival_hyperfine)
RIVALS: tuple[Rival, ...] = tuple(adapter.RIVAL for adapter in ADAPTERS)


@dataclass(frozen=True)
class Condition:
    """Trials of one kind.

    Attributes:
        wanted: how many trials of each rival the table should have. Set before the first was measured.
        share: of a step by which the victim's are longer in the candidate; 0.0 where the sides are identical.
    """

    name: str
    wanted: int
    share: float = 0.0


CONDITIONS = (
    Condition("identical, 8 cases", 10),
    Condition("one of 8 slower by 3 %", 5, 0.03),
    Condition("one of 8 slower by 5 %", 5, 0.05),
    Condition("one of 8 slower by 10 %", 5, 0.10),
)


def environment_of(counts: dict[str, int]) -> dict[str, str]:
    """The environment of a side, whose plug-in adds so much work to the steps of cases."""
    return {**os.environ, "WORK": ";".join(f"{name}={count}" for name, count in counts.items()) or "*=0"}


def trial(rival: Rival, condition: Condition, victim: str) -> dict[str, Any]:
    """Measure both sides and ask the rival."""
    counts = counts_of([victim], condition.share, THREADS) if victim else {}
    with tempfile.TemporaryDirectory() as name:
        sides, started_s = (Path(name, "baseline"), Path(name, "candidate")), monotonic()
        settings = rival.measure(sides, TRIAL_S, (environment_of({}), environment_of(counts)))
        taken_s = round(monotonic() - started_s, 1)
        said = rival.judge(*sides)
    return {
        "protocol": PROTOCOL,
        "condition": condition.name,
        "victim": victim,
        "share": condition.share,
        "rival": rival.name,
        "version": rival.version,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "trial_s": TRIAL_S,
        "seconds": taken_s,
        "settings": settings,
        "doses": measured(counts, THREADS),
        **said,
    }


def parts() -> list[Part]:
    """Every condition of every rival, with as many trials as there are."""
    done = Counter((one["rival"], one["condition"]) for one in gathered() if protocol_of(one) == PROTOCOL)
    return [
        Part(0, condition.wanted, done[rival.name, condition.name], LONGEST_S, partial(one_more, rival, condition))
        for rival in RIVALS
        for condition in CONDITIONS
    ]


def gathered() -> list[dict[str, Any]]:
    """Lines measured so far, in order."""
    return read_lines(RAW)[0] if RAW.exists() else []


def one_more(rival: Rival, condition: Condition) -> str:
    """Run and keep one trial; the rival's environment is made where it is missing."""
    rival.prepare()
    victim = random.choice(list(cases())) if condition.share else ""  # noqa: S311 - a draw
    found = trial(rival, condition, victim)
    keep(RAW, found)
    alarms = ", ".join(f"{rule}: {len(slower)}" for rule, slower in found["alarms"].items())
    return f"{rival.name}  {found['seconds']:4.0f} s  {condition.name}: {alarms}"
