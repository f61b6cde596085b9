"""Strong scaling: cases that differ in the number of ranks alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.records import Run
from suite.report.facts import Facts
from suite.report.table import DIGITS, HIGHER, LOWER, Column, Table, table
from suite.report.view import View


@dataclass(frozen=True, slots=True)
class Scaled:
    """A case, that of its group with the fewest ranks, and cores of a node or 0."""

    figures: CaseFigures
    fewest: CaseFigures
    node_cores: int

    @property
    def speed_up(self) -> float:
        """Step time of the fewest ranks over the case's own."""
        return self.fewest.step_time.median / self.figures.step_time.median

    @property
    def efficiency(self) -> float:
        """Speed-up for each core, or device, that the case has more."""
        return self.speed_up / (cores_of(self.figures, self.node_cores) / cores_of(self.fewest, self.node_cores))


def view(facts: Facts) -> View | None:
    """Speed-up and efficiency over ranks; None where the number does not vary."""
    found = scaling(facts.run, facts.ranked)
    if not found.rows:
        return None
    return View(
        id="scaling",
        title="Scaling over ranks",
        navigation="Scaling",
        template="scaling.html.j2",
        values={"table": found},
    )


def scaling(run: Run, ranked: Sequence[CaseFigures]) -> Table[Scaled]:
    """A row for each case of a group with several numbers of ranks, fewest first.

    The batch of a case is the joint batch, so that this is strong scaling.
    """
    groups: dict[tuple[str, str], list[CaseFigures]] = defaultdict(list)
    for figures in ranked:
        execution = figures.record.attributes.get("execution", {})
        if execution.get("ranks"):
            alike = replace(figures.case, execution="").id
            groups[alike, str(execution.get("backend"))].append(figures)
    cores = int(run.header.environment.get("machine", {}).get("cores_usable") or 0)
    rows: list[Scaled] = []
    for _, group in sorted(groups.items()):
        group.sort(key=lambda figures: (ranks_of(figures), figures.case.id))
        if len({ranks_of(figures) for figures in group}) > 1:
            rows += [Scaled(figures, group[0], cores) for figures in group]
    return table("Scaling", COLUMNS, rows)


def processors(row: Scaled) -> str:
    """Cores or devices that the ranks have."""
    count = cores_of(row.figures, row.node_cores)
    noun = "device" if on_devices(row.figures) else "core"
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def bounds(row: Scaled) -> str:
    """Bounds of the speed-up by both intervals; empty for the fewest ranks."""
    own, first = row.figures.step_time, row.fewest.step_time
    return "" if row.figures is row.fewest else units.interval(first.low / own.high, first.high / own.low, "1", DIGITS)


COLUMNS: tuple[Column[Scaled], ...] = (
    Column("Case", (), lambda row: row.figures.case.id, is_heading=True),
    Column("Ranks", (), lambda row: str(ranks_of(row.figures))),
    Column("On", (), processors),
    Column("Step time", (LOWER,), lambda row: row.figures.step_time.median, "s", digits=units.SIGNIFICANT_DIGITS),
    Column("Speed-up", (HIGHER,), lambda row: row.speed_up),
    Column("Between", ("bounds of the speed-up,", HIGHER), bounds),
    Column("Efficiency", (HIGHER,), lambda row: row.efficiency, "ratio"),
)


def ranks_of(figures: CaseFigures) -> int:
    """Processes that share the batch."""
    return int(figures.record.attributes["execution"]["ranks"])


def on_devices(figures: CaseFigures) -> bool:
    """Whether each rank has an accelerator."""
    return bool(figures.record.attributes["execution"].get("device", "cpu") != "cpu")


def cores_of(figures: CaseFigures, usable: int) -> int:
    """Devices, or cores of the ranks' threads; `usable` ones of a node, 0: unknown."""
    execution = figures.record.attributes["execution"]
    if on_devices(figures):
        return count_in(execution, "devices")
    threads = ranks_of(figures) * count_in(execution, "threads_per_rank")
    return min(threads, usable * count_in(execution, "nodes")) if usable else threads


def count_in(attributes: Mapping[str, Any], name: str) -> int:
    """A count among attributes; 1 if there is none."""
    found = attributes.get(name)
    return found if type(found) is int and found > 0 else 1
