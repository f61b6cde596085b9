"""Rounds -> figures and verdicts of validity: floats in, floats out. No torch, numpy or scipy."""
