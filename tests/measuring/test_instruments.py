"""Instruments in real workers, against known values of the case."""

import os
from pathlib import Path
from statistics import median

import pytest

from suite.machine.cuda import cuda_devices
from suite.measuring.instruments import instruments_of
from suite.measuring.instruments.memory_meters import PEAKS, PHASES
from suite.records import Case, RunPlan, WorkerSettings
from suite.runner.launcher import Launcher
from tests.conftest import FAKES

MIB = 2**20
DEFAULT = instruments_of(RunPlan(), WorkerSettings())
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
BUFFER_BYTES = 256 * MIB
"""As `my_levels` has it, which registers its levels where it is imported: in workers alone."""
DOZE_S = 0.02
"""Likewise."""
SMALL = {"image_size": 8, "batch_size": 4}


@pytest.fixture(scope="module")
def launcher():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAKES))
        with Launcher(WorkerSettings(threads=1), ("my_levels",)) as running:
            yield running


def found(launcher: Launcher, survey: str, case: Case) -> dict[str, float]:
    """Medians by metric."""
    return {one.metric.name: median(one.values) for one in launcher.run_instrument(case, survey)}


def memory(launcher: Launcher, structure: str, optimizer: str = "sgd", **more) -> dict[str, float]:
    return found(launcher, "memory", Case(structure, optimizer, "cpu", **{**SMALL, **more}))


@pytest.fixture(scope="module")
def tiny(launcher: Launcher) -> dict[str, float]:
    """The memory of the smallest case, for all that only read it."""
    return memory(launcher, "tiny")


@pytest.fixture(scope="module")
def buffers(launcher: Launcher) -> dict[str, float]:
    """The same with the buffer."""
    return memory(launcher, "buffers")


def of_a_step(memory: dict[str, float]) -> float:
    """Bytes that a step takes and gives back."""
    return memory["memory_peak_steady"] - memory["memory_before_steady"]


def test_a_buffer_that_a_step_allocates_and_frees_is_seen_within_2_percent(tiny, buffers):
    seen = of_a_step(buffers) - of_a_step(tiny)
    assert abs(seen - BUFFER_BYTES) < 0.02 * BUFFER_BYTES
    first = buffers["memory_peak_first_forward"] - tiny["memory_peak_first_forward"]
    assert abs(first - BUFFER_BYTES) < 0.02 * BUFFER_BYTES


def test_a_look_at_the_resident_set_between_steps_misses_that_buffer(tiny, buffers):
    assert abs(buffers["memory_before_steady"] - tiny["memory_before_steady"]) < 0.02 * BUFFER_BYTES


@pytest.mark.slow
def test_the_state_of_adam_appears_at_its_first_step_at_twice_the_parameters(launcher):
    taken = memory(launcher, "weighty", "adam")
    parameters = taken["parameter_bytes"]
    assert parameters > 64 * MIB
    appeared = taken["memory_before_steady"] - taken["memory_before_first_update"]
    assert abs(appeared - 2 * parameters) < 0.05 * 2 * parameters
    assert abs(taken["optimizer_state_bytes"] - 2 * parameters) < 0.0001 * parameters
    before = taken["memory_before_first_update"] - taken["memory_before_first_forward"]
    assert abs(before - parameters) < 0.25 * parameters, "what backward left: gradients, and code that ran first then"
    assert taken["memory_peak_first_update"] > taken["memory_before_first_update"] + 2 * parameters


def test_a_case_does_not_inherit_the_peak_of_the_one_before(launcher, tiny):
    memory(launcher, "buffers")
    after = memory(launcher, "tiny")
    for phase in PEAKS:
        name = f"memory_peak_{phase}"
        assert abs(after[name] - tiny[name]) < 0.02 * BUFFER_BYTES


def test_the_least_memory_of_a_step_is_exact(launcher):
    """One linear layer of 192 x 10 weights and 10 biases; forward saves the images (4 x 3 x 8 x 8) for the gradient of
    the weights, and what the loss needs: its logarithms (4 x 10), labels (4 of 8 bytes) and the sum of weights.
    """
    taken = memory(launcher, "tiny", "adam")
    weights = 4 * (192 * 10 + 10)
    assert taken["parameter_bytes"] == taken["gradient_bytes"] == weights
    assert taken["optimizer_state_bytes"] == 2 * weights + 2 * 4  # and the number of steps for each of two tensors
    assert taken["saved_bytes"] == 4 * 4 * 192 + 4 * 4 * 10 + 4 * 8 + 4


def test_phases_of_a_step_come_in_order_and_inference_has_neither_backward_nor_update(launcher, tiny):
    inferred = memory(launcher, "tiny", mode="infer")
    named = [name.removeprefix("memory_peak_") for name in tiny if name.startswith("memory_peak_")]
    assert named == list(PEAKS)
    assert "memory_peak_first_forward" in inferred
    assert not any("backward" in name or "update" in name for name in inferred)
    assert inferred["saved_bytes"] == inferred["gradient_bytes"] == 0
    for phase in ("made", *PHASES.values(), "steady"):
        assert tiny[f"memory_peak_{phase}"] >= tiny[f"memory_before_{phase}"] - MIB


