"""Tests of `suite/theme/`."""
