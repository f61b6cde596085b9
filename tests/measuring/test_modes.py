"""Metrics of modes that `test_every_level.py` does not test."""

import pytest
import torch

from suite.machine.affinity import affinity_cores
from suite.measuring.modes import make_step
from suite.records import INFER, MODES, Case
from suite.registry import load_levels

load_levels()


@pytest.mark.parametrize(("name", "told"), [("synthetic", True), ("loader_w2", False)])
def test_queueing_is_measured_if_each_thread_of_the_step_has_a_core(name, told):
    before = torch.get_num_threads()
    torch.set_num_threads(affinity_cores())
    try:
        with make_step(Case("seed_cnn", "sgd", "cpu", input=name, batch_size=4)) as step:
            assert ("queue_time" in [probe.metric.name for probe in step.probes]) is told
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("mode", MODES)
def test_the_network_trains_from_the_first_step_on_in_every_mode_but_inference(mode):
    case = Case("residual_d4w32", "sgd", "cpu", mode=mode, batch_size=8, image_size=8)
    with make_step(case) as step:
        norm = next(one for one in step.network.modules() if isinstance(one, torch.nn.BatchNorm2d))
        flags = []
        norm.register_forward_hook(lambda *_: flags.append(norm.training))
        for _ in range(2):
            step()
    trains = mode != INFER
    assert flags == [trains, trains]
    assert int(norm.num_batches_tracked) == (2 if trains else 0)
