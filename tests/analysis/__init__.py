"""Tests of `suite/analysis/`."""
