"""Executions on two simulated devices: their results, their memory, their clocks and the precision of replicas.

The backend is `tests/fakes/two_devices` (decision 39). It changes torch, so each group of findings comes from a fresh
process, and the tests read them.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from suite.measuring.instruments import breakdown, memory
from suite.measuring.instruments.breakdown import clock_of
from suite.measuring.instruments.memory_meters import PEAKS
from suite.measuring.modes import make_step
from suite.records import Case
from suite.registry import STRUCTURES, StructureSpec
from tests.fakes import two_devices
from tests.fakes.fresh import in_fresh_process

pytestmark = pytest.mark.slow

STRUCTURES_COMPARED = ("mlp_d2w128", "seed_cnn")
"""Without batch statistics, which are those of a replica's or a micro-batch's share."""
OPTIMIZERS_COMPARED = ("sgd_momentum", "adam", "adam_foreach", "adam_fused", "rmsprop", "muon", "lbfgs")
EXECUTIONS_COMPARED = ("sim", "sim_batch", "sim_layers")
AGREES_WITHIN = 1e-4
TIMEOUT_S = 300.0
BUSY_S = 2.0


@pytest.fixture(scope="module")
def backend() -> str:
    return str(two_devices.build())


def case_of(execution: str, structure: str = "seed_cnn", **others: Any) -> Case:
    return Case(
        **{
            "structure": structure,
            "optimizer": "sgd_momentum",
            "execution": execution,
            "batch_size": 16,
            "image_size": 8,
            **others,
        }
    )


def losses(case: Case) -> list[float]:
    found = []
    with make_step(case) as step:
        for _ in range(3):
            step()
            found.append(float(step.loss.detach()))
        step.check()
    return found


# what they compute


def all_losses(backend: str) -> dict[str, list[float]]:
    two_devices.load(Path(backend))
    cases = [case_of(one, name) for one in ("cpu", *EXECUTIONS_COMPARED) for name in STRUCTURES_COMPARED]
    cases += [case_of(one, optimizer=name) for one in ("cpu", "sim") for name in OPTIMIZERS_COMPARED]
    return {case.id: losses(case) for case in cases}


@pytest.fixture(scope="module")
def found_losses(backend: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = in_fresh_process(all_losses, backend, timeout_s=TIMEOUT_S)
    return found


@pytest.mark.parametrize("structure", STRUCTURES_COMPARED)
@pytest.mark.parametrize("execution", EXECUTIONS_COMPARED)
def test_an_execution_on_devices_agrees_with_plain_cpu(found_losses, execution, structure):
    found, plain = (found_losses[case_of(one, structure).id] for one in (execution, "cpu"))
    assert found == pytest.approx(plain, rel=AGREES_WITHIN)


@pytest.mark.parametrize("optimizer", OPTIMIZERS_COMPARED)
def test_an_optimizer_on_a_device_agrees_with_plain_cpu(found_losses, optimizer):
    found, plain = (found_losses[case_of(one, optimizer=optimizer).id] for one in ("sim", "cpu"))
    assert found == pytest.approx(plain, rel=AGREES_WITHIN)


# where and in which precision


def where_layers_compute(execution: str, tuning: str, plain_torch: bool = False) -> set[tuple[int, str]]:
    """(index of the device, type of the output) of the linear layers in one step."""
    seen: set[tuple[int, str]] = set()

    def noting(num_classes: int, image_size: int) -> nn.Module:
        network = STRUCTURES["mlp_d2w128"].build(num_classes, image_size)
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                layer.register_forward_hook(lambda _, __, out: seen.add((out.device.index, str(out.dtype))))
        return network

    name = f"noting_{len(list(STRUCTURES))}"
    STRUCTURES.add(StructureSpec(name, noting))
    with make_step(case_of(execution, name, tuning=tuning)) as step:
        if plain_torch:
            del type(step.network).parallel_apply
        step()
        step.check()
    return seen


def all_places(backend: str) -> dict[str, set[tuple[int, str]]]:
    two_devices.load(Path(backend))
    return {
        "layers": where_layers_compute("sim_layers", "eager"),
        "layers in bf16": where_layers_compute("sim_layers", "bf16"),
        "batch": where_layers_compute("sim_batch", "eager"),
        "batch in bf16": where_layers_compute("sim_batch", "bf16"),
        "batch in bf16 by torch alone": where_layers_compute("sim_batch", "bf16", plain_torch=True),
    }


@pytest.fixture(scope="module")
def places(backend: str) -> dict[str, set[tuple[int, str]]]:
    found: dict[str, set[tuple[int, str]]] = in_fresh_process(all_places, backend, timeout_s=TIMEOUT_S)
    return found


@pytest.mark.parametrize("what", ["layers", "batch"])
def test_both_devices_compute(places, what):
    assert places[what] == {(0, "torch.float32"), (1, "torch.float32")}


@pytest.mark.parametrize("what", ["layers", "batch"])
def test_both_devices_compute_in_the_precision_of_the_tuning(places, what):
    assert places[f"{what} in bf16"] == {(0, "torch.bfloat16"), (1, "torch.bfloat16")}


def test_torch_alone_gives_the_threads_of_replicas_another_precision(places):
    assert "torch.bfloat16" not in {dtype for _, dtype in places["batch in bf16 by torch alone"]}


# memory, reads, clocks


def of_the_device(backend: str) -> dict[str, Any]:
    simulated = two_devices.load(Path(backend))
    found: dict[str, Any] = {"refused": refusal_of_two_devices()}
    for name in EXECUTIONS_COMPARED:
        case = case_of(name, optimizer="adam")
        found[f"memory of {name}"] = {one.metric.name: one.values[0] for one in memory.measure(case)}
    found["reads"] = {one: host_reads(one) for one in (0, 2)}
    for name in EXECUTIONS_COMPARED:
        with make_step(case_of(name)) as step:
            step()
            for which, read_s in (("clock", step.clock.read_s), ("stopwatch", clock_of(step.execution))):
                before = simulated.waits()
                read_s()
                found[f"{which} of {name}"] = [a - b for a, b in zip(simulated.waits(), before, strict=True)]
    found["phases"] = {one.metric.name: one.values for one in breakdown.measure(case_of("sim_layers"))}
    found["waited"], found["copied"] = wait_behind_a_busy_device(simulated)
    return found


def refusal_of_two_devices() -> str:
    with pytest.raises(RuntimeError) as refused:
        torch.ones(2, device="sim:0") + torch.ones(2, device="sim:1")
    return str(refused.value)


def host_reads(reads: int) -> float:
    def build(num_classes: int, image_size: int) -> nn.Module:
        def read(_: nn.Module, inputs: Any) -> None:
            for _ in range(reads):
                float(inputs[0].sum())

        network = STRUCTURES["mlp_d2w128"].build(num_classes, image_size)
        network.register_forward_pre_hook(read)
        return network

    STRUCTURES.add(StructureSpec(f"reads_{reads}", build))
    found = {
        one.metric.name: one.values[0] for one in memory.measure(case_of("sim", f"reads_{reads}", optimizer="adam"))
    }
    return found["host_reads"]


def wait_behind_a_busy_device(simulated: two_devices.Simulated) -> tuple[float, float]:
    """Seconds that a step waited for its input, and seconds of its copies, behind two seconds of the device's work."""
    with make_step(case_of("sim", input="loader_w0")) as step:
        step()
        waited_s, copied_s = step.waited_s, step._copying.spent_s
        simulated.keep_busy(0, BUSY_S)
        step.take()
        return step.waited_s - waited_s, step._copying.spent_s - copied_s


