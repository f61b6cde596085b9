"""Tests of `suite/starter/`."""
