"""Workers that answer at once with the rounds that a test gives them, and remember what they were asked."""

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Any

from suite.contracts.probes import STEP_TIME
from suite.records import Case, Metric, Rounds, Series

if TYPE_CHECKING:
    from suite.runner.visit import Workers

QUIET = (
    Metric("cpu_time", "s", "lower", "Time on cores."),
    Metric("queue_time", "s", "lower", "Time spent queueing."),
)

Times = Callable[[Case, int], Iterator[float]]
"""Step times of the n-th worker (from 0) of a case, warm-up first; endless."""


class FakeWorkers:
    """The source of fake workers.

    Args:
        times: the step times that workers return, in order; a constant 10 ms where left out.
        attributes: of workers once they are made, with the structure's name.
        errors: what to raise instead of an answer, by (case id, worker of that case from 0, answer of that worker from
            0); the fork is answer 0. By (case id, attempt from 0, name) for a survey.

    Attributes:
        events: (what, case id, worker of that case) in order, with what one of fork, measure, end.
    """

    def __init__(
        self,
        times: Times | None = None,
        errors: dict[tuple[str, int, int | str], Exception] | None = None,
        attributes: dict[str, dict[str, int | str]] | None = None,
    ) -> None:
        self.attributes = attributes or {}
        self.events: list[tuple[str, str, int]] = []
        self.requests: list[dict[str, float]] = []
        self._times = times or (lambda *_: repeat(0.01))
        self._errors = errors or {}

    def renew(self) -> None:
        self.events.append(("renew", "", 0))

    def fork(self, case: Case) -> "FakeWorker":
        number = sum(what == "fork" and case_id == case.id for what, case_id, _ in self.events)
        self.events.append(("fork", case.id, number))
        worker = FakeWorker(self, case, number, self._times(case, number))
        worker.answer()
        return worker

    def run_instrument(self, case: Case, name: str) -> tuple[Series, ...]:
        number = sum(what == f"survey of {name}" and case_id == case.id for what, case_id, _ in self.events)
        self.events.append((f"survey of {name}", case.id, number))
        self.error(case.id, number, name)
        return (Series(Metric(f"{name}_found", "B", "lower", "A survey's."), (1.0, 2.0)),)

    def error(self, case_id: str, worker: int, answer: int | str) -> None:
        if (case_id, worker, answer) in self._errors:
            raise self._errors[case_id, worker, answer]

    def of(self, what: str) -> list[tuple[str, int]]:
        """(case id, worker of that case) for each event of one kind."""
        return [(case_id, worker) for kind, case_id, worker in self.events if kind == what]


class FakeWorker:
    """Spends the seconds that it is given on the step times that it was made with, without waiting."""

    def __init__(self, workers: FakeWorkers, case: Case, number: int, times: Iterator[float]) -> None:
        self.attributes: dict[str, Any] = {
            "structure": {"name": case.structure},
            "worker": number,
            **workers.attributes,
        }
        self.visit_series: tuple[Series, ...] = ()
        self._workers = workers
        self._case_id = case.id
        self._number = number
        self._times = times
        self._answers = 0

    def answer(self) -> None:
        self._answers += 1
        self._workers.error(self._case_id, self._number, self._answers - 1)

    def measure(self, *, seconds: float, steps_per_round: int, min_rounds: int) -> Rounds:
        self._workers.events.append(("measure", self._case_id, self._number))
        self._workers.requests.append(
            {"seconds": seconds, "steps_per_round": steps_per_round, "min_rounds": min_rounds}
        )
        self.answer()
        values: list[float] = []
        while len(values) < min_rounds or sum(values) * steps_per_round < seconds:
            values.append(next(self._times))
        cpu, queue = QUIET
        zeros = (0.0,) * len(values)
        return Rounds((Series(STEP_TIME, tuple(values)), Series(cpu, tuple(values)), Series(queue, zeros)))

    def end(self) -> None:
        self._workers.events.append(("end", self._case_id, self._number))


if TYPE_CHECKING:
    LIKE_THE_REAL_ONES: Workers = FakeWorkers()
