"""Tunings: ways of running the same step, one entry each."""

from __future__ import annotations

from suite.registry import TUNINGS, TuningSpec

TUNINGS.add(TuningSpec("eager", {"compiled": False}))
