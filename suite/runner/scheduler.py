"""Drives visits through the passes. Knows no network and no pytest.

for each pass:
    shuffle the cases by the plan's seed
    end the zygote, whose layout of memory all its forks share, and start a fresh one
    for each group of cases, as many as are interleaved:
        read the counters of the machine, here and at the end of each visit
        fork a fresh worker for each and warm it up
        until each knows its median to the target precision, or has spent its time:
            give each a turn                (the others wait, blocked on their pipe)
        after the last visit of a case: its instruments, each in a fresh worker
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from time import monotonic

from suite.machine import interference
from suite.machine.interference import CounterSnapshot
from suite.records import LEARN, Case, Measurement, Rounds, RunPlan, RunRecord, Series, VisitResult
from suite.runner.events import CaseDone, Event, Started, VisitDone
from suite.runner.learning_visit import LearningVisit
from suite.runner.visit import VisitRunner, Workers
from suite.runner.worker_handle import WorkerFailed, WorkerLost


class Scheduler:
    """Visits cases and keeps what the visits brought until a case is complete.

    Args:
        plan: passes, stopping rule, how many cases are interleaved, and the seed of the order.
        workers: where workers come from; a fake one in tests.
        visited: visits of an interrupted run by case id, which are not repeated.
        look: reads the machine's counters.
        instruments: names of those that measure each case after it is timed.
        begun_s: seconds since the start of the run, if it was interrupted and goes on.
    """

    def __init__(
        self,
        plan: RunPlan,
        workers: Workers,
        visited: Mapping[str, list[VisitResult]] | None = None,
        look: Callable[[], CounterSnapshot | None] = interference.read_counters,
        instruments: Sequence[str] = (),
        begun_s: float = 0.0,
    ) -> None:
        self._plan = plan
        self._look = look
        self._instruments = instruments
        self._workers = workers
        self._visited = {case_id: list(visits) for case_id, visits in (visited or {}).items()}
        self._origin_s = monotonic() - begun_s

    def run(self, cases: Iterable[Case]) -> Iterator[Event]:
        """Make all missing visits to `cases`; each pass has another order."""
        cases = list(cases)
        for case in cases:  # visited by an interrupted run, which did not come to write it
            if not self.missing(case):
                yield CaseDone(case, 0, 0.0, self._record(case))
        owed = {case.id: self._owed(case) for case in cases if self.missing(case)}
        total = sum(owed.values())
        for index in range(self._plan.passes):
            due = [case for case in order(cases, self._plan.order_seed, index) if index in self.missing(case)]
            if due:
                self._workers.renew()
            for group in groups(due, self._plan.abreast):
                for event in self._group(group, index):
                    owed[event.case.id] = 0 if isinstance(event, CaseDone) else self._owed(event.case)
                    done = total - sum(owed.values()) + event.share_done
                    yield replace(event, share_done=done / total)

    def _group(self, group: list[Case], index: int) -> Iterator[Event]:
        """Visits that take turns until all are over; shares are in visits."""
        started_s, before = monotonic() - self._origin_s, self._look()
        runners = [
            (LearningVisit if case.mode == LEARN else VisitRunner)(case, index, self._plan, self._workers, started_s)
            for case in group
        ]
        while runners:
            for runner in runners:
                yield Started(runner.case, index, under_way(runners), runner.step_times)
                runner.advance()
                if runner.result is not None:
                    visited = with_interference(runner.result, before, self._look())
                    self._visited.setdefault(runner.case.id, []).append(visited)
                    yield VisitDone(runner.case, index, under_way(runners), visited)
                    if not self.missing(runner.case):
                        yield CaseDone(runner.case, index, under_way(runners), self._record(runner.case))
            runners = [runner for runner in runners if runner.result is None]

    def _owed(self, case: Case) -> int:
        """Work that a case still needs, in visits; its instruments count as one."""
        return len(self.missing(case)) + bool(self._instruments)

    def missing(self, case: Case) -> list[int]:
        """Passes that still owe a visit to `case`; none after a failure."""
        visits = self._visited.get(case.id, [])
        if any(visited.failure for visited in visits):
            return []
        made = {visited.visit.index for visited in visits if visited.visit}
        return [index for index in range(self._plan.passes) if index not in made]

    def _record(self, case: Case) -> RunRecord:
        return self._with_instruments(assemble(case, self._visited[case.id]))

    def _with_instruments(self, record: RunRecord) -> RunRecord:
        """The record with the series of the instruments. A failure is a warning."""
        measurement = record.measurement
        if not self._instruments or record.outcome != "measured" or measurement is None:
            return record
        found: list[Series] = []
        warnings: list[str] = []
        for name in self._instruments:
            try:
                found += self._run_instrument(record.case, name)
            except WorkerFailed as failed:
                warnings.append(f"the survey of its {name} failed: {failed}")
        measurement = replace(measurement, surveyed=tuple(found), warnings=(*measurement.warnings, *warnings))
        return replace(record, measurement=measurement)

    def _run_instrument(self, case: Case, name: str) -> tuple[Series, ...]:
        """The series of one instrument; a worker that was lost is replaced once."""
        try:
            return self._workers.run_instrument(case, name)
        except WorkerLost:
            return self._workers.run_instrument(case, name)


def with_interference(
    visited: VisitResult, before: CounterSnapshot | None, after: CounterSnapshot | None
) -> VisitResult:
    """A visit with the interference during it, where that is known."""
    if visited.visit is None or before is None or after is None:
        return visited
    found = interference.difference(before, after)
    if found is None:
        return visited
    visit = replace(visited.visit, neighbour=found.busiest)
    return replace(visited, visit=visit, per_visit=(*visited.per_visit, *found.series()))


def under_way(runners: list[VisitRunner]) -> float:
    """Work done by visits that are not over, in visits."""
    return sum(runner.share_done for runner in runners if runner.result is None)


def groups(cases: list[Case], most: int) -> list[list[Case]]:
    """Consecutive groups of nearly equal size, none above `most`.

    A case left over would be measured alone, while the machine may be in another state.
    """
    count = -(-len(cases) // most)
    edges = [round(index * len(cases) / count) for index in range(count + 1)] if count else [0]
    return [cases[start:end] for start, end in pairwise(edges)]


def order(cases: list[Case], seed: int, index: int) -> list[Case]:
    """The cases as pass `index` visits them: shuffled, the same for the same seed."""
    shuffled = list(cases)
    random.Random(f"{seed}/{index}").shuffle(shuffled)  # noqa: S311 - an order, not a secret
    return shuffled


def assemble(case: Case, visits: list[VisitResult]) -> RunRecord:
    """The record of a case: rounds in the order of the passes, or a failure."""
    failure = next((visited.failure for visited in visits if visited.failure), "")
    made = sorted(((one.visit, one) for one in visits if one.visit), key=lambda pair: pair[0].index)
    measurement = None
    if made:
        measurement = Measurement(
            series=Rounds.concat(one.rounds for _, one in made).series,
            warmup=Rounds.concat(one.warmup for _, one in made).series,
            visits=tuple(visit for visit, _ in made),
            warnings=tuple(warning for _, one in made for warning in one.warnings),
            per_visit=one_a_visit([one.per_visit for _, one in made]),
        )
    attributes = dict(made[-1][1].attributes) if made else {}
    return RunRecord(case, "failed" if failure else "measured", failure, attributes, measurement)


def one_a_visit(parts: list[tuple[Series, ...]]) -> tuple[Series, ...]:
    """Series with one value a visit, of the metrics that every visit has.

    A visit from before an interruption may be by an older version, with fewer metrics.
    """
    values = [{one.metric.name: one.values for one in part} for part in parts]
    return tuple(
        Series(one.metric, tuple(value for each in values for value in each[one.metric.name]))
        for one in parts[-1]
        if all(one.metric.name in each for each in values)
    )
