"""Tables of the instruments: step breakdown, memory, utilization, roofline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.report.svg import stack
from suite.report.table import DIGITS, HIGHER, LOWER, Column, Drawing, Table, table

MOST_ROWS = 500
"""Rows of a table, so that a page of 1,000 cases stays within 2 MB; more are counted under it."""
PHASES = ("data_wait", "copy", "zero_grad", "forward", "loss", "backward", "update")
"""Phases of a step in the order in which they run. In the drawing, zero_grad and loss belong to forward."""


@dataclass(frozen=True, slots=True)
class Instruments:
    """Tables of the section; each may be empty."""

    breakdown: Table[CaseFigures]
    memory: Table[CaseFigures]
    utilization: Table[CaseFigures]
    roofline: Table[CaseFigures]

    @property
    def is_empty(self) -> bool:
        """Whether no instrument measured any case."""
        return not any(one.rows for one in (self.breakdown, self.memory, self.utilization, self.roofline))


def instruments(ranked: Sequence[CaseFigures]) -> Instruments:
    """Tables of the ranked cases, in their order."""

    def of(name: str, columns: Sequence[Column[CaseFigures]], has_row: Callable[[CaseFigures], bool]) -> Table[Any]:
        return table(name, (CASE, *columns), filter(has_row, ranked), MOST_ROWS)

    return Instruments(
        breakdown=of("Step breakdown", BREAKDOWN, has_breakdown),
        memory=of("Memory", MEMORY, has_memory),
        utilization=of("Utilization", UTILIZATION, has_utilization),
        roofline=of("Roofline", ROOFLINE, has_roofline),
    )


def readings(figures: CaseFigures, metric: str) -> tuple[float, ...]:
    """An instrument's readings of a metric; none without it."""
    return figures.measurement.instrument_values(metric)


def median_of(figures: CaseFigures, metric: str) -> float | None:
    """Median of an instrument's readings of a metric; None without any."""
    values = readings(figures, metric)
    return median(values) if values else None


def highest(figures: CaseFigures, metric: str) -> float | None:
    """Highest reading of a metric; None without any."""
    return max(readings(figures, metric), default=None)


def metric_column(title: str, note: tuple[str, ...], metric: str, unit: str) -> Column[CaseFigures]:
    """The median of one metric."""
    return Column(title, note, lambda figures: median_of(figures, metric), unit)


CASE: Column[CaseFigures] = Column("Case", (), lambda figures: figures.case.id, is_heading=True)


def has_breakdown(figures: CaseFigures) -> bool:
    """Whether phases were timed, with and without the timers."""
    whole, bare = (median_of(figures, f"{which}_step_time") for which in ("watched", "bare"))
    return bool(whole and bare) and median_of(figures, "part_forward") is not None


def phase_bars(figures: CaseFigures) -> Drawing:
    """Shares of a step: input, forward, backward, update."""
    whole = median_of(figures, "watched_step_time") or 1.0
    spent = {phase: median_of(figures, f"part_{phase}") or 0.0 for phase in PHASES}
    ahead = spent["zero_grad"] + spent["forward"] + spent["loss"]
    shown = (spent["data_wait"] + spent["copy"], ahead, spent["backward"], spent["update"])
    return Drawing(stack([value / whole for value in shown]), label="shares of the phases")


def phase_sum(figures: CaseFigures) -> float:
    """Sum of the phases of a step over the whole step: the median over steps."""
    phases = [values for phase in PHASES if (values := readings(figures, f"part_{phase}"))]
    wholes = readings(figures, "watched_step_time")
    return float(median(sum(step) / whole for whole, *step in zip(wholes, *phases, strict=False)))


def timer_overhead(figures: CaseFigures) -> str:
    """Step time with timers over the next without, less 1: median over pairs."""
    pairs = zip(readings(figures, "watched_step_time"), readings(figures, "bare_step_time"), strict=False)
    return f"{median(watched / bare for watched, bare in pairs) - 1:+.1%}"


