"""Tests of `suite/overview/`."""
