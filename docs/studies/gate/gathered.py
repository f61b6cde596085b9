"""Data of the study under one protocol: live gates and rivals' trials, with their results by case."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any

import live
from live import CONDITIONS, Condition
from rivals import trials as rivals

Trial = dict[str, Any]
SHOWN = 1
"""The protocol that page and documents show: the next one when it has its trials, and prose to go with them."""
BREAK = timedelta(minutes=30)
"""A pause between two live gates from which the later one is of another sitting."""


@dataclass(frozen=True)
class Study:
    """Trials of one protocol.

    Attributes:
        protocol: `live.PROTOCOL` at the time.
        gates: live gates, in order.
        others: trials of rivals, in order.
    """

    protocol: int
    gates: Sequence[Trial]
    others: Sequence[Trial]

    def of(self, condition: Condition) -> list[Trial]:
        """Live gates of a condition."""
        return [one for one in self.gates if one["condition"] == condition.name]

    def sittings(self) -> list[list[Trial]]:
        """Live gates by the sitting in which they ran, in order."""
        found = [[one] for one in self.gates[:1]]
        for before, one in pairwise(self.gates):
            pause = at(one) - timedelta(seconds=one["seconds"]) - at(before)
            if pause < BREAK:
                found[-1].append(one)
            else:
                found.append([one])
        return found


def study(protocol: int = SHOWN) -> Study:
    """All data under a protocol."""
    return Study(
        protocol,
        [one for one in live.trials() if live.protocol_of(one) == protocol],
        [one for one in rivals.gathered() if live.protocol_of(one) == protocol],
    )


def at(trial: Trial) -> datetime:
    """When a trial was over."""
    return datetime.fromisoformat(trial["at"])


def step_times(trial: Trial) -> list[dict[str, Any]]:
    """A gate's verdicts on step times, case by case."""
    return [one for one in trial["verdict"]["cases"] if one["metric"] == "step_time"]


def is_victim(trial: Trial, name: str) -> bool:
    """Whether a case of a trial was changed."""
    return bool(trial["victim"]) and fnmatchcase(name, trial["victim"])


def dose(trial: Trial) -> Iterator[float]:
    """Changes of the cases that were changed, as the gate measured them."""
    yield from (one["change"] for one in step_times(trial) if is_victim(trial, one["name"]) and one["change"])


def unchanged(found: Iterable[Trial]) -> Iterator[dict[str, Any]]:
    """Verdicts of gates on the step times of cases that were not changed."""
    for trial in found:
        yield from (one for one in step_times(trial) if one["change"] is not None and not is_victim(trial, one["name"]))


def is_hit(condition: Condition, trial: Trial) -> bool:
    """Whether what was changed was called what it is, and the control did not void that."""
    if trial["verdict"]["control_alarm"]:
        return False
    wanted = "regression" if condition.share > 0 else "improvement"
    said = [*step_times(trial), *trial["verdict"]["levels"]]
    if "*" in trial["victim"]:
        return any(one["verdict"] == wanted and one["name"].startswith("optimizer adam") for one in said) and (
            condition.share < 0 or "optimizer adam" in trial["verdict"]["culprits"]
        )
    return any(one["verdict"] == wanted and one["name"] == trial["victim"] for one in said)


def called_slower(condition: Condition, trial: Trial) -> set[str]:
    """Cases that a gate called a regression in any metric, though nothing made them slower."""
    slowed = {one["name"] for one in trial["verdict"]["cases"] if one["verdict"] == "regression"}
    return {name for name in slowed if condition.share < 0 or not is_victim(trial, name)}


def is_false(condition: Condition, trial: Trial) -> bool:
    """Whether a gate called anything slower that was not changed."""
    if not condition.victims:
        return bool(trial["exit_code"] == 10)
    return bool(called_slower(condition, trial))


def is_passed(trial: Trial) -> bool:
    """Whether what was changed was called unchanged."""
    return any(one["verdict"] == "no change" and is_victim(trial, one["name"]) for one in step_times(trial))


def error_of(changes: Iterable[float]) -> float | None:
    """Root mean square of the logs of changes."""
    logs = [math.log1p(one) for one in changes]
    return math.sqrt(sum(one * one for one in logs) / len(logs)) if logs else None


def conditions() -> dict[str, Condition]:
    """Conditions by name."""
    return {one.name: one for one in CONDITIONS}