def test_the_unique_set_is_within_the_proportional_and_that_within_the_resident(tiny):
    assert 0 < tiny["memory_unique"] <= tiny["memory_proportional"] <= tiny["memory_peak_steady"]


@pytest.mark.parametrize(
    ("structure", "mode", "reads"),
    [
        ("tiny", "train", 0),
        ("reads_no_value", "train", 0),
        ("reads_a_value", "train", 1),
        ("reads_a_size", "train", 1),
        ("reads_a_value", "infer", 1),
    ],
)
def test_values_that_a_step_reads_are_counted_and_not_the_steps_that_adam_counts_on_the_host(
    launcher, structure, mode, reads
):
    optimizers = ("sgd", "adam", "adam_foreach") if mode == "train" else ("sgd",)
    assert {memory(launcher, structure, one, mode=mode)["host_reads"] for one in optimizers} == {reads}


def test_a_closure_reads_its_loss_each_time_that_it_is_evaluated(launcher):
    assert memory(launcher, "tiny", "lbfgs")["host_reads"] > 1


def anatomy(launcher: Launcher, structure: str, optimizer: str = "sgd", **more) -> dict[str, tuple[float, ...]]:
    series = launcher.run_instrument(Case(structure, optimizer, "cpu", **{**SMALL, **more}), "anatomy")
    return {one.metric.name: one.values for one in series}


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_the_parts_of_a_step_add_up_to_no_more_than_the_step(launcher, optimizer):
    """A closure runs its parts within the optimizer's; each counts once."""
    looked_at = anatomy(launcher, "seed_cnn", optimizer, image_size=28)
    parts = [values for name, values in looked_at.items() if name.startswith("part_")]
    assert len(parts) == 7
    assert min(map(min, parts)) >= 0
    shares = [sum(split) / whole for whole, *split in zip(looked_at["watched_step_time"], *parts, strict=True)]
    assert max(shares) <= 1
    assert median(shares) > 0.9


def test_the_time_of_a_part_is_that_part_s(launcher):
    looked_at = anatomy(launcher, "dozes")
    assert min(looked_at["part_forward"]) >= DOZE_S
    assert max(looked_at["part_loss"]) < DOZE_S
    assert min(looked_at["bare_step_time"]) >= DOZE_S


def test_copying_a_batch_is_separate_from_waiting_for_it(launcher):
    """A loader yields images in the usual order of dimensions; channels_last copies them into another."""
    plain, copied = (
        median(anatomy(launcher, "tiny", input="loader_w0", batch_size=512, image_size=28, tuning=tuning)["part_copy"])
        for tuning in ("eager", "channels_last")
    )
    assert copied > 5 * plain > 0


def test_inference_consists_of_its_batch_and_forward(launcher):
    looked_at = anatomy(launcher, "tiny", mode="infer")
    assert [name for name in looked_at if name.startswith("part_")] == ["part_data_wait", "part_copy", "part_forward"]


def test_utilization_comes_with_timelines_of_one_length(launcher):
    series = launcher.run_instrument(Case("dozes", "sgd", "cpu", **SMALL), "utilization")
    looked_at = {one.metric.name: one.values for one in series}
    lengths = {len(looked_at[name]) for name in ("sample_time", "cores_used", "resident_memory")}
    assert len(lengths) == 1
    assert min(lengths) >= 8, "a second has ten tenths, and a machine its moods"
    assert looked_at["utilization"][0] < 0.4, "it sleeps most of the time"
    assert looked_at["context_switches"][0] >= 1, "once for each sleep"


def work(launcher: Launcher, case: Case) -> dict[str, float]:
    return found(launcher, "work", case)


SEED_CNN_PRODUCTS = 28 * 28 * 16 * 27 + 14 * 14 * 32 * 144 + 1568 * 128 + 128 * 10
"""Multiplications with weights for one image: both convolutions and both linear layers."""
SEED_CNN_BESIDE = 28 * 28 * 16 + 14 * 14 * 32 + 128 + 3 * (14 * 14 * 16 + 7 * 7 * 32) + 5 * 10
"""Comparisons of activations and pooling, and the logarithms of the loss."""


def test_the_work_of_the_seed_cnn_is_what_a_hand_counts(launcher):
    done = work(launcher, Case("seed_cnn", "sgd", "cpu", batch_size=4))
    assert done["flops_forward"] == 4 * (2 * SEED_CNN_PRODUCTS + SEED_CNN_BESIDE)
    assert done["flops_update"] == 2 * 207_210
    assert done["unknown_operators"] == 0


PLAIN = Case("seed_cnn", "sgd", "cpu", batch_size=4)


@pytest.fixture(scope="module")
def plain_work() -> tuple[object, ...]:
    """Operations of the plain case, counted in this process."""
    from suite.measuring.instruments.roofline import count_work
    from suite.registry import load_levels

    load_levels(())
    return count_work(PLAIN)


