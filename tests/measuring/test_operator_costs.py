"""Operations counted, against operations worked out by hand. 2 for each product in a sum; x' means normalised."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from suite.measuring.instruments.operator_costs import OperatorCosts

BATCH, SIDE = 4, 8
PIXELS = SIDE * SIDE


def counted(layer: nn.Module, *shape: int) -> tuple[int, int, OperatorCosts]:
    """Operations of forward and backward of a layer, to all its inputs and weights."""
    inputs = torch.randn(*shape, requires_grad=True)
    work = OperatorCosts()
    with work:
        work.phase = "forward"
        result = layer(inputs)
        work.phase = "backward"
        result.backward(torch.ones_like(result))
    assert work.unknown == set()
    return work.flops.get("forward", 0), work.flops.get("backward", 0), work


def test_a_convolution():
    """Each of N x 16 x 8 x 8 results is a sum of 3 x 3 x 3 products. Backward: the same for the images and for the
    weights.
    """
    forward, backward, _ = counted(nn.Conv2d(3, 16, 3, padding=1, bias=False), BATCH, 3, SIDE, SIDE)
    assert forward == 2 * BATCH * 16 * PIXELS * 27
    assert backward == 2 * forward


def test_the_gradient_of_a_bias_is_a_sum_over_images_and_pixels():
    _, without, _ = counted(nn.Conv2d(3, 16, 3, padding=1, bias=False), BATCH, 3, SIDE, SIDE)
    _, backward, _ = counted(nn.Conv2d(3, 16, 3, padding=1), BATCH, 3, SIDE, SIDE)
    assert backward - without == BATCH * 16 * PIXELS


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_a_grouped_convolution_takes_a_part_of_it_in_every_gradient(groups):
    """Torch 2.14.1's own counter takes the gradient of the weights `groups` times."""
    forward, backward, _ = counted(nn.Conv2d(8, 16, 3, padding=1, groups=groups, bias=False), BATCH, 8, SIDE, SIDE)
    assert forward == 2 * BATCH * 16 * PIXELS * 9 * 8 // groups
    assert backward == 2 * forward


def test_a_depthwise_convolution_is_nine_products_a_result():
    forward, backward, _ = counted(nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), BATCH, 8, SIDE, SIDE)
    assert forward == 2 * BATCH * 8 * PIXELS * 9
    assert backward == 2 * forward


