"""Operations of torch's operators whose number depends on more than their results.

The conventions are those of `suite.measuring.instruments.operator_costs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import flop_registry

BATCH_NORM_TRAINING = 8
"""Mean: 1; variance: 3; x' = (x - mean) / deviation: 2; scale and shift: 2."""
BATCH_NORM_EVALUATION = 4
"""The last two of these."""

ADAM, SGD, ADAGRAD = 13, 2, 8
"""Operations of a fused optimizer for each parameter, without options: as many as its for-loop takes."""

SOFTMAX_OF_SCORES = 6
"""Of each score in a fused attention: its scale, and a softmax: largest, difference, exponential, sum, quotient."""
SOFTMAX_BACKWARD = 6
"""Scale, difference and exponential anew; difference and product for the gradient, and its scale."""
GELU = {"none": 5, "tanh": 9}
"""x (1 + erf(x / sqrt 2)) / 2, erf as one; or tanh of a x (1 + b x^2), as one, in place of erf."""
GELU_BACKWARD = {"none": 11, "tanh": 18}
"""The distribution: 4; its density: 4; g (distribution + x density): 3. By tanh: its argument 5, tanh 1, both factors
of the product 2, derivatives of these 8, and their sum times g 2."""

Formula = Callable[[tuple[Any, ...], dict[str, Any], Any], int]


def of_convolution_backward(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:
    """As torch counts, but with the true number for the gradient of the weights.

    Each weight's gradient sums a product over every position of the output it takes part in: N x H' x W' of them.
    """
    gradient, _, weights, *_ = arguments
    mask = arguments[10]
    counted = 0
    if mask[0]:
        only = (*arguments[:10], [True, False, False])
        counted += flop_registry[torch.ops.aten.convolution_backward](*only, **named, out_val=result)
    if mask[1]:
        transposed = arguments[7]
        positions = prod(gradient.shape[2:]) if not transposed else prod(arguments[1].shape[2:])
        counted += 2 * weights.numel() * gradient.shape[0] * positions
    if mask[2]:
        counted += gradient.numel()
    return counted


def of_batch_norm(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """Training or evaluation, by the sixth argument."""
    return numel(arguments[0]) * (BATCH_NORM_TRAINING if arguments[5] else BATCH_NORM_EVALUATION)


def of_max_pool(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """A comparison for each further element under the window."""
    return numel(result[0]) * (window(arguments[1]) - 1)


def of_avg_pool(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """A sum over the window and a division."""
    return numel(result) * window(arguments[1])


def of_avg_pool_backward(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """A division, and an addition for each element under the window."""
    return numel(arguments[0]) * (1 + window(arguments[2]))


def of_fused_sgd(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """Product and difference; two more each for momentum, Nesterov's and weight decay."""
    options = sum(bool(named.get(name)) for name in ("momentum", "nesterov", "weight_decay"))
    return numel(arguments[0]) * (SGD + 2 * options)


def of_fused_adam(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """Two averages, a root and a quotient; one more for AMSGrad, two for weight decay."""
    return numel(arguments[0]) * (ADAM + bool(named.get("amsgrad")) + 2 * bool(named.get("weight_decay")))


def of_fused_adamw(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """As Adam, but the weights themselves decay: one operation."""
    return numel(arguments[0]) * (ADAM + bool(named.get("amsgrad")) + bool(named.get("weight_decay")))


def of_fused_adagrad(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """A sum of squares, a root and a quotient; two more for weight decay."""
    return numel(arguments[0]) * (ADAGRAD + 2 * bool(named.get("weight_decay")))


def of_gelu(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """By the error function or by the hyperbolic tangent."""
    return numel(result) * GELU[named.get("approximate", "none")]


def of_gelu_backward(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """By the error function or by the hyperbolic tangent."""
    return numel(result) * GELU_BACKWARD[named.get("approximate", "none")]


def of_attention(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """Two products and a softmax over all scores, those that a causal mask hides too.

    Query (N, heads, L, features), key and value (N, heads, S, features).
    """
    query, key, value = arguments[:3]
    scores = prod(query.shape[:-1]) * key.shape[-2]
    return int(scores * (2 * query.shape[-1] + 2 * value.shape[-1] + SOFTMAX_OF_SCORES))


def of_attention_backward(arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:  # noqa: ARG001
    """Scores anew, four products for the gradients, and the softmax.

    The sum over each row of a gradient times its output: two operations for each of its elements.
    """
    gradient, query, key, value = arguments[:4]
    scores = prod(query.shape[:-1]) * key.shape[-2]
    products = 6 * query.shape[-1] + 4 * value.shape[-1]
    return int(scores * (products + SOFTMAX_BACKWARD) + 2 * gradient.numel())


FORMULAS: dict[str, Formula] = {
    "convolution_backward": of_convolution_backward,
    "native_batch_norm": of_batch_norm,
    "cudnn_batch_norm": of_batch_norm,
    "max_pool2d_with_indices": of_max_pool,
    "avg_pool2d": of_avg_pool,
    "avg_pool2d_backward": of_avg_pool_backward,
    "_fused_sgd": of_fused_sgd,
    "_fused_adam": of_fused_adam,
    "_fused_adamw": of_fused_adamw,
    "_fused_adagrad": of_fused_adagrad,
    "gelu": of_gelu,
    "gelu_backward": of_gelu_backward,
    "_scaled_dot_product_flash_attention_for_cpu": of_attention,
    "_scaled_dot_product_flash_attention_for_cpu_backward": of_attention_backward,
}
"""Operator -> the function that counts its operations, from its arguments and its result."""


def window(size: Any) -> int:
    """Elements under a pooling window."""
    sides = [size] if isinstance(size, int) else list(size)
    return prod(sides * 2 if len(sides) == 1 else sides)


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in arguments or results, in nested lists too."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)


def numel(value: Any) -> int:
    """Elements of all floating-point tensors in a value."""
    return sum(tensor.numel() for tensor in tensors(value) if tensor.is_floating_point())
