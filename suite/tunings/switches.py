"""Settings of torch that change how the same operations are carried out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from suite.records import Case
from suite.registry import TUNINGS, TuningSpec
from suite.tunings.eager import CudaOnly, Eager


class OneThread(Eager):
    """One thread within each operation, whatever the run allows.

    Source: PyTorch, "CPU threading and TorchScript inference", `torch.set_num_threads`.
    """

    @contextmanager
    def setting(self) -> Iterator[None]:
        """One thread."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class FlushDenormal(Eager):
    """Denormal results become zero: numbers below 1.2e-38, many times slower than others on some processors.

    Source: PyTorch, `torch.set_flush_denormal`; Intel, "Intel 64 and IA-32 architectures software developer's manual",
        volume 1, section 10.2.3.3.
    """

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Flush, on this thread and those that it starts."""
        import torch

        before = sys.float_info.min / 2 == 0.0
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(before)


class CudnnBenchmark(CudaOnly):
    """cuDNN tries its algorithms on the first batch of each shape and keeps the fastest.

    Source: PyTorch, "Performance tuning guide", section "Enable cuDNN auto-tuner".
    """

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Let it search."""
        import torch

        before = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = True
        try:
            yield
        finally:
            torch.backends.cudnn.benchmark = before


class InferenceMode(Eager):
    """Inference without version counters and view tracking, which `no_grad` keeps.

    Source: PyTorch, "Autograd mechanics", section "Inference mode".
    """

    @staticmethod
    def refusal(case: Case, device: str) -> str:  # noqa: ARG004 - the same on every device
        """The case trains."""
        return "" if case.mode == "infer" else f"{case.tuning} is for the mode infer, and this case trains"

    def without_gradients(self) -> AbstractContextManager[Any]:
        """Inference mode."""
        import torch

        return torch.inference_mode()


TUNINGS.add(TuningSpec("one_thread", OneThread, {"compiled": False, "dtype": "float32", "threads": 1}))
TUNINGS.add(TuningSpec("flush_denormal", FlushDenormal, {"compiled": False, "dtype": "float32"}))
TUNINGS.add(TuningSpec("cudnn_benchmark", CudnnBenchmark, {"compiled": False, "dtype": "float32"}))
TUNINGS.add(TuningSpec("inference_mode", InferenceMode, {"compiled": False, "dtype": "float32"}))
