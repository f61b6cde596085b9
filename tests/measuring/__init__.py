"""Tests of `suite/measuring/`."""