BREAKDOWN: tuple[Column[CaseFigures], ...] = (
    Column("Phases", ("of the step",), phase_bars),
    metric_column("Data wait", (LOWER,), "part_data_wait", "s"),
    metric_column("Copy", ("to the device,", LOWER), "part_copy", "s"),
    metric_column("Zero gradients", (LOWER,), "part_zero_grad", "s"),
    metric_column("Forward", (LOWER,), "part_forward", "s"),
    metric_column("Loss", (LOWER,), "part_loss", "s"),
    metric_column("Backward", (LOWER,), "part_backward", "s"),
    metric_column("Optimizer", (LOWER,), "part_update", "s"),
    Column("Sum of phases", ("of the step,", "100 % is best"), phase_sum, "ratio"),
    Column("Timer overhead", ("of the step,", "nearer 0 is better"), timer_overhead),
)


def has_memory(figures: CaseFigures) -> bool:
    """Whether resident sets were read."""
    before = (median_of(figures, f"memory_before_{when}") for when in ("made", "steady"))
    return None not in (*before, figures.peak_memory_bytes)


def imported_memory(figures: CaseFigures) -> float:
    """Resident set before the case's network was built, in bytes."""
    return median_of(figures, "memory_before_made") or 0.0


def added_by_step(figures: CaseFigures) -> float:
    """Peak during a step less the resident set before it, in bytes."""
    held = median_of(figures, "memory_before_steady") or 0.0
    return (median_of(figures, "memory_peak_steady") or held) - held


def memory_bars(figures: CaseFigures) -> Drawing:
    """Shares of the peak: imported, kept between steps, added by a step."""
    peak = figures.peak_memory_bytes or 1.0
    kept = max(0.0, (median_of(figures, "memory_before_steady") or 0.0) - imported_memory(figures))
    shown = (imported_memory(figures), kept, max(0.0, added_by_step(figures)))
    return Drawing(stack([value / peak for value in shown]), label="shares of the peak")


def least_memory(figures: CaseFigures) -> float | None:
    """Least bytes that a step needs, computed from its tensors.

    Parameters, optimizer state, and the larger of saved tensors and gradients. Backward frees saved tensors while it
    makes gradients.
    """
    names = ("parameter_bytes", "optimizer_state_bytes", "saved_bytes", "gradient_bytes")
    found = [median_of(figures, name) for name in names]
    if any(value is None for value in found):
        return None
    parameters, state, saved, gradients = (value or 0.0 for value in found)
    return parameters + state + max(saved, gradients)


def memory_by_driver(figures: CaseFigures) -> str:
    """Memory of the devices as the driver reports it, and how it was read."""
    for way in ("process", "difference"):
        value = median_of(figures, f"device_memory_by_{way}")
        if value is not None:
            return f"{units.text(value, 'B', DIGITS)} by {way}"
    return ""


