"""Utilization of the machine by a case, and its distance from the ceilings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.report.facts import Facts
from suite.report.instruments import highest, median_of, metric_column, readings, rows_of
from suite.report.roofline import achieved, compute_ceiling, has_roofline, intensity, operations, roof
from suite.report.svg import curve_path, stack
from suite.report.table import DIGITS, HIGHER, LOWER, Column, Drawing
from suite.report.view import View

FEWEST_SAMPLES = 3
"""Samples from which a line over time shows more than a number."""
DEVICE_BUSY = re.compile(r"gpu\d+_utilization")
"""Name of the metric of a device's utilization."""
HOST_BOUND_BELOW = 0.5
"""Share of the time with a kernel below which a device waits for the host more than it works."""
MOST_CORES = 4
"""Cores up to which a cell has a number for each."""


def view(facts: Facts) -> View | None:
    """Tables of utilization and of the roofline; None if no case has either."""
    used, counted = list(filter(has_utilization, facts.ranked)), list(filter(has_roofline, facts.ranked))
    if not used and not counted:
        return None
    return View(
        id="utilization",
        title="How busy the machine was, and how near its ceilings",
        navigation="Utilization",
        template="utilization.html.j2",
        values={
            "utilization": rows_of("Utilization", utilization_columns(used), used),
            "utilization_reading": utilization_reading(used) if used else "",
            "roofline": rows_of("Roofline", ROOFLINE, counted),
            "roofline_reading": roofline_reading(counted) if counted else "",
        },
    )


def utilization_reading(used: Sequence[CaseFigures]) -> str:
    """The utilization of the median case, and the lowest."""
    shares = [median_of(one, "utilization") or 0.0 for one in used]
    lowest = min(range(len(used)), key=lambda place: shares[place])
    middle, least = (units.text(share, "ratio", 2) for share in (median(shares), shares[lowest]))
    devices = devices_reading([share for one in used if (share := busy_devices(one)) is not None])
    if len(used) == 1:
        return f"The case uses {middle} of the granted cores.{devices}"
    return (
        f"The median case uses {middle} of the granted cores; the least busy, {used[lowest].case.id}, {least}.{devices}"
    )


def devices_reading(shares: Sequence[float]) -> str:
    """How busy devices are in the median case on one; empty without such a case."""
    if not shares:
        return ""
    limit = ", so the host that launches the kernels is the limit" if median(shares) < HOST_BOUND_BELOW else ""
    return (
        f" On a device, a kernel runs {units.text(median(shares), 'ratio', 2)} of the time in the median case{limit}."
    )


def roofline_reading(counted: Sequence[CaseFigures]) -> str:
    """The case nearest to its roof, and how many cases memory limits."""
    ratios = [achieved(one) / roof(one) for one in counted]
    nearest = max(range(len(counted)), key=lambda place: ratios[place])
    bound = sum(roof(one) < compute_ceiling(one) for one in counted)
    return (
        f"{counted[nearest].case.id} comes nearest to its roof, with {units.text(ratios[nearest], 'ratio', 2)} of it. "
        f"Memory sets the roof of {bound} of {len(counted)} cases, computing that of the others."
    )


def has_utilization(figures: CaseFigures) -> bool:
    """Whether the case was sampled while it stepped."""
    return median_of(figures, "utilization") is not None


def mean_cores(figures: CaseFigures) -> float | None:
    """Cores used, averaged over time: each sample for as long as it lasted."""
    used, at_s = (
        readings(figures, "cores_used"),
        readings(figures, "sample_time"),
    )
    if not used or len(used) != len(at_s) or at_s[-1] <= 0:
        return None
    lasted_s = [after - before for before, after in pairwise((0.0, *at_s))]
    return sum(cores * seconds for cores, seconds in zip(used, lasted_s, strict=True)) / at_s[-1]


def cores_over_time(figures: CaseFigures) -> Drawing | None:
    """A line of the cores used at each sample; None with too few samples."""
    used = readings(figures, "cores_used")
    highest_used = max(used, default=0.0)
    if len(used) < FEWEST_SAMPLES or highest_used <= 0:
        return None
    return Drawing((curve_path([value / highest_used for value in used]),), label="cores used over time")


