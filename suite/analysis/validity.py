"""Validity of a case's numbers: issues with their reasons and remedies.

Each check finds one reason for which a step time may mislead, and reports only what it is sure of: on an idle machine
it should hardly ever report anything (docs/decisions/0015). A case without an issue is steady. To add a check, write a
function and add it to `CHECKS`, or to `CHECKS_OF_TURNS`, and its remedy to `issue.REMEDIES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations, islice
from operator import truediv
from statistics import fmean, median

from suite import units
from suite.analysis.estimates import Kept, batches
from suite.analysis.issue import BIMODAL, CLIMBS, DRIFTING, FALLS, STEADY, Issue
from suite.analysis.modes import CHANGE, two_modes
from suite.machine.allocators import ALLOCATORS
from suite.records import Measurement, Visit

MUCH_LOAD = 0.1
"""Cores' worth of time that others used from which a run counts as loaded. Quiet machines show a hundredth of one."""
MUCH_WAITING = 0.25
"""Share of the time for which some process waited for a core from which it counts as loaded: workers go first, and
keep others waiting. A busy loop that waits for them shows most of the time, a quiet machine a hundredth of it."""
MUCH_QUEUEING = 0.5
"""Share of a step's time for which its own threads wait for a core, from which they share one where nobody else uses
any. Threads with a core each show less than a hundredth; two on one core all of the time."""
MUCH_STOLEN = 0.05
MUCH_HELD_BACK = 0.01
"""Shares of the time from which the hypervisor or a quota is in the way."""
SLOWED = 0.05
"""Share of the readings of a device in which heat or power lowered its clock."""
SWAPPED = 0.05
"""Share of the rounds that read pages from a disk."""
MUCH_MEMORY = 256 * 2**20
"""Bytes held by a busy neighbour that no cache holds, so that it fetches them through the one bus to memory."""
MUCH_TAKEN = 20_000
"""Pages a second that others map in, some 80 MB: more than starting programs takes."""
SHORT_OF_MEMORY = 0.01
"""Share of the time for which some process waited for memory."""
STRETCHES = 12
"""Stretches of a visit's turns in which a trend is looked for; neighbouring turns resemble each other."""
TREND_SURE = 3.3
"""Standard deviations of Kendall's statistic under no trend: one in a thousand reaches it by chance."""
SLOWER = 1.05
"""Step time with the usual allocator over that with the steady one from which it is reported."""
MANY_FAULTS = 16
"""Pages more that a step maps in with the usual allocator, at least, for that to be the reason."""

VisitTurns = list[list[float]]
"""Medians of the turns with a kept round, visit by visit, in seconds."""


def issues(measurement: Measurement, kept: Kept | None = None) -> list[Issue]:
    """Issues of a case by itself, from rounds as measured; none if it is steady.

    Args:
        measurement: of the case.
        kept: its rounds that count, where the caller has them.
    """
    turns = turns_of_visits(measurement, kept)
    of_turns = [issue for check in CHECKS_OF_TURNS if (issue := check(turns))]
    return of_turns + [issue for check in CHECKS if (issue := check(measurement))]


def label(found: Sequence[Issue]) -> str:
    """The kinds in one line, or `steady`."""
    return ", ".join(issue.kind for issue in found) or STEADY


def summary(cases: Sequence[Sequence[Issue]]) -> str:
    """Number of steady cases, and of cases with each kind of issue."""
    kinds = [issue.kind for found in cases for issue in found]
    tally = ", ".join(f"{kind} {kinds.count(kind)}" for kind in dict.fromkeys(kinds))
    return f"{sum(not found for found in cases):,} of {len(cases):,} measured cases steady{tally and f'; {tally}'}"


def find_trend(visits: VisitTurns) -> Issue | None:
    """Find a step time that climbs, or falls, within most visits.

    Source: Kendall 1938, "A new measure of rank correlation", for the trend; Theil 1950 and Sen 1968 for its size.
    """
    changes = [change for turns in visits if (change := trend(turns))]
    climbing = [change for change in changes if change > 0]
    for found in (climbing, [change for change in changes if change < 0]):
        if len(found) * 2 > len(visits):
            size = units.text(abs(median(found)), "ratio", 2)
            way = CLIMBS if found is climbing else FALLS
            return Issue(DRIFTING, f"its step time {way} by {size} within a visit")
    return None


def trend(turns: Sequence[float]) -> float:
    """Relative change from first turn to last if large and in one direction; or 0.0."""
    if len(turns) < STRETCHES:
        return 0.0
    middles = [median(stretch) for stretch in batches(turns, STRETCHES)]
    count = len(middles)
    pairs = list(combinations(middles, 2))
    ahead = sum([later > earlier for earlier, later in pairs]) - sum([later < earlier for earlier, later in pairs])
    spread = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    if abs(ahead) < TREND_SURE * spread:
        return 0.0
    slope = median([(middles[j] - middles[i]) / (j - i) for i, j in combinations(range(count), 2)])
    change = slope * (count - 1) / median(middles)
    return change if abs(change) >= CHANGE else 0.0


def find_two_modes(visits: VisitTurns) -> Issue | None:
    """Find turns at one of two step times, with few in between."""
    found = two_modes([turn for turns in visits for turn in turns])
    if found is None:
        return None
    levels = [f"{units.text(mode.mean_s, 's', 3)} in {mode.turns}" for mode in found]
    return Issue(BIMODAL, f"its step time is {levels[0]} turns and {levels[1]}")


