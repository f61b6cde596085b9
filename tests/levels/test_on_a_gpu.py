"""Levels on a real CUDA device: tunings, inputs, optimizers and learning, each against the plain step there or here."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import pytest
import torch

from suite.levels.tunings.graphs import CudaGraph
from suite.machine.cuda import cuda_devices
from suite.matrix.refusals import refusal
from suite.measuring.modes import attributes_of, make_step
from suite.records import INFER, LEARN, Case
from suite.registry import OPTIMIZERS, TUNINGS, load_levels
from tests.fakes.fresh import in_fresh_process

load_levels()

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda_devices(), reason="no CUDA device")]

STEPS = 3
AGREES_WITHIN = 1e-3
"""Relative difference of losses between a device and the host: convolutions in TF32, sums in another order."""
IEEE_AGREES_WITHIN = 1e-4
TIMEOUT_S = 180.0
GRAPHED = [name for name in TUNINGS if TUNINGS[name].attributes.get("graph")]
COMPILED = [name for name in TUNINGS if TUNINGS[name].attributes["compiled"]]
ON_DEVICES = ["fp16", "tf32", "ieee_float32", "cudnn_benchmark", "bf16", "channels_last", *GRAPHED]


def case_of(execution: str = "cuda", **others: Any) -> Case:
    levels = {"structure": "seed_cnn", "optimizer": "sgd_momentum", "batch_size": 16, "image_size": 28}
    return Case(**{**levels, "execution": execution, **others})


def losses(case: Case, steps: int = STEPS) -> list[float]:
    """Losses of some steps on one batch."""
    assert not refusal(case), refusal(case)
    found = []
    with make_step(case) as step:
        step.batches = repeat(next(step.batches))
        for _ in range(steps):
            step()
            found.append(float(step.loss.detach()))
        step.check()
        attributes_of(case, step)
    return found


def losses_in_a_fresh_process(case: Case, steps: int = STEPS) -> list[float]:
    found: list[float] = in_fresh_process(losses, case, steps, timeout_s=TIMEOUT_S)
    return found


@pytest.mark.parametrize("tuning", ON_DEVICES)
def test_a_tuning_agrees_with_the_eager_step_of_the_device(tuning):
    """A graph trains on its first batch while it is warmed up, and its first replay is the step after that."""
    ahead = CudaGraph.WARMUP_STEPS if tuning in GRAPHED else 0
    tuned = losses_in_a_fresh_process(case_of(tuning=tuning))
    plain = losses_in_a_fresh_process(case_of(), STEPS + ahead)[ahead:]
    within = max(AGREES_WITHIN, TUNINGS[tuning].strategy.agrees_within)
    assert tuned == pytest.approx(plain, rel=within)


@pytest.mark.nightly
@pytest.mark.parametrize("tuning", COMPILED)
def test_a_compiled_step_agrees_with_the_eager_step_of_the_device(tuning):
    ahead = 2 * TUNINGS[tuning].strategy.FIRST_STEPS
    tuned = losses_in_a_fresh_process(case_of(tuning=tuning))
    plain = losses_in_a_fresh_process(case_of(), STEPS + ahead)
    assert tuned[-1] < plain[0], "its first batches were others: it learns, but not to the same losses"


def test_in_ieee_float32_a_device_agrees_with_the_host():
    found = losses_in_a_fresh_process(case_of(tuning="ieee_float32"))
    assert found == pytest.approx(losses_in_a_fresh_process(case_of("cpu")), rel=IEEE_AGREES_WITHIN)


def inferred(case: Case) -> list[Any]:
    with make_step(case) as step:
        step.batches = repeat(next(step.batches))
        for _ in range(STEPS):
            step()
        logits: list[Any] = step.logits.float().cpu().tolist()
        return logits


@pytest.mark.parametrize("tuning", ON_DEVICES)
def test_a_tuning_infers_as_the_eager_step_of_the_device_does(tuning):
    tuned, plain = (
        torch.tensor(in_fresh_process(inferred, case_of(mode=INFER, tuning=one), timeout_s=TIMEOUT_S))
        for one in (tuning, "eager")
    )
    within = max(AGREES_WITHIN, TUNINGS[tuning].strategy.agrees_within)
    assert (tuned - plain).abs().max() <= within * plain.abs().max()


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_an_optimizer_steps_on_a_device_as_on_the_host(optimizer):
    case = case_of(optimizer=optimizer, tuning="ieee_float32", image_size=8)
    if reason := refusal(case):
        pytest.skip(reason)
    found = losses_in_a_fresh_process(case)
    plain = losses_in_a_fresh_process(case_of("cpu", optimizer=optimizer, image_size=8))
    assert found == pytest.approx(plain, rel=AGREES_WITHIN)


@pytest.mark.parametrize("optimizer", [name for name in OPTIMIZERS if OPTIMIZERS[name].attributes["family"] == "sgd"])
def test_an_optimizer_that_is_captured_steps_as_it_does_eagerly(optimizer):
    case = case_of(optimizer=optimizer, tuning="cuda_graph", image_size=8)
    if reason := refusal(case):
        pytest.skip(reason)
    ahead = CudaGraph.WARMUP_STEPS
    plain = losses_in_a_fresh_process(case_of(optimizer=optimizer, image_size=8), STEPS + ahead)[ahead:]
    assert losses_in_a_fresh_process(case) == pytest.approx(plain, rel=AGREES_WITHIN)


@pytest.mark.parametrize("tuning", ["eager", "cuda_graph"])
@pytest.mark.parametrize("name", ["loader_w0", "pinned_w2", "augment_batch"])
def test_an_input_feeds_a_device_while_its_step_is_captured_or_not(name, tuning):
    case = case_of(input=name, tuning=tuning)
    if reason := refusal(case):
        pytest.skip(reason)
    assert len(in_fresh_process(fed, case, timeout_s=TIMEOUT_S)) == 40


def fed(case: Case) -> list[float]:
    found = []
    with make_step(case) as step:
        for _ in range(40):
            step()
            found.append(float(step.loss.detach()))
        step.check()
    return found


def learned(case: Case) -> list[float]:
    with make_step(case) as step:
        read = [gauge.read for gauge in step.gauges if gauge.metric.name == "accuracy"]
        found = [read[0]()]
        for _ in range(3 * step.steps_per_epoch):
            step()
        return [*found, read[0]()]


@pytest.mark.parametrize("tuning", ["eager", "bf16", "fp16"])
def test_a_learning_case_learns_digits_on_a_device(tuning):
    case = case_of(mode=LEARN, tuning=tuning, batch_size=64, epochs=3)
    if reason := refusal(case):
        pytest.skip(reason)
    before, after = in_fresh_process(learned, case, timeout_s=TIMEOUT_S)
    assert before < 0.5 < after


def flags(tuning: str) -> tuple[str, str]:
    case = case_of(tuning=tuning)
    with make_step(case) as step:
        step()
        found = attributes_of(case, step)["tuning"]
    return found["float32_products"], found["float32_convolutions"]


def test_the_precision_of_a_case_is_recorded():
    assert in_fresh_process(flags, "eager", timeout_s=TIMEOUT_S) == ("ieee", "tf32")
    assert in_fresh_process(flags, "ieee_float32", timeout_s=TIMEOUT_S) == ("ieee", "ieee")