def busy_devices(figures: CaseFigures) -> float | None:
    """Share of the time with a kernel, the mean over devices; None without one."""
    shares = [
        fmean(series.values)
        for series in figures.measurement.surveyed
        if DEVICE_BUSY.fullmatch(series.metric.name) and series.values
    ]
    return fmean(shares) if shares else None


def busy_cores(shares: Sequence[float]) -> str:
    """The share of time of each core; for many cores the least, median and most."""
    if len(shares) <= MOST_CORES:
        return " ".join(units.text(share, "ratio", 2) for share in shares)
    least, middle, most = (units.text(share, "ratio", 2) for share in (min(shares), median(shares), max(shares)))
    return f"{least} to {most}, median {middle}"


DEVICES_BUSY: Column[CaseFigures] = Column("Devices busy", ("with a kernel,", HIGHER), busy_devices, "ratio")
UTILIZATION: tuple[Column[CaseFigures], ...] = (
    Column(
        "Of granted cores",
        (HIGHER,),
        lambda figures: Drawing(
            stack([min(1.0, median_of(figures, "utilization") or 0.0)]), label="share of the granted cores"
        ),
    ),
    metric_column("Utilization", (HIGHER,), "utilization", "ratio"),
    Column("Over time", ("cores used, from 0",), cores_over_time),
    Column("Cores used", ("on average",), mean_cores, "1", is_lesser=True),
    Column(
        "Each core busy",
        ("with any process",),
        lambda figures: busy_cores(readings(figures, "core_busy")),
    ),
    Column("Resident sets", ("peak, added up,", LOWER), lambda figures: highest(figures, "resident_memory"), "B"),
    metric_column("Context switches", ("per step,", LOWER), "context_switches", "count", is_lesser=True),
    metric_column("Forced switches", ("per step,", LOWER), "forced_switches", "count", is_lesser=True),
    metric_column("Read", ("per step,", LOWER), "storage_read", "B", is_lesser=True),
    metric_column("Written", ("per step,", LOWER), "storage_written", "B", is_lesser=True),
    metric_column("Throttled", ("by the quota, per step,", LOWER), "throttled_time", "s", is_lesser=True),
    Column(
        "Energy",
        ("per step, of devices", "or processors,", LOWER),
        lambda figures: median_of(figures, "energy_of_step") or median_of(figures, "host_energy_of_step"),
        "J",
    ),
)


def utilization_columns(used: Sequence[CaseFigures]) -> tuple[Column[CaseFigures], ...]:
    """The columns of utilization, with that of devices if a case computed on one."""
    has_devices = any(busy_devices(one) is not None for one in used)
    return (DEVICES_BUSY, *UTILIZATION) if has_devices else UTILIZATION


def of_compute(figures: CaseFigures) -> float:
    """Share of the compute ceiling that a step achieves."""
    return achieved(figures) / compute_ceiling(figures)


def counted_operations(figures: CaseFigures) -> str:
    """Operations of a step; a lower bound if some operators are unknown."""
    bound = "at least " if median_of(figures, "unknown_operators") else ""
    return bound + units.text(operations(figures), "FLOP", DIGITS)


ROOFLINE: tuple[Column[CaseFigures], ...] = (
    Column(
        "Of compute",
        (HIGHER,),
        lambda figures: Drawing(stack([min(1.0, of_compute(figures))]), label="share of the compute ceiling"),
    ),
    Column("Operations", ("of a step",), counted_operations),
    metric_column("Forward", (), "flops_forward", "FLOP", is_lesser=True),
    metric_column("Backward", (), "flops_backward", "FLOP", is_lesser=True),
    metric_column("Optimizer", (), "flops_update", "FLOP", is_lesser=True),
    metric_column("Bytes", ("of a step",), "bytes_moved", "B"),
    Column("Intensity", ("FLOP per byte",), intensity),
    Column("Achieved", (HIGHER,), achieved, "FLOP/s"),
    Column("Of compute", (HIGHER,), of_compute, "ratio"),
    Column("Of the roof", (HIGHER,), lambda figures: achieved(figures) / roof(figures), "ratio"),
    Column("Roof", ("set by",), lambda figures: "memory" if roof(figures) < compute_ceiling(figures) else "compute"),
)
