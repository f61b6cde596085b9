"""Tests of `suite/configuration/`."""
