"""Tests of `suite/levels/`."""
