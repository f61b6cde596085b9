"""Costs of torch's operators: floating-point operations, bytes read and written.

Everybody counts multiplications and additions alike; the rest is convention, and this is ours:

- An addition, multiplication, division, square root, comparison, sign or exponential counts as 1, a multiplication and
  addition in a product of matrices or a convolution as 2.
- Per-element work counts; work that is done once for a channel, a row or a loss does not.
- Products and convolutions are counted by the formulas of torch.utils.flop_counter. That of the gradient of a grouped
  convolution's weights counts every group's work once for each group; this is corrected here.
- Attention counts the scores that a causal mask hides, as torch.utils.flop_counter does, and the softmax.
- Operators that move, fill or compare for equality count nothing. Unknown operators are counted separately.
- An operator reads each of its tensors once and writes its result once, as if no cache held anything from the operator
  before: the bytes of eager PyTorch without fusion.

Source: torch.utils.flop_counter (formulas of products and convolutions); Ioffe and Szegedy 2015, algorithm 1 and the
    gradients after it (normalisation).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from suite.measuring.instruments.operator_formulas import FORMULAS, numel, tensors

if TYPE_CHECKING:
    from torch import Tensor

PER_RESULT = {
    **dict.fromkeys(("add", "sub", "mul", "div", "neg", "abs", "sqrt", "reciprocal", "pow", "sign"), 1),
    **dict.fromkeys(("maximum", "clamp", "clamp_min", "relu", "threshold_backward"), 1),
    "addcmul": 3,  # two products and a sum
    "addcdiv": 3,
    "lerp": 3,  # a + w (b - a)
    "sigmoid": 4,  # 1 / (1 + exp(-x))
    "sigmoid_backward": 3,  # g (1 - y) y
    "silu": 5,  # x sigmoid(x)
    "silu_backward": 9,  # s = sigmoid(x); g s (1 + x (1 - s))
    "hardsigmoid": 4,  # min(max(x + 3, 0), 6) / 6
    "hardsigmoid_backward": 3,  # two comparisons, g / 6
    "hardswish": 5,  # x hardsigmoid(x)
    "hardswish_backward": 6,  # two comparisons, g (x / 3 + 1 / 2)
    **dict.fromkeys(("_log_softmax", "_softmax", "_safe_softmax"), 5),  # largest, difference, exponential, sum, last
    **dict.fromkeys(("_log_softmax_backward_data", "_softmax_backward_data"), 4),  # sum, exponential, product, last
    **dict.fromkeys(("tanh", "exp", "log", "rsqrt", "sin", "cos"), 1),
    "tanh_backward": 3,  # g (1 - y y)
    **dict.fromkeys(("native_dropout", "native_dropout_backward"), 2),  # by the mask and the scale
    "mse_loss_backward": 3,  # difference, factor, g
    "max_pool2d_with_indices_backward": 1,
    "_adaptive_avg_pool2d_backward": 1,
    "native_layer_norm": 8,  # as the normalisation of a batch
    "native_group_norm": 8,
}
"""Operator -> operations for each element of its (first) result."""

PER_ELEMENT = {
    **dict.fromkeys(("sum", "mean", "max", "_adaptive_avg_pool2d", "lt", "le", "gt", "ge"), 1),
    **dict.fromkeys(("dot", "linalg_vector_norm"), 2),
    "embedding_dense_backward": 1,  # a sum over the places of each token
    "mse_loss": 3,  # difference, square, sum
    "native_batch_norm_backward": 9,  # sums of g and g x': 3, x' anew: 2, the gradient: 4
    "native_layer_norm_backward": 9,
    "native_group_norm_backward": 9,
}
"""Operator -> operations for each element of its first tensor."""

MOVES = set(
    """_to_copy alias arange as_strided bernoulli cat clone copy detach embedding empty empty_like empty_strided eq
    expand fill full full_like gather index index_put index_select lift_fresh _local_scalar_dense masked_fill ne
    new_empty new_empty_strided new_full new_zeros nll_loss_backward nll_loss_forward normal ones ones_like permute
    record_stream repeat scalar_tensor select select_backward slice slice_backward split squeeze stack t transpose
    tril triu unbind unsafe_split _unsafe_view unsqueeze view where zero zeros zeros_like
    _record_function_enter_new _record_function_exit _reshape_alias""".split()  # noqa: SIM905 - as a list, a page long
)
"""Operators without floating-point work, or with work that is done once for a loss."""
UNREAD = (
    "empty",
    "empty_like",
    "empty_strided",
    "new_empty",
    "new_empty_strided",
    "_unsafe_view",
    "detach",
    "lift_fresh",
)
"""Operators, other than views, that neither read nor write their result."""


def base_name(name: str) -> str:
    """An operator's name without foreach and in-place marks: `add` of `_foreach_add_`."""
    name = name.removeprefix("_foreach_")
    return name.removesuffix("_") if name != "_" else name


