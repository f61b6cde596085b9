"""Tests of `suite/runner/`."""
