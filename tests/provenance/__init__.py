"""Tests of `suite/provenance/`."""
