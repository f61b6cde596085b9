"""What the steps of every mode have in common: the only place where the factors meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from suite.contracts.clock import Clock
from suite.contracts.execution import Execution
from suite.contracts.phase_hook import PhaseHook
from suite.contracts.placement import Placement
from suite.contracts.probes import DATA_WAIT, QUEUE_TIME, Probe, QueueTimeCounter
from suite.machine.affinity import affinity_cores
from suite.records import INFER, NUM_CLASSES, Case, Series
from suite.registry import EXECUTIONS, INPUTS, STRUCTURES, TUNINGS

RESTORE_AFTER = 32
"""Steps between two returns to the first weights: fewer than it takes to memorise the batches, and so many that writing
weights and optimizer state anew costs little beside them."""


class Step:
    """One batch through the network of a case, as its execution and tuning run it. Calling it runs one step.

    A context that puts back, on leaving, what execution, tuning and input have set up. Inside a call: taking the next
    batch from the input pipeline, and what `run` does with it. Outside: making the network, the optimizer, and (with
    synthetic input) the batches; compilation.

    Args:
        case: what to run.
        execution: how, where it is not a new one of the case's own: the other processes of an execution pass theirs.
        hook: what surveys put around each part of a step; rounds that are timed have nothing around them.
    """

    phases: tuple[str, ...] = ("take",)
    """Names of the methods that a step consists of, in the order in which they run."""

    def __init__(self, case: Case, execution: Execution | None = None, hook: PhaseHook | None = None) -> None:
        self.case = case
        self.execution = execution or EXECUTIONS[case.execution].strategy()
        self.tuning = TUNINGS[case.tuning].strategy(self.execution.device_type())
        self.waited_s = 0.0
        self.gauges: tuple[Probe, ...] = ()
        self.once: tuple[Series, ...] = ()
        self.steps = 0
        self._restored_at = 0
        self._hook = hook
        if hook:
            for name in self.phases:
                setattr(self, name, hook(name, getattr(self, name)))
        with ExitStack() as stack:
            stack.push(lambda *raised: self.execution.end(raised[1]))
            self.execution.begin(case, lambda execution: type(self)(case, execution))
            stack.enter_context(self.tuning.setting())
            self._make()
            self.pipeline = INPUTS[case.input].pipeline()
            stack.callback(self.pipeline.close)
            self.batches = self._batches()
            self.clock: Clock = self.execution.clock()
            self.probes = self._probes(stack)
            if self.execution.rank == 0:  # the other ranks follow its steps, from here on
                self.once = self.tuning.ready(self)
            self._stack = stack.pop_all()

    def _make(self) -> None:
        """The network, from torch's seed."""
        torch.manual_seed(self.case.seed)
        network = STRUCTURES[self.case.structure].build(NUM_CLASSES, self.case.image_size)
        network.train(self.case.mode != INFER)
        network = network.to(memory_format=self.tuning.memory_format())
        self.network: nn.Module = self.tuning.prepare(self.execution.place(network))

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """What the steps take, endless."""
        return self.pipeline.batches(self.case, self._placement())

    def _placement(self) -> Placement:
        execution = self.execution
        memory_format = self.tuning.memory_format()
        return Placement(execution.device(), memory_format, execution.rank, execution.ranks, self._hook)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, at)

    def __call__(self) -> None:
        """Run one step on the next batch: images (N, 3, H, W), labels (N,)."""
        self.execution.announce("step")
        self.steps += 1
        images, labels = self.take()
        self.tuning.drive(self.run, images, labels)

    def take(self) -> tuple[Tensor, Tensor]:
        """The next batch of the input pipeline: images (N, 3, H, W), labels (N,)."""
        start = perf_counter()
        batch = next(self.batches)
        self.waited_s += perf_counter() - start
        return batch

    def run(self, images: Tensor, labels: Tensor) -> None:
        """What a step does with its batch."""
        raise NotImplementedError

    def _probes(self, stack: ExitStack) -> tuple[Probe, ...]:
        """What is read around a round beside the counters of the process, until `stack` is left; queueing where the
        step leaves its own threads, ranks and loader workers a core each, and so tells of others.
        """
        workers: int = INPUTS[self.case.input].attributes.get("workers", 0)
        wanted = self.execution.ranks_here * (torch.get_num_threads() + workers)
        queueing = QueueTimeCounter()
        stack.callback(queueing.close)
        queued = (Probe(QUEUE_TIME, queueing.read_s),) if wanted <= affinity_cores() else ()
        return (*queued, Probe(DATA_WAIT, lambda: self.waited_s), *self.tuning.probes())

    @property
    def is_single_process(self) -> bool:
        """Whether one process does all the work: no rank beside it, and none that feeds it."""
        return self.execution.ranks == 1 and not INPUTS[self.case.input].attributes.get("workers")

    def input_facts(self) -> dict[str, Any]:
        """What is known of the batches beside the attributes of their pipeline."""
        return {}

    def rewind(self) -> None:
        """Before rounds: return to the state of the first ones, now and then, and let the input pipeline go on."""
        self.execution.announce("rewind")
        if self._restored_at == 0 or self.steps - self._restored_at >= RESTORE_AFTER:
            self.restore()
            self._restored_at = self.steps
        self.pipeline.go_on()

    def check(self) -> None:
        """After rounds: hold the input pipeline, which would work ahead while others take their turns, and refuse to go
        on where the outcome of the last step is not finite: such a step may cost anything.

        Raises:
            DivergedError: it holds NaN or infinity.
        """
        self.execution.announce("check")
        self.pipeline.pause()
        self.judge()

    def restore(self) -> None:
        """Return to the state of the first rounds, where the step changes any."""

    def judge(self) -> None:
        """Raise `DivergedError` where the outcome of the last step is not finite."""
        raise NotImplementedError


class DivergedError(ArithmeticError):
    """The outcome of a step stopped being a number."""
