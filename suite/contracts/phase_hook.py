"""Hooks around the phases of a step, by which instruments look inside it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

Phase = Callable[..., Any]
"""A method of a step that runs one phase, such as `forward`."""
PhaseHook = Callable[[str, Phase], Phase]
"""(name of a phase, phase) -> the function that the step calls instead."""


class CopyTime:
    """Host time of the copies of batches to a device, as a hook of the phase `copy`.

    A copy from memory that is not pinned waits for all work that the device was given before, so its time is mostly
    that of the steps before.

    Source: PyTorch, `aten/src/ATen/native/cuda/Copy.cu`; NVIDIA, "CUDA runtime API", section "API synchronization
        behavior".

    Attributes:
        spent_s: seconds of all copies so far.
    """

    def __init__(self) -> None:
        self.spent_s = 0.0

    def wrap_phase(self, name: str, phase: Phase) -> Phase:  # noqa: ARG002 - it wraps copies only
        """The same copy, timed."""

        def timed(*arguments: Any) -> Any:
            start = perf_counter()
            try:
                return phase(*arguments)
            finally:
                self.spent_s += perf_counter() - start

        return timed
