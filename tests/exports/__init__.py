"""Tests of `suite/exports/`."""
