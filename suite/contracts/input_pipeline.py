"""InputPipeline: yields the batches that the steps train on."""

from __future__ import annotations

from collections.abc import Iterator

from suite.contracts.batches import Batch
from suite.contracts.placement import Placement
from suite.records import Case


class InputPipeline:
    """A pipeline without worker processes, so that it has nothing to pause or close.

    An input derives from this class, makes batches, and overrides what else differs. The same seed gives the same
    batches.
    """

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:  # noqa: ARG003 - pipelines that refuse read both
        """Reason why it cannot feed `case` on `cpu` or `cuda`; empty if it can. No torch."""
        return ""

    def batches(self, case: Case, placement: Placement) -> Iterator[Batch]:
        """Endless inputs and targets, such as images (n, 3, H, W) and labels (n,).

        Args:
            case: gives batch size N, image size and seed.
            placement: device, memory format, and this rank's share of each batch.
        """
        raise NotImplementedError

    def pause(self) -> None:
        """Stop every process that feeds the batches: no step runs until `go_on`."""

    def go_on(self) -> None:
        """Continue every process that `pause` stopped."""

    def close(self) -> None:
        """End every process that feeds the batches; harmless if there is none."""
