"""The live table of a run: a progress line, and the fastest cases so far.

    scheduler: turn of a worker -> event -> show(event) -> turn of the next worker

Every drawing happens within `show`, while all workers wait for their turn. No thread draws, so nothing is written
during a turn (docs/decisions/0047).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import IO, cast

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from suite import units
from suite.markup.printable import printable
from suite.records import VisitResult
from suite.runner.events import Event, Started, VisitDone
from suite.runner.progress import ProgressLine

REDRAWN_S = 1.0
"""Seconds between two drawings: each takes some milliseconds of a core, and the terminal needs time as well."""
ROWS = 10
"""Cases that the table has, at most."""
FEWEST_ROUNDS = 3
"""Rounds of a visit from which their median is shown."""
FAILED = "failed"
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
        self._cases: dict[str, Standing] = {}
        self._passes = passes
        self._line = ProgressLine(passes, self._keep, self._draw, redrawn_s=REDRAWN_S)

    @property
    def fits(self) -> bool:
        """Whether the terminal is large enough, and obeys escape sequences."""
        size = self._console.size
        return not self._console.is_dumb_terminal and size.height >= FEWEST_LINES and size.width >= FEWEST_COLUMNS

    def show(self, event: Event) -> None:
        """Show one event of the scheduler."""
        standing = self._cases.setdefault(event.case.id, Standing())
        if isinstance(event, Started):
            standing.step_times = event.step_times
        elif isinstance(event, VisitDone):
            standing.add(event.result)
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
        known = [(median_s, case_id) for case_id, one in self._cases.items() if (median_s := one.median_s())]
        text = Text(line, no_wrap=True)
        return Group(text, self._table(sorted(known))) if known else text

    def _table(self, known: Sequence[tuple[float, str]]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column(f"fastest so far, of {len(known):,}", no_wrap=True)
        table.add_column("step time", justify="right", no_wrap=True)
        table.add_column("visits", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for median_s, case_id in known[:ROWS]:
            one = self._cases[case_id]
            cells = (
                printable(case_id),
                units.text(median_s, "s"),
                f"{len(one.medians_s)} of {self._passes}",
                one.remark,
            )
            table.add_row(*map(Text, cells))
        return table


@dataclass(slots=True)
class Standing:
    """The visits of a case so far.

    Attributes:
        medians_s: of the visits that are over.
        step_times: gives those of the visit under way.
        fault: of the last visit; empty without one.
    """

    medians_s: list[float] = field(default_factory=list)
    step_times: Callable[[], Sequence[float]] = tuple
    fault: str = ""

    @property
    def remark(self) -> str:
        """Whether a visit is under way; else the fault of the last one."""
        return "measuring" if self.step_times() else self.fault

    def median_s(self) -> float | None:
        """The median of the visits' medians; None with too few rounds, or after a failure."""
        now = self.step_times()
        medians = [*self.medians_s, median(now)] if len(now) >= FEWEST_ROUNDS else self.medians_s
        return median(medians) if medians and self.fault != FAILED else None

    def add(self, result: VisitResult) -> None:
        """Add a visit that is over."""
        values = result.rounds.step_time
        self.medians_s += [median(values)] if values else []
        self.step_times = tuple
        is_steady = result.visit is None or result.visit.steady
        self.fault = FAILED if result.failure else "" if is_steady else "not steady"
