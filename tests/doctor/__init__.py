"""Tests of `suite/doctor/`."""
