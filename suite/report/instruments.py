"""What a step costs beside its time, as surveys found it: its parts, its memory, its work against the machine's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.report.svg import stack

MOST_ROWS = 500
"""Rows of a table, so that a page of 1,000 cases stays within 2 MB; more are counted under it."""
DIGITS = 3
PARTS = ("data_wait", "copy", "zero_grad", "forward", "loss", "backward", "update")
"""Parts of a step in the order in which they run; in the drawing freeing gradients and the loss belong to forward."""


@dataclass(frozen=True, slots=True)
class Table:
    """One of the tables: rows of text, and how many cases have none since the table is full."""

    rows: tuple[Row, ...]
    hidden: int


@dataclass(frozen=True, slots=True)
class Row:
    """A case's row: path data of bars, left to right, and cells of text."""

    id: str
    bars: tuple[str, ...]
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """The tables of the section; each may be empty."""

    anatomy: Table
    memory: Table
    utilization: Table
    work: Table

    @property
    def is_empty(self) -> bool:
        """Whether no case went through a survey."""
        return not any(table.rows for table in (self.anatomy, self.memory, self.utilization, self.work))


def cost(ranked: Sequence[CaseFigures]) -> Cost:
    """The tables over all ranked cases, in their order."""
    return Cost(
        anatomy=table([row for facts in ranked if (row := anatomy_row(facts))]),
        memory=table([row for facts in ranked if (row := memory_row(facts))]),
        utilization=table([row for facts in ranked if (row := utilization_row(facts))]),
        work=table([row for facts in ranked if (row := work_row(facts))]),
    )


def table(rows: list[Row]) -> Table:
    """As many rows as a table takes."""
    return Table(tuple(rows[:MOST_ROWS]), max(0, len(rows) - MOST_ROWS))


def of(facts: CaseFigures, metric: str) -> float | None:
    """The median of what a survey found of a metric; None where none did."""
    values = facts.measurement.instrument_values(metric)
    return median(values) if values else None


def best(facts: CaseFigures, metric: str) -> float | None:
    """The highest reading of a ceiling; None where there is none."""
    return max(facts.measurement.instrument_values(metric), default=None)


def text(value: float | None, unit: str) -> str:
    """A figure with few digits; empty where there is none."""
    return "" if value is None else units.text(value, unit, DIGITS)


def anatomy_row(facts: CaseFigures) -> Row | None:
    """The parts of a step: medians, what they add up to, and what the stopwatch took."""
    whole = of(facts, "watched_step_time")
    parts = {part: of(facts, f"part_{part}") for part in PARTS}
    if not whole or not of(facts, "bare_step_time") or parts["forward"] is None:
        return None
    spent = {part: value or 0.0 for part, value in parts.items()}
    ahead = spent["zero_grad"] + spent["forward"] + spent["loss"]
    shown = [spent["data_wait"] + spent["copy"], ahead, spent["backward"], spent["update"]]
    return Row(
        id=facts.case.id,
        bars=stack([value / whole for value in shown]),
        cells=(
            *(text(parts[part], "s") for part in PARTS),
            units.text(together(facts), "ratio", DIGITS),
            signed(stopwatch(facts)),
        ),
    )


def together(facts: CaseFigures) -> float:
    """What the parts of a step add up to, over that step: the median over steps."""
    parts = [values for part in PARTS if (values := facts.measurement.instrument_values(f"part_{part}"))]
    wholes = facts.measurement.instrument_values("watched_step_time")
    return float(median(sum(step) / whole for whole, *step in zip(wholes, *parts, strict=False)))


def stopwatch(facts: CaseFigures) -> float:
    """How much longer a step takes with the stopwatch than the one after it without: the median over pairs."""
    pairs = zip(
        facts.measurement.instrument_values("watched_step_time"),
        facts.measurement.instrument_values("bare_step_time"),
        strict=False,
    )
    return median(watched / bare for watched, bare in pairs) - 1


def signed(share: float) -> str:
    """A share with its sign."""
    return f"{share:+.1%}"


