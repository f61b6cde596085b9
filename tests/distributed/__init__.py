"""Tests of `suite/distributed/`."""
