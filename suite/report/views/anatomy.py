"""Anatomy of a step: the time of its phases and the memory that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.report.charts import PALETTE, config
from suite.report.facts import Facts
from suite.report.instruments import (
    added_by_step,
    has_memory,
    imported_memory,
    kept_memory,
    median_of,
    metric_column,
    readings,
    rows_of,
)
from suite.report.svg import stack
from suite.report.table import DIGITS, LOWER, Column, Drawing
from suite.report.view import Chart, View

PHASES = ("data_wait", "copy", "zero_grad", "forward", "loss", "backward", "update")
"""Phases of a step in the order in which they run. In the drawing, zero_grad and loss belong to forward."""


CHART_CASES = 25
"""Cases in a chart, the fastest of those that the filter shows: more bars do not fit a screen."""
BAR_PX = 20
"""Height of a bar with its gap; anatomy.js adapts the chart to the number of bars."""
MEBIBYTE = 2**20
ID_AXIS = {"labelLimit": {"expr": "min(320, containerSize()[0] / 2.5)"}, "grid": False}
"""Ids take two fifths of a narrow window at most."""


def view(facts: Facts) -> View | None:
    """Tables and charts of phases and of memory; None if no case has either."""
    timed, sized = list(filter(has_breakdown, facts.ranked)), list(filter(has_memory, facts.ranked))
    if not timed and not sized:
        return None
    return View(
        id="anatomy",
        title="Where the time and the memory of a step go",
        navigation="Anatomy",
        template="anatomy.html.j2",
        values={
            "breakdown": rows_of("Step breakdown", BREAKDOWN, timed),
            "memory": rows_of("Memory", MEMORY, sized),
        },
        charts=(*([phases_chart(timed)] if timed else []), *([memory_chart(sized)] if sized else [])),
    )


def phases_chart(timed: Sequence[CaseFigures]) -> Chart:
    """Shares of the phases, a bar for each case."""
    parts = {
        "data_wait": ("Data wait", PALETTE[1]),
        "forward": ("Forward", PALETTE[0]),
        "backward": ("Backward", PALETTE[5]),
        "optimizer_step": ("Optimizer", PALETTE[2]),
    }
    text = "format(datum.value * 1000, '.3~r') + ' ms'"
    return Chart(
        id="phases",
        title="Shares of the phases of a step, by case",
        reading=phases_reading(timed),
        specification=stacked_bars(parts, "Share of the four phases", text, stack_as="normalize"),
        twin="phases-table",
    )


def phases_reading(timed: Sequence[CaseFigures]) -> str:
    """The phase that takes most, and the case in which the optimizer takes most."""
    shares = [phase_shares(one) for one in timed]
    middle = {name: median(one[name] for one in shares) for name in shares[0]}
    largest = max(middle, key=lambda name: middle[name])
    low, high = (units.text(end(one[largest] for one in shares), "ratio", 2) for end in (min, max))
    most = max(range(len(timed)), key=lambda place: shares[place]["the optimizer"])
    share = units.text(shares[most]["the optimizer"], "ratio", 2)
    first = f"{largest[:1].upper()}{largest[1:]} takes {units.text(middle[largest], 'ratio', 2)} of a step"
    if len(timed) == 1:
        return f"{first}, the optimizer {share}."
    return (
        f"{first} in the median case, {low} to {high} over all. The optimizer takes most in "
        f"{timed[most].case.id}: {share}."
    )


def memory_chart(sized: Sequence[CaseFigures]) -> Chart:
    """Memory beyond imports, a bar for each case."""
    parts = {"memory_kept": ("Kept between steps", PALETTE[0]), "memory_added": ("Added by a step", PALETTE[1])}
    return Chart(
        id="memory",
        title="Resident memory beyond imports, by case",
        reading=memory_reading(sized),
        specification=stacked_bars(
            parts, "MiB beyond imports (lower is better)", "format(datum.value, '.4~r') + ' MiB'", divisor=MEBIBYTE
        ),
        twin="memory-table",
    )


def memory_reading(sized: Sequence[CaseFigures]) -> str:
    """The smallest and the largest peak beyond imports, and the most that a step adds."""

    def of(figures: CaseFigures) -> str:
        return units.text((figures.peak_memory_bytes or 0.0) - imported_memory(figures), "B", DIGITS)

    ordered = sorted(sized, key=lambda one: (one.peak_memory_bytes or 0.0) - imported_memory(one))
    most = max(sized, key=added_by_step)
    added = f"A step adds most in {most.case.id}: {units.text(added_by_step(most), 'B', DIGITS)}."
    if len(ordered) == 1:
        return f"The peak is {of(ordered[0])} beyond imports. {added}"
    return (
        f"Beyond imports, the peaks reach from {of(ordered[0])} in {ordered[0].case.id} to {of(ordered[-1])} in "
        f"{ordered[-1].case.id}. {added}"
    )


def stacked_bars(
    parts: Mapping[str, tuple[str, str]], title: str, text: str, *, divisor: float = 1.0, stack_as: str = "zero"
) -> dict[str, Any]:
    """A bar for each of the fastest cases that the filter shows.

    Args:
        parts: key of a case's figure -> its name and colour, in the order of the bar.
        title: of the axis of values.
        text: Vega expression of a value as text, of `datum.value`.
        divisor: base units of one unit of the axis.
        stack_as: `zero` for values, `normalize` for shares.
    """
    names, colours = zip(*parts.values(), strict=True)
    return {
        "data": {"name": "cases"},
        "transform": [
            *values_of_parts(parts),
            {"calculate": f"{list(names)}[datum.order]", "as": "name"},
            {"calculate": f"datum.in_base_units / {divisor}", "as": "value"},
            {"calculate": text, "as": "text"},
        ],
        "mark": {"type": "bar", "height": {"band": 0.72}},
        "encoding": {
            "y": {"field": "id", "sort": {"field": "step_time", "op": "min"}, "title": None, "axis": ID_AXIS},
            "x": {
                "field": "value",
                "type": "quantitative",
                "stack": stack_as,
                "title": title,
                "axis": {"format": "~s" if stack_as == "zero" else ".0%", "tickCount": 6},
            },
            "color": {"field": "name", "title": None, "scale": {"domain": list(names), "range": list(colours)}},
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": [{"field": "id", "title": "Case"}, {"field": "name"}, {"field": "text", "title": "Median"}],
        },
        "width": "container",
        "height": BAR_PX * CHART_CASES,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": config(),
    }


def values_of_parts(parts: Iterable[str]) -> list[dict[str, Any]]:
    """Transforms from cases to one row for each part of the fastest cases."""
    keys = list(parts)
    return [
        {"filter": " || ".join(f"isValid(datum.{key})" for key in keys)},
        {"window": [{"op": "row_number", "as": "place"}], "sort": [{"field": "step_time"}]},
        {"filter": f"datum.place <= {CHART_CASES}"},
        {"fold": keys, "as": ["part", "in_base_units"]},
        {"filter": "isValid(datum.in_base_units)"},
        {"calculate": f"indexof({keys}, datum.part)", "as": "order"},
    ]


def has_breakdown(figures: CaseFigures) -> bool:
    """Whether phases were timed, with and without the timers."""
    whole, bare = (median_of(figures, f"{which}_step_time") for which in ("watched", "bare"))
    return bool(whole and bare) and median_of(figures, "part_forward") is not None


def phase_shares(figures: CaseFigures) -> dict[str, float]:
    """Shares of a step by name: input, forward, backward, optimizer."""
    whole = median_of(figures, "watched_step_time") or 1.0
    spent = {phase: median_of(figures, f"part_{phase}") or 0.0 for phase in PHASES}
    return {
        "data wait": (spent["data_wait"] + spent["copy"]) / whole,
        "forward": (spent["zero_grad"] + spent["forward"] + spent["loss"]) / whole,
        "backward": spent["backward"] / whole,
        "the optimizer": spent["update"] / whole,
    }


def phase_bars(figures: CaseFigures) -> Drawing:
    """Shares of a step: input, forward, backward, update."""
    return Drawing(stack(list(phase_shares(figures).values())), label="shares of the phases")


def phase_sum(figures: CaseFigures) -> float:
    """Sum of the phases of a step over the whole step: the median over steps."""
    phases = [values for phase in PHASES if (values := readings(figures, f"part_{phase}"))]
    wholes = readings(figures, "watched_step_time")
    return float(median(sum(step) / whole for whole, *step in zip(wholes, *phases, strict=False)))


def timer_overhead(figures: CaseFigures) -> str:
    """Step time with timers over the next without, less 1: median over pairs."""
    pairs = zip(readings(figures, "watched_step_time"), readings(figures, "bare_step_time"), strict=False)
    return units.percent_rounded(median(watched / bare for watched, bare in pairs) - 1, 1, sign=True)


BREAKDOWN: tuple[Column[CaseFigures], ...] = (
    Column("Phases", ("of the step",), phase_bars),
    metric_column("Data wait", (LOWER,), "part_data_wait", "s"),
    metric_column("Copy", ("to the device,", LOWER), "part_copy", "s", is_lesser=True),
    metric_column("Zero gradients", (LOWER,), "part_zero_grad", "s", is_lesser=True),
    metric_column("Forward", (LOWER,), "part_forward", "s"),
    metric_column("Loss", (LOWER,), "part_loss", "s", is_lesser=True),
    metric_column("Backward", (LOWER,), "part_backward", "s"),
    metric_column("Optimizer", (LOWER,), "part_update", "s"),
    Column("Sum of phases", ("of the step,", "100 % is best"), phase_sum, "ratio"),
    Column("Timer overhead", ("of the step,", "nearer 0 is better"), timer_overhead),
)


def memory_bars(figures: CaseFigures) -> Drawing:
    """Shares of the peak: imported, kept between steps, added by a step."""
    peak = figures.peak_memory_bytes or 1.0
    shown = (imported_memory(figures), kept_memory(figures), max(0.0, added_by_step(figures)))
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
    Column("Imported", ("the same for all",), imported_memory, "B", is_lesser=True),
    Column(
        "Beyond imports",
        (LOWER,),
        lambda figures: (figures.peak_memory_bytes or 0.0) - imported_memory(figures),
        "B",
    ),
    Column("Added by a step", (LOWER,), added_by_step, "B"),
    metric_column("First forward", (f"peak, {LOWER}",), "memory_peak_first_forward", "B", is_lesser=True),
    metric_column("First backward", (f"peak, {LOWER}",), "memory_peak_first_backward", "B", is_lesser=True),
    metric_column("First update", (f"peak, {LOWER}",), "memory_peak_first_update", "B", is_lesser=True),
    Column("Least needed", (LOWER,), least_memory, "B"),
    metric_column("Optimizer state", (LOWER,), "optimizer_state_bytes", "B"),
    metric_column("Saved for backward", (LOWER,), "saved_bytes", "B"),
    metric_column("Device tensors", ("peak,", LOWER), "device_memory_allocated_peak_steady", "B"),
    Column("Device, all", ("by the driver,", LOWER), memory_by_driver, is_lesser=True),
)