MEMORY: tuple[Column[CaseFigures], ...] = (
    Column("Shares", ("of the peak",), memory_bars),
    Column("Peak", (LOWER,), lambda figures: figures.peak_memory_bytes, "B"),
    Column("Imported", ("the same for all",), imported_memory, "B"),
    Column(
        "Beyond imports",
        (LOWER,),
        lambda figures: (figures.peak_memory_bytes or 0.0) - imported_memory(figures),
        "B",
    ),
    Column("Added by a step", (LOWER,), added_by_step, "B"),
    metric_column("First forward", (f"peak, {LOWER}",), "memory_peak_first_forward", "B"),
    metric_column("First backward", (f"peak, {LOWER}",), "memory_peak_first_backward", "B"),
    metric_column("First update", (f"peak, {LOWER}",), "memory_peak_first_update", "B"),
    Column("Least needed", (LOWER,), least_memory, "B"),
    metric_column("Optimizer state", (LOWER,), "optimizer_state_bytes", "B"),
    metric_column("Saved for backward", (LOWER,), "saved_bytes", "B"),
    metric_column("Device tensors", ("peak,", LOWER), "device_memory_allocated_peak_steady", "B"),
    Column("Device, all", ("by the driver,", LOWER), memory_by_driver),
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
    if not used or len(used) != len(at_s):
        return None
    lasted_s = [after - before for before, after in pairwise((0.0, *at_s))]
    return sum(cores * seconds for cores, seconds in zip(used, lasted_s, strict=True)) / at_s[-1]


UTILIZATION: tuple[Column[CaseFigures], ...] = (
    Column(
        "Of granted cores",
        (HIGHER,),
        lambda figures: Drawing(
            stack([min(1.0, median_of(figures, "utilization") or 0.0)]), label="share of the granted cores"
        ),
    ),
    metric_column("Utilization", (HIGHER,), "utilization", "ratio"),
    Column("Cores used", ("on average",), mean_cores, "1"),
    Column(
        "Each core busy",
        ("with any process",),
        lambda figures: " ".join(units.text(busy, "ratio", 2) for busy in readings(figures, "core_busy")),
    ),
    Column("Resident sets", ("peak, added up,", LOWER), lambda figures: highest(figures, "resident_memory"), "B"),
    metric_column("Context switches", ("per step,", LOWER), "context_switches", "count"),
    metric_column("Forced switches", ("per step,", LOWER), "forced_switches", "count"),
    metric_column("Read", ("per step,", LOWER), "storage_read", "B"),
    metric_column("Written", ("per step,", LOWER), "storage_written", "B"),
    metric_column("Throttled", ("by the quota, per step,", LOWER), "throttled_time", "s"),
    Column(
        "Energy",
        ("per step, of devices", "or processors,", LOWER),
        lambda figures: median_of(figures, "energy_of_step") or median_of(figures, "host_energy_of_step"),
        "J",
    ),
)


def has_roofline(figures: CaseFigures) -> bool:
    """Whether operations and bytes were counted, and both ceilings measured."""
    ceilings = (highest(figures, "ceiling_flops"), highest(figures, "ceiling_bandwidth"))
    is_counted = median_of(figures, "flops_forward") is not None and bool(median_of(figures, "bytes_moved"))
    return is_counted and None not in ceilings and operations(figures) > 0


def operations(figures: CaseFigures) -> float:
    """Floating-point operations of a step."""
    return sum(median_of(figures, f"flops_{phase}") or 0.0 for phase in ("forward", "backward", "update", "other"))


def intensity(figures: CaseFigures) -> float:
    """Operations per byte moved."""
    return operations(figures) / (median_of(figures, "bytes_moved") or 1.0)


def achieved(figures: CaseFigures) -> float:
    """Operations per second of a step."""
    return operations(figures) / figures.step_time.median


def compute_ceiling(figures: CaseFigures) -> float:
    """Operations per second of the best product of matrices."""
    return highest(figures, "ceiling_flops") or 1.0


def roof(figures: CaseFigures) -> float:
    """Operations per second that both ceilings allow at the step's intensity.

    Source: Williams, Waterman and Patterson 2009, "Roofline: an insightful visual performance model".
    """
    return min(compute_ceiling(figures), intensity(figures) * (highest(figures, "ceiling_bandwidth") or 0.0))


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
    metric_column("Forward", (), "flops_forward", "FLOP"),
    metric_column("Backward", (), "flops_backward", "FLOP"),
    metric_column("Optimizer", (), "flops_update", "FLOP"),
    metric_column("Bytes", ("of a step",), "bytes_moved", "B"),
    Column("Intensity", ("FLOP per byte",), intensity),
    Column("Achieved", (HIGHER,), achieved, "FLOP/s"),
    Column("Of compute", (HIGHER,), of_compute, "ratio"),
    Column("Of the roof", (HIGHER,), lambda figures: achieved(figures) / roof(figures), "ratio"),
    Column("Roof", ("set by",), lambda figures: "memory" if roof(figures) < compute_ceiling(figures) else "compute"),
)
