"""Measures both sides: blocks of pairs, memory, and the lock by which gates take turns."""
