"""Tests of `suite/contracts/`."""