@pytest.mark.parametrize(
    "case",
    [
        Case("seed_cnn", "sgd", "distributed", batch_size=4),
        Case("seed_cnn", "sgd", "cpu", tuning="compile", batch_size=4),
        Case("seed_cnn", "sgd", "cpu", input="loader_w2", batch_size=4),
        Case("seed_cnn", "sgd", "cuda", tuning="cuda_graph", batch_size=4),
    ],
    ids=lambda case: case.id,
)
def test_work_is_the_same_however_it_is_shared_compiled_or_fed(case, plain_work):
    """The equivalent is counted; it needs no device."""
    from suite.measuring.instruments.roofline import count_work, eager_equivalent

    assert eager_equivalent(case) == PLAIN
    assert count_work(case) == plain_work


def test_ceilings_are_read_several_times(launcher):
    series = launcher.run_instrument(Case("tiny", "sgd", "cpu", **SMALL), "work")
    ceilings = {one.metric.name: one.values for one in series if one.metric.name.startswith("ceiling_")}
    assert set(ceilings) == {"ceiling_flops", "ceiling_bandwidth"}
    for values in ceilings.values():
        assert len(values) == 5
        assert min(values) > 1e8


@pytest.mark.slow
def test_the_usual_allocator_is_measured_against_the_steady_one(monkeypatch):
    """A block of 48 MiB is always a separate mapping there: every page of it is a fault in every step. With huge pages
    a page has 2 MiB.
    """
    monkeypatch.syspath_prepend(str(FAKES))
    with Launcher(WorkerSettings(threads=1, allocator="default"), ("my_levels",)) as usual:
        series = usual.run_instrument(Case("mappings", "sgd", "cpu", **SMALL), "allocator")
    looked_at = {one.metric.name: min(one.values) for one in series}  # what disturbs a turn only makes it longer
    pages = 48 * MIB / (2 * MIB if "[always]" in HUGE_PAGES.read_text() else os.sysconf("SC_PAGE_SIZE"))
    assert looked_at["usual_allocator_faults"] >= 0.9 * pages
    assert looked_at["steady_allocator_faults"] < 0.001 * pages + 10
    assert looked_at["usual_allocator_step_time"] > looked_at["steady_allocator_step_time"] > 0


def test_the_peak_of_the_control_group_is_given_if_there_is_one(tiny):
    assert tiny.get("group_memory_peak", 1e12) > tiny["memory_unique"]


@pytest.mark.parametrize("survey", [*DEFAULT, pytest.param("allocator", marks=pytest.mark.nightly)])
@pytest.mark.parametrize(
    "case",
    [
        Case("seed_cnn", "adam", "distributed", batch_size=8),
        Case("seed_cnn", "adam", "cpu", input="loader_w2", batch_size=8),
        Case("seed_cnn", "adam", "cpu", mode="learn", schedule="one_cycle", epochs=2),
        Case("seed_cnn", "adam", "cpu", tuning="bf16", batch_size=8),
    ],
    ids=lambda case: case.id,
)
def test_a_case_of_any_kind_goes_through_every_survey(launcher, case, survey):
    taken = found(launcher, survey, case)
    assert taken
    assert all(value >= 0 for value in taken.values())


CUDA = Case("residual_d4w32", "adam", "cuda", batch_size=64)
needs_cuda = pytest.mark.skipif(not cuda_devices(), reason="no CUDA device")


@pytest.mark.gpu
@needs_cuda
def test_memory_of_devices_is_given_for_every_phase(launcher):
    taken = found(launcher, "memory", CUDA)
    for phase in PEAKS:
        allocated = taken[f"device_memory_allocated_peak_{phase}"]
        assert taken[f"device_memory_reserved_peak_{phase}"] >= allocated > 0
    assert taken["device_memory_allocated_peak_steady"] >= taken["parameter_bytes"] + taken["optimizer_state_bytes"]
    assert taken["device_workspace_bytes"] > 0, "of the linear layers' products"


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize(("structure", "reads"), [("tiny", 0), ("reads_a_value", 1)])
def test_values_of_a_device_that_a_step_reads_are_counted(launcher, structure, reads):
    assert found(launcher, "memory", Case(structure, "adam", "cuda", **SMALL))["host_reads"] == reads


@pytest.mark.gpu
@needs_cuda
def test_devices_are_sampled_during_the_step_and_give_its_memory(launcher):
    taken = found(launcher, "utilization", CUDA)
    assert taken["gpu0_utilization"] > 0
    assert taken.get("device_memory_by_process", taken.get("device_memory_by_difference", 0)) > 64 * MIB
    assert taken["energy_of_step"] > 0


@pytest.mark.gpu
@needs_cuda
def test_copying_to_a_device_is_a_part_of_the_step(launcher):
    case = Case("seed_cnn", "sgd", "cuda", input="loader_w0", batch_size=512)
    assert found(launcher, "anatomy", case)["part_copy"] > 0
