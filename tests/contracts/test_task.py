"""Tasks: nested batches, the calls of a network, and what a class of a user may override."""

from __future__ import annotations

from collections import UserDict, namedtuple
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from suite.contracts.batches import each_tensor, joined, tensors_of
from suite.contracts.placement import Placement
from suite.contracts.task import Task
from suite.levels.tasks.classify import Classify
from suite.measuring.modes import make_step
from suite.records import Case
from suite.registry import TASKS, TaskSpec, load_levels

load_levels()
CASE = Case("mlp_d1w64", "sgd", "cpu", batch_size=4, image_size=8)
Point = namedtuple("Point", "x y")
ONE, TWO = torch.ones(4, 2), torch.zeros(4, dtype=torch.int64)
NESTED = {"a": ONE, "b": [TWO, (ONE, None)], "c": Point(TWO, 3)}


def test_each_tensor_of_a_nested_batch_is_changed_and_all_else_stays():
    changed = each_tensor(lambda tensor: tensor[1::2], NESTED)
    assert [len(one) for one in tensors_of(changed)] == [2] * 4
    assert changed["b"][1][1] is None
    assert isinstance(changed["c"], Point)
    assert changed["c"].y == 3


def test_an_object_that_moves_itself_to_a_device_is_asked_to():
    calls = []
    batch = SimpleNamespace(to=lambda device, non_blocking: calls.append((device.type, non_blocking)) or "moved")
    placement = Placement(torch.device("cpu"), torch.contiguous_format)
    assert placement.put(batch, {"labels": TWO}) == ("moved", {"labels": TWO})
    assert calls == [("cpu", False)]


def test_only_images_take_the_order_of_dimensions_in_memory():
    placement = Placement(torch.device("cpu"), torch.channels_last)
    inputs, targets = placement.put({"images": torch.ones(2, 3, 4, 4), "tokens": torch.ones(2, 6)[:, ::2]}, None)
    assert inputs["images"].is_contiguous(memory_format=torch.channels_last)
    assert inputs["tokens"].is_contiguous()
    assert targets is None


def test_parts_of_nested_outputs_are_joined_in_their_places():
    whole = joined([NESTED, NESTED], torch.cat)
    assert [len(one) for one in tensors_of(whole)] == [8] * 4
    assert whole["c"].y == 3


@pytest.mark.parametrize(
    ("inputs", "seen"),
    [
        ({"a": 1, "b": 2}, ((), {"a": 1, "b": 2})),
        (UserDict(a=1), ((), {"a": 1})),
        ((1, 2), ((1, 2), {})),
        (1, ((1,), {})),
    ],
    ids=["dictionary", "mapping", "tuple", "value"],
)
def test_inputs_are_given_to_the_network_by_name_or_by_place(inputs, seen):
    assert Task(CASE).forward(lambda *given, **named: (given, named), inputs) == seen


class Doubled(Classify):
    """Images twice as bright, and a loss twice as large. Source: none."""

    def forward(self, network, inputs):
        return super().forward(network, 2 * inputs)

    def loss(self, outputs, targets):
        return 2 * super().loss(outputs, targets)


@pytest.fixture
def _doubled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TASKS, "_levels", dict(TASKS._levels))
    TASKS.add(TaskSpec("doubled", Doubled, like="classify"))


@pytest.mark.usefixtures("_doubled")
def test_a_task_that_derives_from_another_has_its_own_forward_and_loss():
    with make_step(Case("mlp_d1w64", "sgd", "cpu", task="doubled", batch_size=4, image_size=8)) as step:
        step()
        images, labels = next(step.batches)
        with torch.no_grad():
            expected = 2 * nn.functional.cross_entropy(step.network(2 * images), labels)
            assert float(step._loss(step.forward(images), labels)) == pytest.approx(float(expected))


def test_a_task_without_batches_or_a_loss_does_not_pretend_to_have_some():
    task = Task(CASE)
    for missing in (lambda: task.batch(torch.Generator()), lambda: task.loss(None, None), task.learning_set):
        with pytest.raises(NotImplementedError):
            missing()
    assert not Task.makes_batches()
    assert not Task.has_own_order()
    assert Classify.makes_batches()


@pytest.mark.parametrize(("of", "fits"), [("mine", True), ("theirs", True), (None, True), ("classify", False)])
def test_a_task_takes_its_own_levels_those_of_the_task_that_it_is_like_and_those_for_every_task(of, fits):
    assert TaskSpec("mine", Task, like="theirs").takes(of) is fits
