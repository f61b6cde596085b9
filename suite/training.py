"""Case -> step: the only place where the factors meet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from suite.clock import Clock
from suite.cores import usable_cores
from suite.executions.cpu import Cpu
from suite.learning import TEST_IMAGES, TRAINING_IMAGES, Digits
from suite.placement import Placement
from suite.probes import ACCURACY, DATA_WAIT, QUEUE_TIME, TEST_LOSS, Probe, Queueing
from suite.records import INFER, LEARN, NUM_CLASSES, Case, Series
from suite.registry import EXECUTIONS, INPUTS, OPTIMIZERS, SCHEDULES, STRUCTURES, TUNINGS
from suite.snapshot import snapshot

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
    """

    def __init__(self, case: Case, execution: Cpu | None = None) -> None:
        self.case = case
        self.execution = execution or EXECUTIONS[case.execution].strategy()
        self.tuning = TUNINGS[case.tuning].strategy(self.execution.device_type())
        self.waited_s = 0.0
        self.gauges: tuple[Probe, ...] = ()
        self.once: tuple[Series, ...] = ()
        self.steps = 0
        self._restored_at = 0
        with ExitStack() as stack:
            stack.push(lambda *raised: self.execution.end(raised[1]))
            self.execution.begin(case, lambda execution: make_step(case, execution))
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
        network.train(self.case.mode == "train")
        network = network.to(memory_format=self.tuning.memory_format())
        self.network: nn.Module = self.tuning.prepare(self.execution.place(network))

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """What the steps take, endless."""
        return self.pipeline.batches(self.case, self._placement())

    def _placement(self) -> Placement:
        execution = self.execution
        return Placement(execution.device(), self.tuning.memory_format(), execution.rank, execution.ranks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, at)

    def __call__(self) -> None:
        """Run one step on the next batch: images (N, 3, H, W), labels (N,)."""
        self.execution.announce("step")
        self.steps += 1
        start = perf_counter()
        images, labels = next(self.batches)
        self.waited_s += perf_counter() - start
        self.tuning.drive(self.run, images, labels)

    def run(self, images: Tensor, labels: Tensor) -> None:
        """What a step does with its batch."""
        raise NotImplementedError

    def _probes(self, stack: ExitStack) -> tuple[Probe, ...]:
        """What is read around a round beside the counters of the process, until `stack` is left; queueing where the
        step leaves its own threads, ranks and loader workers a core each, and so tells of others.
        """
        workers: int = INPUTS[self.case.input].attributes.get("workers", 0)
        wanted = self.execution.ranks_here * (torch.get_num_threads() + workers)
        queueing = Queueing()
        stack.callback(queueing.close)
        queued = (Probe(QUEUE_TIME, queueing.read_s),) if wanted <= usable_cores() else ()
        return (*queued, Probe(DATA_WAIT, lambda: self.waited_s), *self.tuning.probes())

    @property
    def is_alone(self) -> bool:
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


class TrainingStep(Step):
    """`zero_grad`, forward, loss, backward and optimizer step on one batch."""

    def _make(self) -> None:
        super()._make()
        spec = OPTIMIZERS[self.case.optimizer]
        self.optimizer = spec.build(self.network.parameters())
        self.criterion = nn.CrossEntropyLoss()
        self.loss: Tensor | None = None
        self._closure = spec.closure
        self._restore: Callable[[], None] | None = None

    def run(self, images: Tensor, labels: Tensor) -> None:
        """Train on images (N, 3, H, W) and labels (N,)."""
        if self._closure:
            self.optimizer.step(lambda: self._evaluated(images, labels))
        else:
            self.loss = self._gradients(images, labels)
            self.tuning.update(self.optimizer)

    def _evaluated(self, images: Tensor, labels: Tensor) -> float:
        """What a closure gives its optimizer. The step's loss is that of the last evaluation."""
        self.loss = self._gradients(images, labels)
        return float(self.loss.detach())

    def _gradients(self, images: Tensor, labels: Tensor) -> Tensor:
        self.optimizer.zero_grad(set_to_none=self.tuning.frees_gradients)
        with self.tuning.autocast():
            loss: Tensor = self.criterion(self.network(images), labels)
        self.tuning.backward(loss)
        return loss

    def restore(self) -> None:
        """Put weights, optimizer state and random state back to where they stood after the first rounds.

        The same work is then measured however long a visit lasts: training on would drive the gradients of memorised
        batches towards denormal numbers, which are many times slower on a CPU. Before the first step there is
        nothing to return to: optimizers allocate their state in it.
        """
        if self.loss is None:
            return
        if self._restore is None:
            self._restore = snapshot(self.network, self.optimizer, self.tuning)
        self._restore()

    def judge(self) -> None:
        """Raise where the loss is NaN or infinite."""
        loss = math.nan if self.loss is None else float(self.loss.detach())
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss}: the step does not train, and its time means nothing")


