"""Tests of `suite/records/`."""
