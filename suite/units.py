"""Values with units as text: the only place where base units are scaled."""

from __future__ import annotations

import math
import re
from decimal import ROUND_CEILING, Decimal

SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "B": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "W": ((1.0, "W"), (1e-3, "mW")),
    "J": ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")),
    "FLOP": ((1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP"), (1.0, "FLOP")),
    "FLOP/s": ((1e12, "TFLOP/s"), (1e9, "GFLOP/s"), (1e6, "MFLOP/s"), (1e3, "kFLOP/s"), (1.0, "FLOP/s")),
    "B/s": ((2.0**30, "GiB/s"), (2.0**20, "MiB/s"), (2.0**10, "KiB/s"), (1.0, "B/s")),
    "images/s": ((1e6, "M images/s"), (1e3, "k images/s"), (1.0, "images/s")),
    "examples/s": ((1e6, "M examples/s"), (1e3, "k examples/s"), (1.0, "examples/s")),
    "Hz": ((1e9, "GHz"), (1e6, "MHz"), (1e3, "kHz"), (1.0, "Hz")),
    "degC": ((1.0, "degrees"),),
    "count": ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")),
    "ratio": ((1e-2, "%"),),
    "1": ((1.0, ""),),
}
"""Base unit -> (size in base units, text), largest first. The closed set: a metric in another unit is an error."""

ALSO_READ: dict[str, dict[str, float]] = {
    "s": {"us": 1e-6, "min": 60.0},
    "B": {"GB": 1e9, "MB": 1e6, "kB": 1e3},
    "J": {"uJ": 1e-6, "kJ": 1e3},
    "ratio": {"": 1.0},
}
"""Base unit -> further texts of scales that a user may write, and their sizes."""
NUMBER_WITH_UNIT = re.compile(r"\s*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)\s*([^\W\d]*|%)\s*")

SIGNIFICANT_DIGITS = 4
MANY_PERCENT = 10_000
"""Larger percentages have two digits and an exponent, so that a broken measurement does not widen a table."""


def scale(unit: str, value: float) -> tuple[float, str]:
    """The largest scale of `unit` in which `value` is at least 1, else the smallest.

    A scale is its size in base units and its text.

    Zero stays in the base unit where that has a scale: `0 B`, not `0 GiB`.
    """
    scales = SCALES[unit]
    for entry in scales:
        if abs(value) >= entry[0] if value else entry[0] == 1.0:
            return entry
    return scales[-1]


def text(value: float | None, unit: str, digits: int = SIGNIFICANT_DIGITS) -> str:
    """A value with a scaled unit: `0.005124, "s"` -> `5.124 ms`.

    Args:
        value: in base units; None and numbers that are not finite give a dash.
        unit: a key of `SCALES`.
        digits: significant digits, trailing zeros kept, so that a column has one precision.
    """
    if value is None or not math.isfinite(value):
        return "–"
    size, name = scale(unit, value)
    return f"{number(value / size, digits)} {name}".rstrip()


def round_text(value: float, unit: str) -> str:
    """A round number with a scaled unit, as at a tick: `0.0015, "s"` -> `1.5 ms`."""
    size, name = scale(unit, value)
    return f"{value / size:.6g} {name}".rstrip()


def read(text: str, unit: str) -> float:
    """A value as a user writes it, in base units: `read("600MiB", "B")`.

    Raises:
        ValueError: the text is no number with a unit of `scale_names`.
    """
    match = NUMBER_WITH_UNIT.fullmatch(text)
    known = sizes(unit)
    if not match or match[2] not in known:
        raise ValueError(text)
    return float(match[1]) * known[match[2]]


def sizes(unit: str) -> dict[str, float]:
    """Texts of the scales of a unit that `read` knows -> their sizes in base units."""
    return {**{name: size for size, name in SCALES[unit]}, **ALSO_READ.get(unit, {})}


def scale_names(unit: str) -> list[str]:
    """Texts of the scales of a unit that a value may be written in."""
    return [name for _, name in SCALES[unit] if name]


def whole(value: float | None, unit: str) -> str:
    """As `text`, but counts in full, since they are compared exactly."""
    if unit == "count" and value is not None and math.isfinite(value):
        return f"{value:,.0f}"
    return text(value, unit)


def number(value: float, digits: int = SIGNIFICANT_DIGITS) -> str:
    """`value` to `digits` significant digits: `number(5.1) == "5.100"`.

    The text has no exponent.
    """
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:.{decimals}f}"


def interval(low: float, high: float, unit: str, digits: int = SIGNIFICANT_DIGITS) -> str:
    """`[low, high]` in the one scale that suits `high`: `[5.090, 5.160] ms`."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "–"
    size, name = scale(unit, high)
    return f"[{number(low / size, digits)}, {number(high / size, digits)}] {name}".rstrip()


def duration(seconds: float) -> str:
    """A duration for a person who waits: `48 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def percent(share: float, sign: bool = False) -> str:
    """A share in percent: `5.2 %`, or `+5.2 %` with its sign; a dash if not finite."""
    figure = percent_figure(share, sign)
    return figure if figure == "–" else f"{figure} %"


def percent_figure(share: float, sign: bool) -> str:
    """A share in percent without the percent sign, to one decimal."""
    value = 100 * share
    if not math.isfinite(value):
        return "–"
    kind = ".2g" if abs(value) >= MANY_PERCENT else ".1f"
    figure = f"{value:{'+' if sign else ''}{kind}}"
    return "0.0" if figure in ("+0.0", "-0.0") else figure


def percent_rounded(share: float, places: int = 0, sign: bool = False) -> str:
    """A share in percent, to some decimal places: `38 %`."""
    return f"{100 * share:{'+' if sign else ''}.{places}f} %"


def percent_as_given(share: float) -> str:
    """A limit in percent, as the user gave it: `1 %`."""
    return f"{100 * share:g} %"


def percent_above(share: float) -> str:
    """A bound in percent, rounded up: the text claims no more than was shown."""
    if not math.isfinite(share) or 100 * share >= MANY_PERCENT:
        return percent(share)
    return f"{(Decimal(str(share)) * 100).quantize(Decimal('0.1'), ROUND_CEILING)} %"


def percent_interval(low: float, high: float) -> str:
    """An interval of changes: `+2.8 to +3.4 %`; a dash if an end is unknown."""
    ends = percent_figure(low, sign=True), percent_figure(high, sign=True)
    return "–" if "–" in ends else f"{ends[0]} to {ends[1]} %"