def memory_row(facts: CaseFigures) -> Row | None:
    """Memory by phase: peaks of the host, what is kept, and what a step cannot do without."""
    imported, held = of(facts, "memory_before_made"), of(facts, "memory_before_steady")
    peak = facts.peak_memory_bytes
    if imported is None or held is None or peak is None:
        return None
    step = (of(facts, "memory_peak_steady") or held) - held
    kept = max(0.0, held - imported)
    return Row(
        id=facts.case.id,
        bars=stack([value / peak for value in (imported, kept, max(0.0, step))]),
        cells=(
            text(peak, "B"),
            text(imported, "B"),
            text(peak - imported, "B"),
            text(step, "B"),
            *(text(of(facts, f"memory_peak_first_{phase}"), "B") for phase in ("forward", "backward", "update")),
            text(bound(facts), "B"),
            text(of(facts, "optimizer_state_bytes"), "B"),
            text(of(facts, "saved_bytes"), "B"),
            text(device_peak(facts), "B"),
            all_of_devices(facts),
        ),
    )


def bound(facts: CaseFigures) -> float | None:
    """Bytes that a step cannot do without: parameters and optimizer state all the time, and what forward saves or the
    gradients, whichever is more: backward frees the one while it makes the other.
    """
    names = ("parameter_bytes", "optimizer_state_bytes", "saved_bytes", "gradient_bytes")
    found = [of(facts, name) for name in names]
    if any(value is None for value in found):
        return None
    parameters, state, saved, gradients = (value or 0.0 for value in found)
    return parameters + state + max(saved, gradients)


def device_peak(facts: CaseFigures) -> float | None:
    """Most memory of the devices in tensors; None on the host."""
    return of(facts, "device_memory_allocated_peak_steady")


def all_of_devices(facts: CaseFigures) -> str:
    """Memory of the devices with what libraries have there, and how the driver told it."""
    for way in ("process", "difference"):
        value = of(facts, f"device_memory_by_{way}")
        if value is not None:
            return f"{text(value, 'B')} by {way}"
    return ""


def utilization_row(facts: CaseFigures) -> Row | None:
    """How busy the step kept the cores that it may use, and what else it took of the machine."""
    share = of(facts, "utilization")
    if share is None:
        return None
    return Row(
        id=facts.case.id,
        bars=stack([min(1.0, share)]),
        cells=(
            units.text(share, "ratio", DIGITS),
            text(average(facts), "1"),
            " ".join(units.text(busy, "ratio", 2) for busy in facts.measurement.instrument_values("core_busy")),
            text(max(facts.measurement.instrument_values("resident_memory"), default=None), "B"),
            text(of(facts, "context_switches"), "count"),
            text(of(facts, "forced_switches"), "count"),
            text(of(facts, "storage_read"), "B"),
            text(of(facts, "storage_written"), "B"),
            text(of(facts, "throttled_time"), "s"),
            text(of(facts, "energy_of_step") or of(facts, "host_energy_of_step"), "J"),
        ),
    )


def average(facts: CaseFigures) -> float | None:
    """Cores used over all samples, each for as long as it tells of."""
    used, at_s = facts.measurement.instrument_values("cores_used"), facts.measurement.instrument_values("sample_time")
    if not used or len(used) != len(at_s):
        return None
    lasted_s = [after - before for before, after in pairwise((0.0, *at_s))]
    return sum(cores * seconds for cores, seconds in zip(used, lasted_s, strict=True)) / at_s[-1]


def work_row(facts: CaseFigures) -> Row | None:
    """Operations and bytes of a step, and how near it comes to what the machine does at most.

    The roof over a step is the lower of two: the product's rate, and what the memory's rate allows at the step's
    intensity.

    Source: Williams, Waterman and Patterson 2009, "Roofline: an insightful visual performance model".
    """
    parts = [of(facts, f"flops_{part}") for part in ("forward", "backward", "update")]
    moved = of(facts, "bytes_moved")
    product, memory = (
        max(facts.measurement.instrument_values(f"ceiling_{name}"), default=None) for name in ("flops", "bandwidth")
    )
    if parts[0] is None or not moved or product is None or memory is None:
        return None
    operations = sum(value or 0.0 for value in parts)
    if not operations:
        return None
    rate, intensity = operations / facts.step_time.median, operations / moved
    roof = min(product, intensity * memory)
    unknown = of(facts, "unknown_operators")
    return Row(
        id=facts.case.id,
        bars=stack([min(1.0, rate / product)]),
        cells=(
            ("at least " if unknown else "") + units.text(operations, "FLOP", DIGITS),
            *(text(value, "FLOP") for value in parts),
            text(moved, "B"),
            units.number(intensity, DIGITS),
            units.text(rate, "FLOP/s", DIGITS),
            units.text(rate / product, "ratio", DIGITS),
            units.text(rate / roof, "ratio", DIGITS),
            "memory" if roof < product else "product",
        ),
    )
