"""A snapshot of a training remembers all that a step changes, wherever it is kept."""

from __future__ import annotations

import random
from typing import Any

import torch
from numpy import random as numpy_random
from torch import Tensor, nn

from suite.contracts.tuning import Tuning
from suite.measuring.modes import make_step
from suite.measuring.snapshot import snapshot
from suite.records import Case
from suite.registry import load_levels

load_levels()


def drawn() -> list[float]:
    """A number from each source that a network may draw from."""
    return [random.random(), float(numpy_random.random()), float(torch.rand(1))]


def test_restoring_brings_the_random_states_of_torch_python_and_numpy_back() -> None:
    restore = snapshot(nn.Linear(2, 2), [], Tuning("cpu"))
    first = drawn()
    assert drawn() != first
    restore()
    assert drawn() == first


def test_a_step_starts_from_its_seed_wherever_its_network_draws_from() -> None:
    found = []
    for seed in (0, 0, 1):
        random.seed()
        numpy_random.seed()
        with make_step(Case("mlp_d1w64", "sgd", "cpu", batch_size=2, image_size=8, seed=seed)):
            found.append(drawn())
    assert found[0] == found[1]
    assert all(one != other for one, other in zip(found[1], found[2], strict=True))


class Average(nn.Module):
    """Puts a new tensor in the place of its buffer in each forward."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, inputs: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * inputs.mean(0)
        return inputs - self.mean


def test_a_buffer_is_restored_though_another_tensor_has_taken_its_place() -> None:
    network = Average()
    network(torch.ones(4, 2))
    held = network.mean.clone()
    restore = snapshot(network, [], Tuning("cpu"))
    network(torch.ones(4, 2))
    assert not torch.equal(network.mean, held)
    restore()
    assert torch.equal(network.mean, held)


def test_weights_outside_of_the_network_are_restored_with_their_optimizer() -> None:
    network, other = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizers: list[Any] = [torch.optim.SGD(one.parameters(), lr=0.1) for one in (network, other)]
    held = [weights.detach().clone() for weights in other.parameters()]
    restore = snapshot(network, optimizers, Tuning("cpu"))
    other(torch.ones(3, 2)).sum().backward()
    optimizers[1].step()
    assert not torch.equal(other.weight, held[0])
    restore()
    assert all(map(torch.equal, other.parameters(), held))


class Counting(torch.optim.SGD):
    """Counts its steps in its group, and grows its rate, as optimizers without a schedule do."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            group["k"] = group.get("k", 0) + 1
            group["lr"] *= 2.0
        super().step(closure)


def test_settings_and_counters_in_an_optimizer_s_group_are_restored() -> None:
    network = nn.Linear(2, 2)
    optimizer = Counting(network.parameters(), lr=0.125)
    optimizer.step()
    restore = snapshot(network, [optimizer], Tuning("cpu"))
    optimizer.step()
    restore()
    (group,) = optimizer.param_groups
    assert (group["k"], group["lr"]) == (1, 0.25)
    assert all(map(lambda one, other: one is other, group["params"], network.parameters()))
