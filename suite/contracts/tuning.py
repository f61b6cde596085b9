"""Tuning: a way of running the same step, by torch's settings or in another form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from suite.contracts import float32
from suite.contracts.probes import Probe
from suite.records import Case, Series

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

BatchFunction = Callable[[Any, Any], None]
"""The work of a step on inputs and targets, such as images (N, 3, H, W) and labels (N,)."""
NO_CONTEXT: AbstractContextManager[None] = nullcontext()
"""The same for all steps: making one takes as long as a small operator's launch."""


class TunedStep(Protocol):
    """A finished step, as a tuning may run it before the first round."""

    def __call__(self) -> None:
        """Run one step."""


class Tuning:
    """The step without any setting of torch: the working default.

    A tuning derives from this class and overrides what differs. It restores every global that it sets.

    Args:
        device: `cpu` or `cuda`, where the step runs.
    """

    agrees_within = 1e-4
    """Largest relative difference of a loss from the untuned step's over the first steps: sums in another order."""
    frees_gradients = True
    """Whether gradients are freed between steps (`zero_grad(set_to_none=True)`), torch's default, or overwritten."""

    def __init__(self, device: str) -> None:
        self.device = device

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:  # noqa: ARG003 - tunings that refuse read both
        """Reason why `case` cannot run so on `cpu` or `cuda`; empty if it can. No torch."""
        return ""

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Set torch's globals; restore them when the context ends."""
        yield

    def memory_format(self) -> torch.memory_format:
        """The order of dimensions in memory of images and weights."""
        import torch

        return torch.contiguous_format

    def prepare(self, network: nn.Module) -> nn.Module:
        """Change the network after it was placed on its device."""
        return network

    def ready(self, step: TunedStep) -> tuple[Series, ...]:  # noqa: ARG002 - tunings that prepare a step run it
        """Prepare the step for its first round; return metrics with one value a visit."""
        return ()

    def drive(self, run: BatchFunction, inputs: Any, targets: Any) -> None:
        """Run a step on its batch."""
        run(inputs, targets)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context around forward and loss."""
        return NO_CONTEXT

    def without_gradients(self) -> AbstractContextManager[Any]:
        """The context around forward when inferring."""
        import torch

        return torch.no_grad()

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients of a loss ()."""
        loss.backward()  # type: ignore[no-untyped-call]

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the optimizer's step."""
        optimizer.step()

    def snapshot(self) -> Callable[[], None]:
        """Remember the tuning's own state; calling the result restores it."""
        return lambda: None

    def probes(self) -> tuple[Probe, ...]:
        """Probes of every round that this tuning adds."""
        return ()

    def attributes(self) -> dict[str, Any]:
        """Attributes known only after the step is made.

        On CUDA devices: the precision of products and convolutions of float32.
        """
        if self.device != "cuda":
            return {}
        products, convolutions = float32.precisions()
        return {"float32_products": products, "float32_convolutions": convolutions}


class CudaOnly(Tuning):
    """A tuning that has an effect on CUDA devices alone."""

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:
        """The execution is not on a CUDA device."""
        return "" if device == "cuda" else f"{case.tuning} is for CUDA devices, and {case.execution} runs on {device}"
