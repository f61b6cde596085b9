"""Tests of `suite/gate/`."""
