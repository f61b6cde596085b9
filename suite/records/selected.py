"""Some cases of a run, whose figures are still estimated among all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Self

from suite.records.values import Run, RunRecord


class Selected(tuple[RunRecord, ...]):
    """Some records of a run.

    The drift of the machine and the variance between visits are estimated among all cases. A case would else have
    another interval wherever others are left out.

    Attributes:
        whole: all records of the run.
    """

    whole: Sequence[RunRecord]

    def __new__(cls, some: Iterable[RunRecord], whole: Sequence[RunRecord] | None = None) -> Self:
        """Some records, and all of them; without those, some are all."""
        made = super().__new__(cls, some)
        made.whole = made if whole is None else whole
        return made


def whole_of(records: Sequence[RunRecord]) -> Sequence[RunRecord]:
    """All records of the run of which these are some."""
    return records.whole if isinstance(records, Selected) else records


def some_of(run: Run, selects: Callable[[str], bool]) -> Run:
    """The run with the selected cases alone, planned ones too."""
    cases = Selected((record for record in run.cases if selects(record.case.id)), whole_of(run.cases))
    header = replace(run.header, planned=tuple(filter(selects, run.header.planned)))
    return replace(run, header=header, cases=cases)
