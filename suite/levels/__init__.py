"""Levels of the factors of a case: one file or entry each, in `suite.registry`."""