def scale_of_added(name: str, named: dict[str, Any]) -> int:
    """1 if a sum scales its second term, which is one operation more."""
    return int(name in ("add", "sub") and named.get("alpha", 1) != 1)


class OperatorCosts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operators that run within it, by the phase in `phase` at the time.

    Attributes:
        phase: the phase that runs; set from outside.
        flops, bytes: by phase.
        unknown: names of operators that could not be counted.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.phase = "other"
        self.flops: dict[str, int] = {}
        self.bytes: dict[str, int] = {}
        self.unknown: set[str] = set()

    def clear(self) -> None:
        """Reset all counts."""
        self.flops.clear()
        self.bytes.clear()
        self.unknown.clear()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        packet = func._overloadpacket
        if packet not in flop_registry and base_name(packet.__name__) not in KNOWN:
            with self:
                decomposed = func.decompose(*args, **named)
            if decomposed is not NotImplemented:
                return decomposed
        result = func(*args, **named)
        self.flops[self.phase] = self.flops.get(self.phase, 0) + self._flops(packet, args, named, result)
        self.bytes[self.phase] = self.bytes.get(self.phase, 0) + moved_bytes(func, args, named, result)
        return result

    def _flops(self, packet: Any, arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:
        name = base_name(packet.__name__)
        if name in FORMULAS:
            return FORMULAS[name](arguments, named, result)
        if packet in flop_registry:
            return int(flop_registry[packet](*arguments, **named, out_val=result))
        first = arguments[0] if arguments else ()
        if name in PER_ELEMENT:
            return numel(first) * PER_ELEMENT[name]
        if name in PER_RESULT:
            output = first if result is None else result[0] if is_pair(result) else result
            return numel(output) * (PER_RESULT[name] + scale_of_added(name, named))
        if name not in MOVES:
            self.unknown.add(packet.__name__)
        return 0


KNOWN = {*FORMULAS, *PER_ELEMENT, *PER_RESULT, *MOVES}


def is_pair(result: Any) -> bool:
    """Whether only the first item is the result proper, the others its statistics.

    An operator on lists returns a list, whose items are all proper results.
    """
    return isinstance(result, tuple)


def moved_bytes(func: Any, arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> int:
    """Bytes that an operator reads and writes: none for views."""
    if func.is_view or base_name(func._overloadpacket.__name__) in UNREAD:
        return 0
    read = distinct_bytes([*tensors(arguments), *tensors(list(named.values()))])
    written = distinct_bytes(tensors(result)) if result is not None else distinct_bytes(tensors(arguments[:1]))
    return read + written


def distinct_bytes(values: Iterable[Tensor]) -> int:
    """Bytes of tensors, each counted once; of an expanded tensor, those in memory."""
    return sum(
        {
            (tensor.data_ptr(), tensor.numel()): min(
                tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
            )
            for tensor in values
        }.values()
    )
