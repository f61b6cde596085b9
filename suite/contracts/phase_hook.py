"""Hooks around the phases of a step, by which instruments look inside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Phase = Callable[..., Any]
"""A method of a step that runs one phase, such as `forward`."""
PhaseHook = Callable[[str, Phase], Phase]
"""(name of a phase, phase) -> the function that the step calls instead."""
