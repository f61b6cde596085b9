"""The memory instrument on devices: the order of its questions, and what is left out, with torch's answers replaced."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from suite.analysis.exact_metrics import exact_metrics
from suite.contracts.execution import Execution
from suite.machine import process_memory
from suite.measuring.instruments import memory
from suite.records import Case, Series
from suite.registry import EXECUTIONS, ExecutionSpec
from tests.fakes.fresh import in_fresh_process

MIB = 2**20
NETWORK, WORKSPACE = 3 * MIB, 32 * MIB
"""Bytes of the stand-in device's tensors while a step runs, and of a workspace that its first step makes."""
CASE = Case("seed_cnn", "sgd", "recorded", batch_size=4, image_size=8)


class Recorded(Execution):
    """The host, which says that it is a CUDA device and notes what happens to it. Source: none."""

    events: list[str] = []  # noqa: RUF012 - of this process, which runs one step

    @classmethod
    def device_type(cls) -> str:
        return "cuda"

    def device(self) -> torch.device:
        return torch.device("cpu")

    def begin(self, case: Case, make_step: Any) -> None:  # noqa: ARG002 - as an execution's
        self.events.append("ranks are forked")

    def wait(self) -> None:
        self.events.append("wait")


def replace_torch() -> None:
    """Let torch's allocator for devices say the bytes of the constants above."""
    held = {"workspaces": WORKSPACE}

    def bytes_now(_: torch.device) -> int:
        Recorded.events.append("question")
        return held["workspaces"]

    def clear() -> None:
        Recorded.events.append("workspaces are freed")
        held["workspaces"] = 0

    torch.accelerator.reset_peak_memory_stats = lambda _: Recorded.events.append("question")  # type: ignore[assignment]
    torch.accelerator.memory_allocated = torch.accelerator.memory_reserved = bytes_now  # type: ignore[assignment]
    for name in ("max_memory_allocated", "max_memory_reserved"):
        setattr(torch.accelerator, name, lambda device: bytes_now(device) + NETWORK)
    torch._C._cuda_clearCublasWorkspaces = clear  # type: ignore[attr-defined]
    EXECUTIONS.add(ExecutionSpec("recorded", Recorded))


def measured() -> tuple[list[str], dict[str, float]]:
    replace_torch()
    found = {one.metric.name: one.values[0] for one in memory.measure(CASE)}
    return Recorded.events, found


@pytest.fixture(scope="module")
def recorded() -> tuple[list[str], dict[str, float]]:
    """The events of the device in order, and the series by name."""
    events, found = in_fresh_process(measured)
    return events, found


@pytest.mark.slow
def test_no_device_is_asked_before_ranks_are_forked(recorded):
    events, found = recorded
    assert events[0] == "ranks are forked"
    assert "question" in events
    assert found["device_memory_allocated_before_made"] == found["device_memory_reserved_before_made"] == 0


def test_every_reading_waits_for_the_devices_first(recorded):
    events, _ = recorded
    groups = "|".join(events[1:]).split("wait")
    assert groups[0] == ""
    assert all("question" in group for group in groups[1:])


def test_workspaces_of_libraries_are_apart_from_the_memory_of_a_steady_step(recorded):
    _, found = recorded
    assert found["device_workspace_bytes"] == WORKSPACE
    assert found["device_memory_allocated_peak_steady"] == NETWORK
    assert found["device_memory_allocated_before_steady"] == 0
    assert found["device_memory_reserved_peak_steady"] == NETWORK + WORKSPACE, "the allocator holds them"


def test_workspaces_are_freed_after_the_last_step_since_a_captured_graph_uses_them(recorded):
    events, _ = recorded
    after = events[events.index("workspaces are freed") :]
    assert set(after) <= {"workspaces are freed", "wait", "question"}


def test_the_compared_peak_of_a_device_is_that_of_a_steady_step_without_workspaces(recorded):
    _, found = recorded
    series = [Series.single(name, "B", value, "") for name, value in found.items()]
    assert exact_metrics(series)["peak_memory"] == NETWORK
    older = [one for one in series if one.metric.name != "device_workspace_bytes"]
    assert exact_metrics(older)["peak_memory"] == NETWORK + WORKSPACE, "as records from before say it"


def without_a_peak() -> list[str]:
    process_memory.reset_peak = lambda: False
    return [one.metric.name for one in memory.measure(Case("seed_cnn", "adam", "cpu", batch_size=4, image_size=8))]


def test_a_kernel_that_resets_no_peak_costs_the_resident_set_alone():
    found = in_fresh_process(without_a_peak)
    assert not [name for name in found if name.startswith(("memory_before_", "memory_peak_"))]
    assert {"parameter_bytes", "optimizer_state_bytes", "saved_bytes", "allocations", "host_reads"} <= set(found)