def turns_of_visits(measurement: Measurement, kept: Kept | None = None) -> VisitTurns:
    """Medians of the turns with a kept round, visit by visit."""
    turns = iter((kept or Kept.of(measurement)).middles)
    return [
        [middle for middle in islice(turns, len(visit.turns)) if middle is not None] for visit in measurement.visits
    ]


def find_load(measurement: Measurement) -> Issue | None:
    """Find other processes that used the cores, or waited for them."""
    used, waited = average(measurement, "others_cores"), average(measurement, "cpu_pressure")
    who = f" ({name})" if (name := neighbour(measurement.visits)) else ""
    if used >= MUCH_LOAD:
        return Issue("loaded", f"other processes{who} used {used:.2f} cores on average")
    if who and waited >= MUCH_WAITING:
        return Issue("loaded", f"other processes{who} waited for a core {units.text(waited, 'ratio', 2)} of the time")
    return None


def find_shared_core(measurement: Measurement) -> Issue | None:
    """Find threads of a step that share a core: they wait, and for no other process."""
    steps, queued = measurement.values("step_time"), measurement.values("queue_time")
    if not queued or find_load(measurement) or find_throttling(measurement):
        return None
    share = median(map(truediv, queued, steps))
    if share < MUCH_QUEUEING:
        return None
    return Issue(
        "threads share a core",
        f"its threads waited for a core {units.text(share, 'ratio', 2)} of the time, and no other process explains it",
    )


def find_steal(measurement: Measurement) -> Issue | None:
    """Find cores that the hypervisor gave to other virtual machines."""
    share = average(measurement, "stolen_share")
    if share < MUCH_STOLEN:
        return None
    return Issue(
        "stolen", f"the hypervisor gave {units.text(share, 'ratio', 2)} of its cores' time to other virtual machines"
    )


def find_throttling(measurement: Measurement) -> Issue | None:
    """Find a CPU quota, heat or a power limit that slowed the step."""
    share = average(measurement, "throttled_share")
    if share >= MUCH_HELD_BACK:
        return Issue("throttled", f"the CPU quota throttled its processes {units.text(share, 'ratio', 2)} of the time")
    if events := sum(measurement.visit_values("heat_events")):
        return Issue("throttled", f"heat lowered the clock of its cores {events:.0f} times")
    for series in measurement.surveyed:
        if series.metric.name.endswith("_slowed") and series.values and fmean(series.values) >= SLOWED:
            device = series.metric.name.removesuffix("_slowed")
            seen = units.text(fmean(series.values), "ratio", 2)
            return Issue("throttled", f"heat or power lowered the clock of {device} in {seen} of the readings")
    return None


def find_swapping(measurement: Measurement) -> Issue | None:
    """Find rounds that read pages from a disk."""
    rounds = measurement.values("major_faults")
    share = sum(faults > 0 for faults in rounds) / len(rounds) if rounds else 0.0
    if share < SWAPPED:
        return None
    return Issue("swapped", f"pages were read from a disk in {units.text(share, 'ratio', 2)} of its rounds")


def find_memory_pressure(measurement: Measurement) -> Issue | None:
    """Find other processes that use much memory or memory bandwidth."""
    waited, taken = average(measurement, "memory_pressure"), average(measurement, "others_faults")
    held = max(measurement.visit_values("neighbour_memory"), default=0.0)
    used, who = average(measurement, "neighbour_cores"), neighbour(measurement.visits)
    seen = []
    if who and held >= MUCH_MEMORY and find_load(measurement):
        seen.append(f"{who} held {units.text(held, 'B', 3)} and used {used:.2f} of a core")
    if taken >= MUCH_TAKEN:
        seen.append(f"other processes mapped {units.text(taken, 'count', 2)} pages per second")
    if waited >= SHORT_OF_MEMORY:
        seen.append(f"some process waited for memory {units.text(waited, 'ratio', 2)} of the time")
    return Issue("memory-hungry neighbour", "; ".join(seen)) if seen else None


def find_allocator_cost(measurement: Measurement) -> Issue | None:
    """Find a step that the default allocator slows by returning and mapping memory."""
    usual, steady = (
        measurement.instrument_values("usual_allocator_step_time"),
        measurement.instrument_values("steady_allocator_step_time"),
    )
    faults, few = (measurement.instrument_values(f"{which}_allocator_faults") for which in ("usual", "steady"))
    if not (usual and steady and faults and few) or median(faults) < median(few) + MANY_FAULTS:
        return None
    ratio = median(one / other for one, other in zip(usual, steady, strict=True))
    if ratio < SLOWER:
        return None
    share, pages = units.text(1 - 1 / ratio, "ratio", 2), units.text(median(faults), "count", 2)
    settings = " ".join(f"{name}={value}" for name, value in ALLOCATORS["steady"].items())
    return Issue(
        "allocator",
        f"{share} of a step is {pages} page faults; with {settings} it is {ratio:.2f} times as fast",
    )


CHECKS_OF_TURNS: tuple[Callable[[VisitTurns], Issue | None], ...] = (find_trend, find_two_modes)
CHECKS: tuple[Callable[[Measurement], Issue | None], ...] = (
    find_load,
    find_shared_core,
    find_steal,
    find_throttling,
    find_swapping,
    find_memory_pressure,
    find_allocator_cost,
)
"""Checks in the order of their issues: first those of the turns that count, then those of all readings."""


def average(measurement: Measurement, metric: str) -> float:
    """Mean over the visits; 0.0 where it was not read."""
    values = measurement.visit_values(metric)
    return fmean(values) if values else 0.0


def neighbour(visits: Sequence[Visit]) -> str:
    """Names of the busiest other processes of the visits."""
    return ", ".join(dict.fromkeys(visit.neighbour for visit in visits if visit.neighbour))
