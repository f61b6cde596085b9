"""Tests of `suite/frontend/`."""
