"""Stepmark: reproducible cost of one training step of a CNN.

`CONTRIBUTING.md` has the tree of rooms; `tests/test_architecture.py` holds which room may import which.
Rooms that measure need torch; rooms that read records do not import it.
"""

__version__ = "0.1.0"
