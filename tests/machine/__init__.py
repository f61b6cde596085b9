"""Tests of `suite/machine/`."""
