"""Whatever a user's level is made of, its record is JSON."""

import enum
import json
import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from suite.records.json_values import LONGEST_TEXT, plain
from suite.registry import OptimizerSpec


class Kind(enum.IntEnum):
    """A number with a name."""

    FAST = 1


class Word(enum.StrEnum):
    """A text with a name."""

    SLOW = "slow"


class Unspeakable:
    """Has no text."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


class Endless:
    """Says that it holds one element for ever."""

    def item(self) -> "Endless":
        return Endless()


def circle() -> list:
    found: list = []
    found.append(found)
    return found


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.complex_numbers(),
    st.floats(width=32).map(np.float32),
    st.integers(-9, 9).map(np.int64),
    st.floats().map(torch.tensor),
    st.lists(st.floats(width=32), max_size=3).map(torch.tensor),
    st.sampled_from([Kind.FAST, Word.SLOW, torch.float16, torch.device("cpu"), torch.optim.SGD, len, lambda: 1]),
    st.sampled_from([Endless(), partial(torch.optim.Adam, fused=True), torch.empty(1, device="meta")]),
    st.sampled_from([torch.nn.Linear(2, 2), torch.zeros(10_000), np.zeros(10_000), circle(), object(), range(9)]),
)
KEYS = st.one_of(st.text(), st.integers(), st.none(), st.tuples(st.integers()), st.sampled_from([Kind.FAST]))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner), st.frozensets(st.integers()), st.dictionaries(KEYS, inner)
    ),
)


@given(VALUES)
def test_any_value_is_one_of_json(value: object) -> None:
    found = plain(value)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_an_optimizer_s_attributes_are_json_whatever_its_keywords_are(kwargs: dict) -> None:
    attributes = OptimizerSpec("mine", partial(torch.optim.SGD), kwargs).attributes
    assert json.loads(json.dumps(attributes, allow_nan=False)) == attributes


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (torch.tensor(0.5), 0.5),
        (torch.tensor([3]), 3),
        (np.float64(0.25), 0.25),
        (Kind.FAST, "Kind.FAST"),
        (torch.bfloat16, "torch.bfloat16"),
        (partial(partial(torch.optim.SGD, lr=1), momentum=0.9), "SGD"),
        (torch.nn.functional.cross_entropy, "cross_entropy"),
        ((0.9, 0.999), [0.9, 0.999]),
        (math.inf, "inf"),
        ({3: {1, 2}}, {"3": [1, 2]}),
        (Unspeakable(), "a Unspeakable"),
    ],
)
def test_a_value_keeps_what_json_can_say_of_it(value: object, found: object) -> None:
    assert plain(value) == found


def test_a_long_text_is_cut() -> None:
    assert len(plain(torch.zeros(10_000))) <= LONGEST_TEXT


def test_a_partial_has_the_name_of_what_it_calls() -> None:
    spec = OptimizerSpec("mine", partial(torch.optim.AdamW, fused=True), {"lr": torch.tensor(0.1, dtype=torch.float64)})
    assert spec.attributes == {"family": "adamw", "implementation": "default", "lr": 0.1}
