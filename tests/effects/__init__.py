"""Tests of `suite/effects/`."""
