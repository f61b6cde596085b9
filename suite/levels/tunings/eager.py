"""The step as PyTorch runs it without any setting."""

from __future__ import annotations

from suite.contracts.tuning import Tuning
from suite.registry import TUNINGS, TuningSpec


class Eager(Tuning):
    """PyTorch's defaults.

    Source: PyTorch without any setting.
    """


TUNINGS.add(TuningSpec("eager", Eager, {"compiled": False, "dtype": "float32"}))