def test_a_depthwise_convolution_with_stride():
    forward, backward, _ = counted(nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False), BATCH, 8, SIDE, SIDE)
    assert forward == 2 * BATCH * 8 * (PIXELS // 4) * 9
    assert backward == 2 * forward


def test_a_transposed_convolution():
    """Each of N x 3 x 8 x 8 inputs takes part in 16 x 2 x 2 products."""
    forward, backward, _ = counted(nn.ConvTranspose2d(3, 16, 2, stride=2, bias=False), BATCH, 3, SIDE, SIDE)
    assert forward == 2 * BATCH * 3 * PIXELS * 16 * 4
    assert backward == 2 * forward


@settings(deadline=None, max_examples=40)
@given(
    images=st.integers(1, 3),
    per_group=st.integers(1, 3),
    results_per_group=st.integers(1, 3),
    groups=st.integers(1, 4),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
)
def test_any_convolution_is_its_results_times_its_window(images, per_group, results_per_group, groups, kernel, stride):
    channels, results = per_group * groups, results_per_group * groups
    layer = nn.Conv2d(channels, results, kernel, stride=stride, groups=groups, bias=False)
    forward, backward, _ = counted(layer, images, channels, SIDE, SIDE)
    side = (SIDE - kernel) // stride + 1
    assert forward == 2 * images * results * side * side * per_group * kernel * kernel
    assert backward == 2 * forward


def test_a_linear_layer():
    """Gradient of the bias: a sum over the batch."""
    forward, backward, _ = counted(nn.Linear(32, 10), BATCH, 32)
    assert forward == 2 * BATCH * 32 * 10
    assert backward == 2 * forward + BATCH * 10


def test_batch_norm_in_training():
    """Mean 1, variance 3, x' 2, scale and shift 2; backward: sums of g and of g x' 3, x' anew 2, the gradient 4."""
    forward, backward, _ = counted(nn.BatchNorm2d(16), BATCH, 16, SIDE, SIDE)
    assert forward == 8 * BATCH * 16 * PIXELS
    assert backward == 9 * BATCH * 16 * PIXELS


def test_batch_norm_in_evaluation_takes_no_statistics():
    forward, _, _ = counted(nn.BatchNorm2d(16).eval(), BATCH, 16, SIDE, SIDE)
    assert forward == 4 * BATCH * 16 * PIXELS


def test_pooling_compares_all_but_one_under_the_window():
    forward, backward, _ = counted(nn.MaxPool2d(2), BATCH, 16, SIDE, SIDE)
    assert forward == 3 * BATCH * 16 * PIXELS // 4
    assert backward == BATCH * 16 * PIXELS  # a sum for each element of the inputs' gradient


def test_an_activation_is_one_operation_each_way():
    forward, backward, _ = counted(nn.ReLU(), BATCH, 16, SIDE, SIDE)
    assert forward == backward == BATCH * 16 * PIXELS


@pytest.mark.parametrize("features", [8, 16])
def test_attention_is_two_products_and_a_softmax_and_backward_five_products(features):
    """Scores: 4 x 2 x 6 x 6, also those that the mask hides; 2 for each product in a sum; a scale and a softmax: 6."""
    from torch.utils.flop_counter import sdpa_backward_flop_count, sdpa_flop_count

    shape, scores = (BATCH, 2, 6, features), BATCH * 2 * 6 * 6
    query, key, value = (torch.randn(shape, requires_grad=True) for _ in range(3))
    work = OperatorCosts()
    with work:
        work.phase = "forward"
        result = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        work.phase = "backward"
        result.backward(torch.ones_like(result))
    assert work.unknown == set()
    assert work.flops["forward"] == sdpa_flop_count(shape, shape, shape) + 6 * scores
    expected = sdpa_backward_flop_count(shape, shape, shape, shape) + 6 * scores + 2 * BATCH * 2 * 6 * features
    assert work.flops["backward"] == expected


@pytest.mark.parametrize(("approximate", "each"), [("none", (5, 11)), ("tanh", (9, 18))])
def test_gelu_is_counted_by_its_function(approximate, each):
    forward, backward, _ = counted(nn.GELU(approximate=approximate), BATCH, 10)
    assert (forward, backward) == tuple(count * BATCH * 10 for count in each)


def test_an_embedding_moves_and_its_gradient_is_a_sum_over_the_places_of_each_token():
    layer, tokens, work = nn.Embedding(9, 5), torch.zeros(BATCH, 7, dtype=torch.int64), OperatorCosts()
    with work:
        work.phase = "forward"
        result = layer(tokens)
        work.phase = "backward"
        result.backward(torch.ones_like(result))
    assert work.unknown == set()
    assert work.flops == {"forward": 0, "backward": BATCH * 7 * 5}


def test_views_move_no_bytes_and_operators_read_and_write_each_tensor_once():
    work = OperatorCosts()
    left, right = torch.ones(100), torch.ones(100)
    with work:
        left.view(10, 10).t()
    assert sum(work.bytes.values()) == 0
    with work:
        left + right
    assert sum(work.bytes.values()) == 3 * 400
    work.clear()
    with work:
        left.add_(right)
    assert sum(work.bytes.values()) == 3 * 400


def test_an_unknown_operator_is_reported():
    work = OperatorCosts()
    with work:
        torch.fft.fft(torch.ones(8))
    assert work.unknown == {"_fft_r2c"}
