"""The live table of a run: a progress line, and the visits that ended last.

    scheduler: turn of a worker -> event -> show(event) -> turn of the next worker

Every drawing happens within `show`, while all workers wait for their turn. No thread draws, so nothing is written
during a turn (docs/decisions/0047).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median
from typing import IO, cast

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from suite import units
from suite.markup.printable import printable
from suite.runner.events import Event, VisitDone
from suite.runner.progress import ProgressLine

REDRAWN_S = 1.0
"""Seconds between two drawings: each takes some milliseconds of a core, and the terminal needs time as well."""
ROWS = 8
FEWEST_LINES, FEWEST_COLUMNS = 16, 60
"""Size of a terminal below which the line alone is drawn."""


class Screen:
    """A file for rich whose text goes to pytest's terminal.

    Attributes:
        encoding: of the terminal: rich draws in ASCII where it is no Unicode.
    """

    def __init__(self, write: Callable[[str], None], flush: Callable[[], None], encoding: str) -> None:
        self._write, self._flush = write, flush
        self.encoding = encoding

    def write(self, text: str) -> int:
        """Hand the text on."""
        self._write(text)
        return len(text)

    def flush(self) -> None:
        """Show what was written."""
        self._flush()

    def isatty(self) -> bool:
        """It is a terminal: in a pipe there is no table."""
        return True


class LiveTable:
    """Shows progress in some lines that are drawn again and again.

    Args:
        passes: visits to every case.
        screen: of pytest's terminal.
        has_colours: whether the terminal is to have colours and bold text.
    """

    def __init__(self, passes: int, screen: Screen, *, has_colours: bool = False) -> None:
        console = Console(
            file=cast("IO[str]", screen),
            force_terminal=True,
            color_system="standard" if has_colours else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._console = console
        self._live = Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._visits: deque[tuple[str, ...]] = deque(maxlen=ROWS)
        self._line = ProgressLine(passes, self._keep, self._draw, redrawn_s=REDRAWN_S)

    @property
    def fits(self) -> bool:
        """Whether the terminal is large enough, and obeys escape sequences."""
        size = self._console.size
        return not self._console.is_dumb_terminal and size.height >= FEWEST_LINES and size.width >= FEWEST_COLUMNS

    def show(self, event: Event) -> None:
        """Show one event of the scheduler."""
        if isinstance(event, VisitDone):
            self._visits.appendleft(cells(event))
        self._line.show(event)

    def close(self) -> None:
        """Remove the table from the terminal, and show the cursor again."""
        self._line.close()
        if self._live.is_started:
            self._live.stop()

    def _keep(self, text: str) -> None:
        """Print a line above the table that stays."""
        self._console.print(Text(printable(text)))

    def _draw(self, line: str) -> None:
        if line:
            self._live.start()
            self._live.update(self._content(line), refresh=True)

    def _content(self, line: str) -> RenderableType:
        return Group(Text(line, no_wrap=True), self._table()) if self._visits else Text(line, no_wrap=True)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("last visits", no_wrap=True)
        table.add_column("pass", justify="right", no_wrap=True)
        table.add_column("step time", justify="right", no_wrap=True)
        table.add_column("±", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for row in self._visits:
            table.add_row(*map(Text, row))
        return table


def cells(event: VisitDone) -> tuple[str, str, str, str, str]:
    """Case, pass, median of the visit's rounds, half-width of its interval, remark."""
    visit, rounds = event.result.visit, event.result.rounds.values("step_time")
    remark = "failed" if event.result.failure else "" if visit is None or visit.steady else "not steady"
    return (
        printable(event.case.id),
        str(event.index + 1),
        units.text(median(rounds) if rounds else None, "s"),
        units.text(visit.precision if visit else None, "ratio", 2),
        remark,
    )
