"""Operations per second of a step, and the two ceilings of the machine."""

from __future__ import annotations

from suite.analysis.case_figures import CaseFigures
from suite.report.instruments import highest, median_of


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
