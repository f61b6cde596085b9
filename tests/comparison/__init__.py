"""Tests of `suite/comparison/`."""
