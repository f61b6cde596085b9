"""Rounds -> figures and issues: floats in, floats out; no torch, numpy, scipy."""
