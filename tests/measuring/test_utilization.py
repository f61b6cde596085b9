"""Samples are those of a step's own work and its own devices."""

import os
from typing import ClassVar

import pytest
import torch

from suite.contracts.clock import WaitingClock
from suite.contracts.execution import Execution
from suite.measuring.instruments.utilization import core_busy, devices_used, sample_steps
from suite.records import Case
from suite.registry import EXECUTIONS, ExecutionSpec, load_levels

load_levels()


class Behind(Execution):
    """The host's cores, as if they worked behind the caller: a reading of the clock is an event. Source: none."""

    events: ClassVar[list[str]] = []

    def clock(self):
        return WaitingClock(lambda: self.events.append("wait"))


class Eventful:
    """A sampler whose begin and end are events."""

    def go(self):
        Behind.events.append("go")

    def stop(self):
        Behind.events.append("stop")


def test_samples_begin_and_end_when_the_device_has_done_its_work(monkeypatch):
    """Its energy is that of the steps between: of no earlier one, and of all of the last."""
    monkeypatch.setattr(Behind, "events", [])
    monkeypatch.setitem(EXECUTIONS._levels, "behind", ExecutionSpec("behind", Behind))
    window = sample_steps(Case("seed_cnn", "sgd", "behind", batch_size=4), Eventful(), 0.0)
    assert Behind.events == ["wait", "go", "wait", "stop"]
    assert window.steps == 2


@pytest.mark.parametrize(
    ("kind", "own", "ranks", "used"),
    [
        ("cpu", ["cpu"], 1, ()),
        ("cuda", ["cuda:0"], 1, (0,)),
        ("cuda", ["cuda:0", "cuda:1"], 1, (0, 1)),
        ("cuda", ["cuda:0"], 4, (0, 1, 2, 3)),
        ("mps", ["mps"], 1, (0,)),
    ],
)
def test_devices_that_are_charged_are_those_of_the_execution(kind, own, ranks, used):
    """A rank works on one device, and another rank's energy belongs to the step, too."""

    class Some(Execution):
        """Source: none."""

        @classmethod
        def device_type(cls):
            return kind

        def devices(self):
            return [torch.device(name) for name in own]

    one = Some()
    one.ranks = one.ranks_here = ranks
    assert devices_used(one) == used


def test_no_core_is_busy_for_less_than_no_time():
    busy_s = [1e6] * (1 + max(os.sched_getaffinity(0)))
    (shares,) = core_busy(busy_s, [one - 1e-9 for one in busy_s], 2.5)
    assert set(shares.values) == {0.0}
