"""A visit to a learning case: an epoch a turn, and a seed for each pass."""

from __future__ import annotations

from dataclasses import replace

from suite.records import Case
from suite.runner.visit import VisitRunner, Worker


class LearningVisit(VisitRunner):
    """Training from fresh weights to the last epoch.

    Passes differ by seed, which shows the spread of the accuracy.

    A round is an epoch. The first belongs to the warm-up, like every first round: what is made lazily is made in it.
    Its accuracy is kept there, and the curve begins with it.
    """

    def _case_of_worker(self) -> Case:
        return replace(self.case, seed=self.case.seed + self.index)

    @property
    def share_done(self) -> float:
        """Part of the epochs that is behind; 1 when over."""
        return 1.0 if self.result else min(1.0, (1 + len(self._turns)) / self.case.epochs)

    def _warm_up(self, worker: Worker) -> None:
        self._steps = int(worker.attributes["input"]["steps_per_epoch"])
        self._warmup = worker.measure(seconds=0.0, steps_per_round=self._steps, min_rounds=1)
        self._warmup_s = sum(self._warmup.step_time) * self._steps
        self._steady = True

    def _take_turn(self, worker: Worker) -> None:
        self._turns.append(worker.measure(seconds=0.0, steps_per_round=self._steps, min_rounds=1))

    def _stop_if_enough(self) -> None:
        if 1 + len(self._turns) >= self.case.epochs:
            self._finish("epochs", self._precision())