class InferenceStep(Step):
    """Forward on one batch with the network in evaluation mode and no gradients kept; labels are not used."""

    def _make(self) -> None:
        super()._make()
        self.logits: Tensor | None = None

    def run(self, images: Tensor, labels: Tensor) -> None:  # noqa: ARG002 - a step of either mode takes a batch
        """Images (N, 3, H, W) -> logits (N, K)."""
        with self.tuning.without_gradients(), self.tuning.autocast():
            self.logits = self.network(images)

    def judge(self) -> None:
        """Raise where one of the logits is NaN or infinite."""
        if self.logits is None or not bool(torch.isfinite(self.logits).all()):
            raise DivergedError("the logits are not all finite: the step's time means nothing")


class LearningStep(TrainingStep):
    """A training step that goes on from the one before, over real digits, and is judged by its accuracy after rounds.

    What `TrainingStep` repeats, this does once: weights, optimizer and rate of learning are never put back.
    """

    def _make(self) -> None:
        super()._make()
        self.digits = Digits(self.case.image_size)
        self.steps_per_epoch = TRAINING_IMAGES // self.case.batch_size
        self.schedule = SCHEDULES[self.case.schedule].make(self.optimizer, self.steps_per_epoch * self.case.epochs)
        self.gauges = (Probe(ACCURACY, self.accuracy), Probe(TEST_LOSS, lambda: self._test_loss))
        self._test_loss = math.nan

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(self.case.seed)
        placement = self._placement()
        return (placement.put(*batch) for batch in self.digits.batches(self.case.batch_size, generator))

    def input_facts(self) -> dict[str, Any]:
        """The digits, and how many steps an epoch has."""
        return {
            "data": "scikit-learn digits",
            "training_images": TRAINING_IMAGES,
            "test_images": TEST_IMAGES,
            "steps_per_epoch": self.steps_per_epoch,
        }

    def run(self, images: Tensor, labels: Tensor) -> None:
        """Train on images (N, 3, H, W) and labels (N,), and tell the schedule."""
        super().run(images, labels)
        if self.schedule is not None:
            self.schedule.step()

    def restore(self) -> None:
        """Training goes on."""

    def accuracy(self) -> float:
        """Share of the test digits that the network tells right now, with its loss on them kept beside."""
        images, labels = self._placement().put(*self.digits.test)
        self.network.eval()
        with torch.no_grad(), self.tuning.autocast():
            logits = self.network(images)
            self._test_loss = float(self.criterion(logits, labels))
        self.network.train()
        return int((logits.argmax(dim=1) == labels).sum()) / len(labels)


class DivergedError(ArithmeticError):
    """The outcome of a step stopped being a number."""


STEPS: dict[str, type[Step]] = {"train": TrainingStep, INFER: InferenceStep, LEARN: LearningStep}


def make_step(case: Case, execution: Cpu | None = None) -> Step:
    """The step of a case's mode; arguments as `Step` takes them."""
    return STEPS[case.mode](case, execution)


def attributes(case: Case, step: Step | None = None) -> dict[str, Any]:
    """What the levels of a case are made of, by factor, and what is known of them once the step is made."""
    facts: dict[str, Any] = {
        "structure": dict(STRUCTURES[case.structure].attributes),
        "optimizer": dict(OPTIMIZERS[case.optimizer].attributes),
        "execution": dict(EXECUTIONS[case.execution].attributes),
        "tuning": dict(TUNINGS[case.tuning].attributes),
        "input": dict(INPUTS[case.input].attributes),
    }
    if step is not None:
        facts["structure"]["parameters"] = sum(weights.numel() for weights in step.network.parameters())
        facts["execution"].update(step.execution.attributes())
        facts["tuning"].update(step.tuning.found())
        facts["input"].update(step.input_facts())
    if case.mode == LEARN:
        facts["schedule"] = dict(SCHEDULES[case.schedule].attributes)
    return facts
