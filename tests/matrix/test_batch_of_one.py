"""A batch of one image is refused exactly where batch normalisation would refuse it."""

import pytest
import torch

from suite.matrix.refusals import refusal
from suite.records import Case
from suite.registry import STRUCTURES, load_levels
from tests.fakes.networks import takes_images

load_levels()
IN_LIST = [
    pytest.param(name, marks=[pytest.mark.nightly] * (STRUCTURES[name].attributes.get("family") == "torchvision"))
    for name in STRUCTURES
    if takes_images(name)
]


def trains(name: str, size: int) -> bool:
    """Whether the structure takes one image of that size when it trains."""
    network = STRUCTURES[name].build(10, size).train()
    try:
        network(torch.rand(1, 3, size, size))
    except ValueError as error:
        assert "more than 1 value per channel" in str(error)  # noqa: PT017 - anything else is a fault
        return False
    return True


@pytest.mark.parametrize("name", IN_LIST)
def test_one_image_trains_from_the_size_on_that_the_structure_names(name):
    spec = STRUCTURES[name]
    smallest = max(spec.min_image_size, spec.min_image_size_alone)
    assert trains(name, smallest)
    if smallest > spec.min_image_size:
        assert not trains(name, smallest - 1)


def test_a_batch_of_one_is_refused_where_the_last_maps_have_one_pixel():
    alone = Case("resnet18", "sgd", "cpu", batch_size=1, image_size=32)
    assert refusal(alone) == "resnet18 needs 2 images a rank, or images of 33 pixels a side, for its last batch norms"
    for fine in (
        Case("resnet18", "sgd", "cpu", batch_size=2, image_size=32),
        Case("resnet18", "sgd", "cpu", batch_size=1, image_size=33),
        Case("resnet18", "sgd", "cpu", batch_size=1, image_size=32, mode="infer"),
        Case("seed_cnn", "sgd", "cpu", batch_size=1),
    ):
        assert refusal(fine) == ""
