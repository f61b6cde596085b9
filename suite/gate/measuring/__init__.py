"""Measures both sides: blocks, memory, and the lock between gates."""
