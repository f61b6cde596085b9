"""The step: the one place where structure, task, execution, tuning, input meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import torch
from torch import nn

from suite.contracts.batches import Batch
from suite.contracts.clock import Clock
from suite.contracts.execution import Execution
from suite.contracts.phase_hook import CopyTime, PhaseHook
from suite.contracts.placement import Placement
from suite.contracts.probes import DATA_WAIT, DATA_WAIT_OF_DEVICE, QUEUE_TIME, Probe, QueueTimeCounter
from suite.machine.affinity import affinity_cores
from suite.measuring.snapshot import seed_random
from suite.records import INFER, Case, Series
from suite.registry import EXECUTIONS, INPUTS, STRUCTURES, TASKS, TUNINGS

RESTORE_AFTER = 32
"""Steps between two returns to the first weights: fewer than it takes to memorise the batches, and so many that writing
weights and optimizer state costs little in comparison."""


class Step:
    """One batch through a case's network, as its execution and tuning run it.

    A context: entering makes the network, the optimizer and the input, and warms the tuning up; leaving undoes the
    settings of execution, tuning and input. Calling it in between runs one step.

    Inside a call: taking the next batch from the input pipeline, and `run` on it. Outside: making the network, the
    optimizer, and (with synthetic input) the batches; compilation.

    Args:
        case: the case to run.
        execution: a new one of the case's by default; other ranks of an execution pass theirs.
        hook: wraps each phase of a step for an instrument; None in rounds that are timed.
    """

    phases: tuple[str, ...] = ("take",)
    """Names of the methods that a step consists of, in the order in which they run."""
    has_own_order = False
    """Whether a structure or a task runs the phases, in another order, and not necessarily all of them."""

    def __init__(self, case: Case, execution: Execution | None = None, hook: PhaseHook | None = None) -> None:
        self.case = case
        self.execution = execution or EXECUTIONS[case.execution].strategy()
        self.tuning = TUNINGS[case.tuning].strategy(self.execution.device_type())
        self.task = TASKS[case.task].strategy(case)
        self.waited_s = 0.0
        self.gauges: tuple[Probe, ...] = ()
        self.visit_series: tuple[Series, ...] = ()
        self.steps = 0
        self._restored_at = 0
        self._hook = hook
        self._copying = CopyTime()
        self._stack = ExitStack()
        if hook:
            for name in self.phases:
                setattr(self, name, hook(name, getattr(self, name)))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.push(lambda *raised: self.execution.end(raised[1]))
            self.execution.begin(self.case, lambda execution: type(self)(self.case, execution))
            stack.enter_context(self.tuning.setting())
            self._make()
            self.pipeline = INPUTS[self.case.input].pipeline()
            stack.callback(self.pipeline.close)
            self.batches = self._batches()
            self.clock: Clock = self.execution.clock()
            self.probes = self._probes(stack)
            if self.execution.rank == 0:  # the other ranks follow its steps, from here on
                self.visit_series = self.tuning.ready(self)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, at)

    def _make(self) -> None:
        """Make the network, from the seed of its case."""
        seed_random(self.case.seed)
        network = self.task.make_network(STRUCTURES[self.case.structure].build)
        network.train(self.case.mode != INFER)
        self.module = network.to(memory_format=self.tuning.memory_format())
        self.network: nn.Module = self.tuning.prepare(self.execution.place(self.module))
        self._call: Callable[[Any], Any] = self.task.caller(self.network)

    def _batches(self) -> Iterator[Batch]:
        """Endless batches for the steps."""
        return self.pipeline.batches(self.case, self._placement())

    def _placement(self) -> Placement:
        execution, hook = self.execution, self._hook
        if hook is None and execution.device_type() != "cpu":
            hook = self._copying.wrap_phase
        return Placement(execution.device(), self.tuning.memory_format(), execution.rank, execution.ranks, hook)

    def __call__(self) -> None:
        """Run one step on the next batch."""
        self.execution.announce("step")
        self.steps += 1
        inputs, targets = self.take()
        self.tuning.drive(self.run, inputs, targets)

    def take(self) -> Batch:
        """Take the next batch: inputs and targets of N examples.

        The wait is without copies to an accelerator, which wait for its earlier work.
        """
        start, copied_s = perf_counter(), self._copying.spent_s
        batch = next(self.batches)
        self.waited_s += perf_counter() - start - (self._copying.spent_s - copied_s)
        return batch

    def run(self, inputs: Any, targets: Any) -> None:
        """Do the step's work on its batch."""
        raise NotImplementedError

    def _probes(self, stack: ExitStack) -> tuple[Probe, ...]:
        """Probes of the step, until `stack` is left.

        Queue time is among them only if the step leaves a core each for its threads, ranks and loader workers, so that
        it shows other processes.
        """
        workers: int = INPUTS[self.case.input].attributes.get("workers", 0)
        wanted = self.execution.ranks_here * (torch.get_num_threads() + workers)
        counter = QueueTimeCounter()
        stack.callback(counter.close)
        queue_time = (Probe(QUEUE_TIME, counter.read_s),) if wanted <= affinity_cores() else ()
        waited = DATA_WAIT if self.execution.device_type() == "cpu" else DATA_WAIT_OF_DEVICE
        return (*queue_time, Probe(waited, lambda: self.waited_s), *self.tuning.probes())

    @property
    def is_single_process(self) -> bool:
        """Whether one process does all the work, without other ranks or loader workers."""
        return self.execution.ranks == 1 and not INPUTS[self.case.input].attributes.get("workers")

    def input_attributes(self) -> dict[str, Any]:
        """Attributes of the batches known only after the step is made."""
        return {}

    def rewind(self) -> None:
        """Before rounds: now and then restore the first state; continue the input."""
        self.execution.announce("rewind")
        if self._restored_at == 0 or self.steps - self._restored_at >= RESTORE_AFTER:
            self.restore()
            self._restored_at = self.steps
        self.pipeline.go_on()

    def check(self) -> None:
        """After rounds: pause the input, and check the last step.

        The input pipeline would work ahead while other workers take their turns. A step whose outcome is not finite may
        cost anything.

        Raises:
            DivergedError: the outcome of the last step holds NaN or infinity.
        """
        self.execution.announce("check")
        self.pipeline.pause()
        self.check_finite()

    def restore(self) -> None:
        """Restore the state of the first rounds, if the step changes it."""

    def check_finite(self) -> None:
        """Raise `DivergedError` if the outcome of the last step is not finite."""
        raise NotImplementedError


class DivergedError(ArithmeticError):
    """The outcome of a step is no longer finite."""
