"""Tests of `suite/report/`."""