@pytest.fixture(scope="module")
def found(backend: str) -> dict[str, Any]:
    answer: dict[str, Any] = in_fresh_process(of_the_device, backend, timeout_s=TIMEOUT_S)
    return answer


def test_a_kernel_on_tensors_of_two_devices_is_refused_as_on_real_ones(found):
    assert "Expected all tensors to be on the same device" in found["refused"]


@pytest.mark.parametrize("execution", EXECUTIONS_COMPARED)
def test_memory_of_all_devices_is_given_for_every_phase(found, execution):
    taken = found[f"memory of {execution}"]
    for phase in PEAKS:
        peak = taken[f"device_memory_allocated_peak_{phase}"]
        assert taken[f"device_memory_reserved_peak_{phase}"] >= peak >= taken[f"device_memory_allocated_before_{phase}"]
    state = taken["parameter_bytes"] + taken["optimizer_state_bytes"]
    assert taken["device_memory_allocated_before_made"] == 0
    assert taken["device_memory_allocated_peak_steady"] > state > 0
    assert taken["device_memory_allocated_peak_steady"] < 20 * state, "no workspaces here"
    assert "device_workspace_bytes" not in taken


def test_values_of_a_device_that_a_step_reads_are_counted_and_not_the_steps_that_adam_counts_on_the_host(found):
    assert found["reads"] == {0: 0.0, 2: 2.0}


@pytest.mark.parametrize("which", ["clock", "stopwatch"])
@pytest.mark.parametrize(("execution", "waits"), [("sim", [1, 0]), ("sim_batch", [1, 1]), ("sim_layers", [1, 1])])
def test_a_clock_waits_for_each_of_its_devices_once(found, which, execution, waits):
    assert found[f"{which} of {execution}"] == waits


def test_the_phases_of_a_step_on_two_devices_add_up_to_no_more_than_the_step(found):
    phases = [values for name, values in found["phases"].items() if name.startswith("part_")]
    for whole, *parts in zip(found["phases"]["watched_step_time"], *phases, strict=True):
        assert sum(parts) <= whole


def test_a_step_that_copies_behind_a_busy_device_did_not_wait_for_its_input(found):
    assert found["copied"] > BUSY_S / 2 > found["waited"]


# streams of a captured step


def warnings_of_a_capture(backend: str, on_side_stream: bool) -> list[str]:
    """Warnings about streams, of a step that is warmed up and captured; as before, on a stream of the capture alone."""
    two_devices.load(Path(backend))
    torch.cuda.Stream = lambda: torch.Stream("sim:0")  # type: ignore[assignment,misc]
    torch.cuda.current_stream = lambda: torch.accelerator.current_stream()  # type: ignore[assignment]
    torch.cuda.stream = lambda stream: stream  # type: ignore[assignment]
    torch.cuda.CUDAGraph = lambda: SimpleNamespace(replay=lambda: None)  # type: ignore[assignment,misc]

    @contextmanager
    def capture(graph: Any, stream: Any = None, **_: Any) -> Any:
        with (stream if on_side_stream else None) or torch.Stream("sim:0"):
            yield

    torch.cuda.graph = capture  # type: ignore[assignment,misc]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with make_step(case_of("sim", tuning="cuda_graph")) as step:
            step()
    return [str(one.message) for one in said if "stream" in str(one.message)]


def test_gradients_of_a_captured_step_accumulate_on_the_stream_of_the_capture(backend):
    assert in_fresh_process(warnings_of_a_capture, backend, True, timeout_s=TIMEOUT_S) == []


def test_a_capture_on_another_stream_than_its_warm_up_would_be_warned_of(backend):
    said = in_fresh_process(warnings_of_a_capture, backend, False, timeout_s=TIMEOUT_S)
    assert any("AccumulateGrad" in one for one in said)
