"""The clock by which pytest-benchmark reads rounds that were measured before."""

from __future__ import annotations


class ReplayClock:
    """A clock that stands at 0 before each round and at the round's length after it.

    pytest-benchmark subtracts two readings; starting from 0 no digit of a round is lost.
    """

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Seconds since the start of the round."""
        return self.now_s


replay_clock = ReplayClock()
"""The timer that the cases name in their `benchmark` marker."""
