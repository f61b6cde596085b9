"""Stepmark: what one training step of a CNN costs, measured so that the number can be trusted.

Two halves share only the values of `suite.records`. The measuring half needs torch; the reading half does not
import it. `tests/test_architecture.py` holds the table of which module may import which.
"""

__version__ = "0.1.0"
