"""Precision of float32 on CUDA devices, by torch's flags. No torch at import.

torch has two sets of flags. By default convolutions compute in TensorFloat-32 and products do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

IEEE = "ieee"
"""24 bits of significand, as on the host."""
TF32 = "tf32"
"""TensorFloat-32: operands have 11 bits of significand, sums have 24."""


def precisions() -> tuple[str, str]:
    """Precision of products, and of convolutions: `IEEE` or `TF32`.

    Source: PyTorch, "CUDA semantics", section "TensorFloat-32 (TF32) on Ampere (and later) devices".
    """
    products, convolutions = (TF32 if flag.fp32_precision == TF32 else IEEE for flag in new_flags())
    return products, convolutions


@contextmanager
def computing_in(products: str, convolutions: str) -> Iterator[None]:
    """Set both precisions, `IEEE` or `TF32`; restore the flags when the context ends.

    Reading an old flag raises where a new one was set to what the old ones cannot express. There, only new ones are
    set. Elsewhere only old ones are, which set the new ones too.
    """
    import torch

    old = old_flags()
    if old is None:
        with set_new_flags(products, convolutions):
            yield
        return
    of_products, of_convolutions, precision = old
    torch.backends.cuda.matmul.allow_tf32 = products == TF32
    torch.backends.cudnn.allow_tf32 = convolutions == TF32
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = of_products
        torch.backends.cudnn.allow_tf32 = of_convolutions
        if precision == "medium":  # the flag of products says no more than that they are not in IEEE
            torch.set_float32_matmul_precision(precision)


def old_flags() -> tuple[bool, bool, str] | None:
    """The old flags of products and convolutions, and the word for products.

    None if new flags disagree with them.
    """
    import torch

    try:
        of_products, of_convolutions = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        return of_products, of_convolutions, torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


def new_flags() -> tuple[Any, Any]:
    """The owners of the new flag `fp32_precision` of products and convolutions."""
    import torch

    return torch.backends.cuda.matmul, torch.backends.cudnn.conv  # type: ignore[attr-defined]  # made at import


@contextmanager
def set_new_flags(products: str, convolutions: str) -> Iterator[None]:
    """Set the new flags; restore them when the context ends."""
    flags = new_flags()
    before = [flag.fp32_precision for flag in flags]
    try:
        for flag, precision in zip(flags, (products, convolutions), strict=True):
            flag.fp32_precision = precision
        yield
    finally:
        for flag, precision in zip(flags, before, strict=True):
            flag.fp32_precision = precision
