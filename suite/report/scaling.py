"""How the step scales over ranks: cases that differ in the number of processes alone, side by side."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.records import Run

RATIO_DIGITS = 3


@dataclass(frozen=True, slots=True)
class ScalingRow:
    """A case of several ranks beside the one of the fewest, as text."""

    id: str
    ranks: int
    cores: str
    step_time: str
    speed_up: str
    interval: str
    efficiency: str


def scaling(run: Run, ranked: list[CaseFigures]) -> tuple[ScalingRow, ...]:
    """A row for each case of a group in which at least two numbers of ranks were measured, the fewest first.

    The batch of a case is the joint batch, so that this is strong scaling. Efficiency is the speed-up for each core, or
    device, that a case has more than the one of the fewest ranks.
    """
    groups: dict[tuple[str, str], list[CaseFigures]] = defaultdict(list)
    for facts in ranked:
        execution = facts.record.attributes.get("execution", {})
        if execution.get("ranks"):
            alike = replace(facts.case, execution="").id
            groups[alike, str(execution.get("backend"))].append(facts)
    cores = int(run.header.environment.get("machine", {}).get("cores_usable") or 0)
    rows: list[ScalingRow] = []
    for _, group in sorted(groups.items()):
        group.sort(key=lambda facts: (ranks_of(facts), facts.case.id))
        if len({ranks_of(facts) for facts in group}) > 1:
            rows += [row(facts, group[0], cores) for facts in group]
    return tuple(rows)


def row(facts: CaseFigures, fewest: CaseFigures, cores: int) -> ScalingRow:
    """A case beside the one of the fewest ranks. The interval is what the two cases' intervals allow at most."""
    own, first = facts.step_time, fewest.step_time
    speed_up = first.median / own.median
    more = cores_of(facts, cores) / cores_of(fewest, cores)
    alone = facts is fewest
    return ScalingRow(
        id=facts.case.id,
        ranks=ranks_of(facts),
        cores=f"{cores_of(facts, cores)} {'devices' if on_devices(facts) else 'cores'}",
        step_time=units.text(own.median, "s"),
        speed_up=units.number(speed_up, RATIO_DIGITS),
        interval="" if alone else units.interval(first.low / own.high, first.high / own.low, "1", RATIO_DIGITS),
        efficiency=units.text(speed_up / more, "ratio", RATIO_DIGITS),
    )


def ranks_of(facts: CaseFigures) -> int:
    """Processes that share the batch."""
    return int(facts.record.attributes["execution"]["ranks"])


def on_devices(facts: CaseFigures) -> bool:
    """Whether each rank has an accelerator of its own."""
    return bool(facts.record.attributes["execution"].get("device") == "cuda")


def cores_of(facts: CaseFigures, usable: int) -> int:
    """Cores that the ranks' threads can be on at once, of those `usable` on each node (0: not known), or devices."""
    execution = facts.record.attributes["execution"]
    if on_devices(facts):
        return int(execution.get("devices") or 1)
    threads = ranks_of(facts) * int(execution.get("threads_per_rank") or 1)
    return min(threads, usable * int(execution.get("nodes") or 1)) if usable else threads
