"""Fewer bits: mixed precision, and coarser products of float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from suite.contracts.float32 import IEEE, TF32, computing_in
from suite.contracts.probes import Probe
from suite.contracts.tuning import CudaOnly, Tuning
from suite.records import INFER, Case, Metric
from suite.registry import OPTIMIZERS, TUNINGS, TuningSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SKIPPED_STEPS = Metric(
    "skipped_steps",
    "count",
    "lower",
    "Optimizer steps left out because a gradient overflowed, for each training step: a skipped step is not a fast one.",
)


class Bf16(Tuning):
    """Forward and loss in bfloat16; weights, gradients and optimizer stay float32.

    Source: PyTorch, "Automatic mixed precision package"; Kalamkar et al. 2019, "A study of BFLOAT16 for deep learning
        training" (no scaling of the loss is needed).
    """

    agrees_within = 0.02  # bfloat16 keeps 8 bits of mantissa

    def autocast(self) -> AbstractContextManager[Any]:
        """Autocast to bfloat16."""
        import torch

        return torch.autocast(self.device, torch.bfloat16)


class Fp16(CudaOnly):
    """Forward and loss in float16, with a scaled loss.

    Steps whose gradients overflow are skipped, and each lowers the scale once. Skipped steps are counted, since a
    skipped step is not a fast step.

    Source: Micikevicius et al. 2018, "Mixed precision training"; PyTorch, "Automatic mixed precision package".
    """

    agrees_within = 0.005  # float16 keeps 11 bits of mantissa

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:
        """No CUDA device, or an optimizer that would use scaled gradients as they come."""
        evaluates = case.mode != INFER and OPTIMIZERS[case.optimizer].closure
        return super().refusal(case, device) or (
            f"{case.optimizer} evaluates loss and gradients itself, and would use those that {case.tuning} scales"
            if evaluates
            else ""
        )

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.skipped = 0
        self._scale = 0.0

    @cached_property
    def scaler(self) -> torch.amp.GradScaler:
        """Scales the loss and checks the gradients.

        Making it asks the driver for its devices, after which ranks can no longer be forked. So the first use makes it.
        """
        import torch

        return torch.amp.GradScaler(self.device)

    def autocast(self) -> AbstractContextManager[Any]:
        """Autocast to float16."""
        import torch

        return torch.autocast(self.device, torch.float16)

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients of the scaled loss."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the optimizer's step, unless a gradient is infinite or NaN."""
        self.scaler.step(optimizer)
        self.scaler.update()

    def snapshot(self) -> Callable[[], None]:
        """Remember the scale."""
        state = self.scaler.state_dict()

        def restore() -> None:
            self.scaler.load_state_dict(state)
            self._scale = self.scaler.get_scale()

        return restore

    def probes(self) -> tuple[Probe, ...]:
        """Steps skipped so far."""
        return (Probe(SKIPPED_STEPS, self._count_skipped),)

    def _count_skipped(self) -> float:
        """Skipped steps so far, counted by the decreases of the scale.

        Read outside the rounds, since reading waits for the device. A round in which the scale also grew shows fewer.
        """
        scale, before = self.scaler.get_scale(), self._scale
        while self._scale and scale < before:
            self.skipped += 1
            before *= self.scaler.get_backoff_factor()
        self._scale = scale
        return self.skipped


class Tf32(CudaOnly):
    """Products and convolutions of float32 in TensorFloat-32.

    It has 10 bits of mantissa instead of 23. `eager` leaves torch's defaults: convolutions compute in it, too, and
    products do not.

    Source: PyTorch, "CUDA semantics", section "TensorFloat-32 (TF32) on Ampere (and later) devices".
    """

    agrees_within = 0.005  # 11 bits of mantissa in products

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Allow TF32 in products and convolutions."""
        with computing_in(TF32, TF32):
            yield


class IeeeFloat32(CudaOnly):
    """Products and convolutions of float32 in float32, as on the host.

    `eager` leaves torch's defaults, by which convolutions compute in TensorFloat-32.

    Source: as `Tf32`.
    """

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Forbid TF32 in products and convolutions."""
        with computing_in(IEEE, IEEE):
            yield


TUNINGS.add(TuningSpec("bf16", Bf16, {"compiled": False, "dtype": "bfloat16"}))
TUNINGS.add(TuningSpec("fp16", Fp16, {"compiled": False, "dtype": "float16"}))
TUNINGS.add(TuningSpec("tf32", Tf32, {"compiled": False, "dtype": "tf32"}))
TUNINGS.add(TuningSpec("ieee_float32", IeeeFloat32, {"compiled": False, "dtype": "ieee_float32"}))
