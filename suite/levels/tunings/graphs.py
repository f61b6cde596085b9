"""The step as one graph: compiled, or captured."""

from __future__ import annotations

import os
import shutil
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from suite.contracts.batches import each_tensor, tensors_of
from suite.contracts.tuning import BatchFunction, CudaOnly, TunedStep, Tuning
from suite.records import INFER, Case, Metric, Series
from suite.registry import OPTIMIZERS, TUNINGS, TuningSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

COLD_COMPILE_TIME = Metric(
    "compile_time_cold", "s", "lower", "Time of the first steps with an empty compilation cache, mostly compilation."
)
WARM_COMPILE_TIME = Metric(
    "compile_time_warm", "s", "lower", "Time of the first steps again, with the compilation cache that they filled."
)
CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
CXX, CC = ("$CXX", "g++", "clang++"), ("$CC", "gcc", "clang")
"""Compilers of C++ and C, those that a variable names first."""


class Compile(Tuning):
    """The network compiled by torch.compile; loss and optimizer stay eager.

    The backend is the default one. Cold and warm compilation are separate metrics of the visit, before the warm-up: the
    first steps run with an empty cache on disk, then again with the cache filled, after the compiled code was dropped.

    Source: Ansel et al. 2024, "PyTorch 2: faster machine learning through dynamic Python bytecode transformation and
        graph compilation"; PyTorch, "Compile time caching in torch.compile".
    """

    agrees_within = 1e-3
    FIRST_STEPS = 2
    """The second call may compile again, for shapes or strides that differ from the first."""

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:
        """No C++ compiler; on accelerators no C compiler or header of Python either.

        Inductor writes C++ for its wrappers on any device. Triton, which writes the kernels of accelerators, compiles a
        launcher in C against Python.h.
        """
        if not has_compiler(CXX):
            return f"{case.tuning} needs a C++ compiler, and neither $CXX nor g++ nor clang++ is installed"
        if device == "cpu":
            return ""
        if not has_compiler(CC):
            return f"{case.tuning} on {device} needs a C compiler, and neither $CC nor gcc nor clang is installed"
        header = Path(sysconfig.get_path("include"), "Python.h")
        return "" if header.is_file() else f"{case.tuning} on {device} needs Python's header, and there is no {header}"

    @contextmanager
    def setting(self) -> Iterator[None]:
        """A new, empty cache, and no pool of processes that compile."""
        import torch._inductor.config as inductor

        before, threads = os.environ.get(CACHE_VARIABLE), inductor.compile_threads
        with tempfile.TemporaryDirectory(prefix="stepmark-compile-", ignore_cleanup_errors=True) as folder:
            os.environ[CACHE_VARIABLE] = folder
            inductor.compile_threads = 1
            try:
                yield
            finally:
                self._forget()
                inductor.compile_threads = threads
                os.environ.pop(CACHE_VARIABLE)
                if before is not None:
                    os.environ[CACHE_VARIABLE] = before

    def prepare(self, network: nn.Module) -> nn.Module:
        """Compile the network at its first call."""
        import torch

        compiled: nn.Module = torch.compile(network)  # type: ignore[assignment]
        return compiled

    def ready(self, step: TunedStep) -> tuple[Series, ...]:
        """Compile cold, then warm."""
        cold_s = self._first_steps(step)
        self._forget()
        return Series(COLD_COMPILE_TIME, (cold_s,)), Series(WARM_COMPILE_TIME, (self._first_steps(step),))

    def _first_steps(self, step: TunedStep) -> float:
        start = perf_counter()
        for _ in range(self.FIRST_STEPS):
            step()
        return perf_counter() - start

    def _forget(self) -> None:
        import torch

        torch.compiler.reset()


class CudaGraph(CudaOnly):
    """The whole step as a CUDA graph: one launch instead of hundreds.

    The first step captures the graph, later ones replay it. Inside a step: copying the batch into the graph's own
    inputs and targets, and the replay. The captured step frees its gradients first, as an eager one does, so a replay
    writes each gradient once and neither fills it with zeros nor adds to it.

    Source: PyTorch, "CUDA semantics", section "Whole-network capture".
    """

    WARMUP_STEPS = 3
    """Steps on a side stream before the capture, as torch's documentation requires. The capture is on that stream too:
    the loss of the last of them keeps the nodes that accumulate gradients, and these stay on its stream."""
    CAPTURE_ERRORS = "thread_local"
    """Calls that end the capture: those of this thread. A data loader's thread may pin memory at that time."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self._graph: torch.cuda.CUDAGraph | None = None

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:
        """No CUDA device, or an optimizer whose step reads back from the device."""
        optimizer = OPTIMIZERS[case.optimizer].attributes
        capturable = case.mode == INFER or optimizer["family"] == "sgd" or optimizer.get("capturable")
        return super().refusal(case, device) or (
            "" if capturable else f"{case.optimizer} is not capturable in a CUDA graph"
        )

    def drive(self, run: BatchFunction, inputs: Any, targets: Any) -> None:
        """Copy the batch in and replay; capture first."""
        if self._graph is None:
            self._graph = self._capture(run, inputs, targets)
        copy_inputs, copy_targets = self._copies
        copy_inputs(inputs)
        copy_targets(targets)
        self._graph.replay()

    def _capture(self, run: BatchFunction, inputs: Any, targets: Any) -> torch.cuda.CUDAGraph:
        import torch

        held = [each_tensor(clone, one) for one in (inputs, targets)]
        self._copies = [copier(one) for one in held]
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(self.WARMUP_STEPS):
                run(*held)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side, capture_error_mode=self.CAPTURE_ERRORS):
            run(*held)
        return graph


def has_compiler(names: tuple[str, ...]) -> bool:
    """Whether one of several compilers is installed; a name after `$` is a variable's."""
    commands = (os.environ.get(name[1:], "") if name.startswith("$") else name for name in names)
    return any(shutil.which(command) for command in commands if command)


def clone(tensor: Any) -> Any:
    """A copy of a tensor, or of a collection of tensors that has a method `clone`."""
    return tensor.clone()


def copier(held: Any) -> Callable[[Any], Any]:
    """The function that copies into a held value; for a tensor, its own method."""
    return getattr(held, "copy_", None) or partial(copy_nested, held)


def copy_nested(held: Any, given: Any) -> None:
    """Copy the tensors of a nested value into those of another."""
    for old, new in zip(tensors_of(held), tensors_of(given), strict=True):
        old.copy_(new)


TUNINGS.add(TuningSpec("compile", Compile, {"compiled": True, "dtype": "float32"}))
TUNINGS.add(TuningSpec("cuda_graph", CudaGraph, {"compiled": False, "dtype": "float32", "graph": True}))
