"""What a step tells of itself, beside what every level is tested for in `test_factors.py`."""

import pytest
import torch

from suite.cores import usable_cores
from suite.records import Case
from suite.registry import load_levels
from suite.training import make_step

load_levels()


@pytest.mark.parametrize(("name", "told"), [("synthetic", True), ("loader_w2", False)])
def test_queueing_is_told_where_the_step_leaves_its_own_threads_a_core_each(name, told):
    before = torch.get_num_threads()
    torch.set_num_threads(usable_cores())
    try:
        with make_step(Case("seed_cnn", "sgd", "cpu", input=name, batch_size=4)) as step:
            assert ("queue_time" in [probe.metric.name for probe in step.probes]) is told
    finally:
        torch.set_num_threads(before)
