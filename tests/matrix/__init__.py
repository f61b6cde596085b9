"""Tests of `suite/matrix/`."""
