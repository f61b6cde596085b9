"""Steps in another order, as a user's plug-in makes them: what they compute, what is seen of them, what is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from suite.measuring.instruments.breakdown import measure as measure_breakdown
from suite.measuring.instruments.roofline import count_work
from suite.measuring.modes import TrainingStep, make_step
from suite.records import Case, WorkerSettings
from suite.runner.launcher import Launcher
from tests.conftest import FAKES

pytestmark = pytest.mark.usefixtures("_own_tasks")
WHOLE = Case("seed_cnn", "sgd_momentum", "cpu", batch_size=16, image_size=8)
ACCUMULATED = Case("seed_cnn", "sgd_momentum", "cpu", task="accumulate", batch_size=16, image_size=8)
PAIRS = Case("two_towers", "adam", "cpu", task="pairs", batch_size=8)
ADVERSARIAL = Case("two_players", "adam", "cpu", task="adversarial", batch_size=8)
LIGHTNING = Case("module", "adam", "cpu", task="lightning", batch_size=8)


def own(structure: str, **changes) -> Case:
    """A case whose structure has a step in another order."""
    return Case(structure, "sgd", **{"execution": "cpu", "batch_size": 4, "image_size": 8, **changes})


def weights_after(case: Case, steps: int) -> list[torch.Tensor]:
    with make_step(case) as step:
        for _ in range(steps):
            step()
        step.check()
        return [weights.detach().clone() for weights in step.network.parameters()]


def test_accumulated_gradients_train_to_the_weights_of_the_whole_batch():
    whole, accumulated = (weights_after(case, 5) for case in (WHOLE, ACCUMULATED))
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(whole, accumulated, strict=True))


def test_a_step_made_of_the_phases_in_their_usual_order_is_the_usual_step():
    usual, made = weights_after(own("mlp_d1w64"), 3), weights_after(own("mlp_d1w64", task="accumulate"), 3)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(usual, made, strict=True))


@pytest.mark.parametrize("case", [PAIRS, ADVERSARIAL, LIGHTNING, ACCUMULATED, own("bare")], ids=lambda case: case.id)
def test_a_user_s_step_trains_and_returns_to_its_first_state(case):
    with make_step(case) as step:
        step()
        step.restore()
        first = state_of(step)
        for _ in range(3):
            step()
        assert not same(state_of(step), first)
        step.restore()
        assert same(state_of(step), first)
        step.check()
        assert math.isfinite(float(step.loss.detach()))


def state_of(step: TrainingStep) -> list[torch.Tensor]:
    """Weights, and the state of every optimizer."""
    states = [state for optimizer in step.optimizers for state in optimizer.state.values()]
    kept = [value for state in states for value in state.values() if isinstance(value, torch.Tensor)]
    return [tensor.detach().clone() for tensor in (*step.network.parameters(), *kept)]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def test_dictionaries_are_given_to_the_network_when_it_infers_too():
    with make_step(Case("two_towers", "adam", "cpu", task="pairs", batch_size=8, mode="infer")) as step:
        step()
        step.check()
        assert step.logits["score"].shape == (8,)


def test_outputs_without_a_number_are_refused_wherever_they_are():
    with make_step(Case("two_towers", "adam", "cpu", task="pairs", batch_size=8, mode="infer")) as step:
        with torch.no_grad():
            step.network.left.weight.fill_(math.nan)
        step()
        with pytest.raises(ArithmeticError, match="not all finite"):
            step.check()


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        (own("lossless"), "the step of lossless returned NoneType; allowed: its loss, a tensor of one value"),
        (own("bypasses", execution="distributed_r1"), "the step of bypasses does not call phases.network, so that "),
        (own("bare", tuning="bf16"), "the step of bare does not call phases.autocast, so that its execution or tuning"),
    ],
)
def test_a_step_that_could_not_be_trusted_fails_at_its_first_call(case, sentence):
    with make_step(case) as step, pytest.raises((TypeError, RuntimeError), match=sentence):
        step()


def test_a_step_that_calls_the_network_itself_may_do_so_without_a_wrapper():
    assert len(weights_after(own("bypasses"), 1)) == 2


def test_a_tuning_of_precision_reaches_the_phases_of_a_step_in_another_order():
    with make_step(replace(ACCUMULATED, tuning="bf16")) as step:
        step()
        assert step.forward(next(step.batches)[0]).dtype == torch.float32
        with step.autocast():
            assert step.forward(next(step.batches)[0]).dtype == torch.bfloat16


def phases_of(case: Case) -> dict[str, float]:
    return {one.metric.name: min(one.values) for one in measure_breakdown(case)}


@pytest.mark.slow
def test_phases_that_a_step_calls_are_timed_and_those_that_it_does_not_call_are_left_out():
    called, bare = phases_of(ACCUMULATED), phases_of(own("bare"))
    assert {"part_zero_grad", "part_forward", "part_loss", "part_backward", "part_update"} <= set(called)
    assert all(value > 0 for name, value in called.items() if name not in ("part_data_wait",))
    assert set(bare) == {"part_data_wait", "watched_step_time", "bare_step_time"}


def operations_of(case: Case) -> dict[str, float]:
    return {one.metric.name: one.values[0] for one in count_work(case)}


def test_operations_are_those_of_the_whole_batch_wherever_they_are_called():
    whole, accumulated = operations_of(WHOLE), operations_of(ACCUMULATED)
    assert accumulated["flops_forward"] == whole["flops_forward"]
    assert accumulated["flops_other"] == 4, "each part's loss is divided"
    bare = operations_of(own("bare"))
    assert bare["flops_forward"] == bare["flops_backward"] == 0
    assert bare["flops_other"] > 0
    assert bare["unknown_operators"] == 0


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAKES))
        with Launcher(WorkerSettings(threads=1), ("my_tasks",)) as running:
            yield running


@pytest.mark.slow
def test_the_state_of_two_optimizers_is_counted_with_the_memory_of_the_step(launcher):
    taken = {one.metric.name: one.values[0] for one in launcher.run_instrument(ADVERSARIAL, "memory")}
    parameters = 4 * (2 * 4 + 4 + 4 + 1)
    assert taken["parameter_bytes"] == parameters
    assert taken["optimizer_state_bytes"] == 2 * parameters + 4 * 4  # and the number of steps of each of four tensors
    assert taken["host_reads"] == 0


def test_an_input_of_a_user_s_task_feeds_every_instrument():
    case = Case("two_towers", "adam", "cpu", input="stream", task="streamed", batch_size=8)
    weights_after(case, 2)
    assert operations_of(case)["flops_backward"] > 0
    assert phases_of(case)["part_copy"] > 0
