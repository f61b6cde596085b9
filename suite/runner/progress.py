"""Progress of a run: a live line at a terminal, a line a pass in a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from suite import units
from suite.runner.events import CaseDone, Event

BAR_CELLS = 20
BLOCKS = ("█", "░")
REDRAWN_S = 0.1
"""Seconds between two drawings of the live line; more often would disturb the measurement."""
ESTIMATE_FROM = 0.02
"""Share of the work after which its pace predicts the rest."""


class ProgressLine:
    """Shows progress through `rewrite` at a terminal, through `write_line` elsewhere.

    Args:
        passes: visits to every case.
        write_line: prints a line and keeps it.
        rewrite: replaces the live line; None where there is no terminal.
        redrawn_s: seconds between two drawings of the live line.
    """

    def __init__(
        self,
        passes: int,
        write_line: Callable[[str], None],
        rewrite: Callable[[str], None] | None = None,
        redrawn_s: float = REDRAWN_S,
    ) -> None:
        self._passes = passes
        self._write_line = excused(write_line)
        self._rewrite = excused(rewrite) if rewrite else None
        self._redrawn_s = redrawn_s
        self._started_s = monotonic()
        self._drawn_s = 0.0
        self._pass = -1

    def show(self, event: Event) -> None:
        """Show one event of the scheduler."""
        if isinstance(event, CaseDone) and event.record.outcome == "failed":
            self._keep(f"failed: {event.case.id}: {event.record.reason}")
        if self._rewrite is None:
            self._show_pass(event)
        elif monotonic() - self._drawn_s >= self._redrawn_s:
            self._drawn_s = monotonic()
            self._rewrite(self._text(event)[: shutil.get_terminal_size().columns - 1])

    def close(self) -> None:
        """Leave the live line empty."""
        if self._rewrite is not None:
            self._rewrite("")

    def _keep(self, text: str) -> None:
        if self._rewrite is not None:
            self._rewrite("")
        self._write_line(text)

    def _show_pass(self, event: Event) -> None:
        if event.index != self._pass:
            self._pass = event.index
            self._write_line(f"measuring: pass {event.index + 1} of {self._passes}{self._left(event.share_done)}")

    def _text(self, event: Event) -> str:
        where = f"pass {event.index + 1}/{self._passes}"
        done = event.share_done
        return f"{bar(done)} {done:4.0%}  {where}  {event.case.id}{self._left(done)}"

    def _left(self, share_done: float) -> str:
        if share_done < ESTIMATE_FROM:
            return ""
        left_s = (monotonic() - self._started_s) * (1 - share_done) / share_done
        return f", about {units.duration(left_s)} left"


def excused(write: Callable[[str], None]) -> Callable[[str], None]:
    """The same function, but a failing terminal or file does not stop the run."""

    def attempt(text: str) -> None:
        with suppress(OSError):
            write(text)

    return attempt


def bar(share_done: float) -> str:
    """How much is done, in blocks, or in ASCII where standard output has no blocks."""
    full, empty = BLOCKS
    try:
        (full + empty).encode(getattr(sys.__stdout__, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        full, empty = "#", "."
    filled = round(share_done * BAR_CELLS)
    return full * filled + empty * (BAR_CELLS - filled)
