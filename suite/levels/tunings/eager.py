"""The step as PyTorch runs it by itself: the working default that other tunings override where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from suite.contracts.probes import Probe
from suite.records import Case, Series
from suite.registry import TUNINGS, TuningSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

BatchFunction = Callable[["Tensor", "Tensor"], None]
"""What a step does with images (N, 3, H, W) and labels (N,)."""


class TunedStep(Protocol):
    """What a tuning may do with a step that has been made."""

    def __call__(self) -> None:
        """Run one step."""


class Eager:
    """PyTorch's defaults. Every other tuning derives from this and overrides what differs.

    Args:
        device: `cpu` or `cuda`, where the step runs.

    Source: PyTorch without any setting.
    """

    agrees_within = 1e-4
    """Largest relative difference of a loss from the untuned step's over the first steps: sums in another order."""
    frees_gradients = True
    """Whether gradients are freed between steps (`zero_grad(set_to_none=True)`), torch's default, or overwritten."""

    def __init__(self, device: str) -> None:
        self.device = device

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:  # noqa: ARG003 - tunings that refuse look at them
        """Why `case` cannot be run in this way on a kind of device (`cpu`, `cuda`); empty where it can. No torch."""
        return ""

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Set torch's globals; they are as they were found when the context ends."""
        yield

    def memory_format(self) -> torch.memory_format:
        """The order of dimensions in memory of images and weights."""
        import torch

        return torch.contiguous_format

    def prepare(self, network: nn.Module) -> nn.Module:
        """The network, once it lies where it will run."""
        return network

    def ready(self, step: TunedStep) -> tuple[Series, ...]:  # noqa: ARG002 - tunings that prepare a step run it
        """Do what comes before the first round; metrics with one value for the visit."""
        return ()

    def drive(self, run: BatchFunction, images: Tensor, labels: Tensor) -> None:
        """Run a step on its batch."""
        run(images, labels)

    def autocast(self) -> AbstractContextManager[Any]:
        """Around forward and loss."""
        return nullcontext()

    def without_gradients(self) -> AbstractContextManager[Any]:
        """Around forward when inferring."""
        import torch

        return torch.no_grad()

    def backward(self, loss: Tensor) -> None:
        """Gradients of a loss ()."""
        loss.backward()  # type: ignore[no-untyped-call]

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """The optimizer's step."""
        optimizer.step()

    def snapshot(self) -> Callable[[], None]:
        """Remember what the tuning learns while it trains; calling the result puts it back."""
        return lambda: None

    def probes(self) -> tuple[Probe, ...]:
        """What is read around a round for this tuning alone."""
        return ()

    def found(self) -> dict[str, Any]:
        """What is known only once the step is made."""
        return {}


class CudaOnly(Eager):
    """A tuning that means something on CUDA devices alone. Source: none."""

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:
        """The execution is not on a CUDA device."""
        return "" if device == "cuda" else f"{case.tuning} is for CUDA devices, and {case.execution} runs on {device}"


TUNINGS.add(TuningSpec("eager", Eager, {"compiled": False, "dtype": "float32"}))
