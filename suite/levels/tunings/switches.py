"""Settings of torch that change how it runs the same operations."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from suite.contracts.tuning import CudaOnly, Tuning
from suite.machine import threads
from suite.machine.affinity import affinity_cores
from suite.records import INFER, Case
from suite.registry import TUNINGS, TuningSpec


class Threads(Tuning):
    """A number of threads within each operation, whatever the run's `--threads`.

    Attributes:
        threads: the number.

    Source: PyTorch, "CPU threading and TorchScript inference", `torch.set_num_threads`.
    """

    threads = 1

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:  # noqa: ARG003 - threads prepare the work of every device
        """Fewer cores than threads, or a lower limit of OpenMP."""
        if cls.threads <= affinity_cores():
            return threads.refusal(cls.threads)
        return f"{case.tuning} has {cls.threads} threads, and this process may use {affinity_cores()} cores"

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Set the number of threads."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            if torch.get_num_threads() != self.threads:
                raise RuntimeError(f"torch took {torch.get_num_threads()} threads, not the {self.threads} asked for")
            yield
        finally:
            torch.set_num_threads(before)


class TwoThreads(Threads):
    """Two threads within each operation. Source: as `Threads`."""

    threads = 2


class FourThreads(Threads):
    """Four threads within each operation. Source: as `Threads`."""

    threads = 4


class EightThreads(Threads):
    """Eight threads within each operation. Source: as `Threads`."""

    threads = 8


class FlushDenormal(Tuning):
    """Denormal results, numbers below 1.2e-38, become zero.

    Some processors compute with them many times slower than with others.

    Source: PyTorch, `torch.set_flush_denormal`; Intel, "Intel 64 and IA-32 architectures software developer's manual",
        volume 1, section 10.2.3.3.
    """

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Flush denormal results on this thread and those that it starts."""
        import torch

        before = sys.float_info.min / 2 == 0.0
        torch.set_flush_denormal(True)
        try:
            if sys.float_info.min / 2 != 0.0:
                raise RuntimeError("this processor, or this build of torch, does not flush denormal results")
            yield
        finally:
            torch.set_flush_denormal(before)


class CudnnBenchmark(CudaOnly):
    """cuDNN tries its algorithms on the first batch of a shape and keeps the fastest.

    Source: PyTorch, "Performance tuning guide", section "Enable cuDNN auto-tuner".
    """

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Let cuDNN try its algorithms."""
        import torch

        before = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = True
        try:
            yield
        finally:
            torch.backends.cudnn.benchmark = before


class InferenceMode(Tuning):
    """Inference without version counters and view tracking, which `no_grad` keeps.

    Source: PyTorch, "Autograd mechanics", section "Inference mode".
    """

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:  # noqa: ARG003 - the same on every device
        """The case trains."""
        return "" if case.mode == INFER else f"{case.tuning} is for the mode infer, and this case trains"

    def without_gradients(self) -> AbstractContextManager[Any]:
        """Inference mode."""
        import torch

        return torch.inference_mode()


for _name, _strategy in (
    ("one_thread", Threads),
    ("two_threads", TwoThreads),
    ("four_threads", FourThreads),
    ("eight_threads", EightThreads),
):
    TUNINGS.add(TuningSpec(_name, _strategy, {"compiled": False, "dtype": "float32", "threads": _strategy.threads}))
TUNINGS.add(TuningSpec("flush_denormal", FlushDenormal, {"compiled": False, "dtype": "float32"}))
TUNINGS.add(TuningSpec("cudnn_benchmark", CudnnBenchmark, {"compiled": False, "dtype": "float32"}))
TUNINGS.add(TuningSpec("inference_mode", InferenceMode, {"compiled": False, "dtype": "float32"}))
