"""Every registered level, tested without naming it: a new entry of a registry is tested by being there."""

import math
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from itertools import repeat

import pytest
import torch
from torch import nn

from suite.contracts.batches import tensors_of
from suite.matrix.refusals import refusal
from suite.measuring.instruments.roofline import count_work
from suite.measuring.modes import TrainingStep, make_step
from suite.measuring.step import RESTORE_AFTER, Step
from suite.records import MODES, NUM_CLASSES, Case
from suite.registry import EXECUTIONS, INPUTS, OPTIMIZERS, STRUCTURES, TASKS, TUNINGS, load_levels
from suite.runner.visit import FIRST_ROUNDS
from tests.fakes.networks import network_of, takes_images

load_levels()

SIZE = 28
BATCH = 4
"""Images a step: more would only cost time."""
FALLING_STEPS = 20
FALLS_WITH = "sgd_momentum"
SMALL = 2_000_000
"""Parameters of a network that trains twenty steps within a second or two."""
KIND = ("family", "connection", "layer", "normalisation", "head")
AGREES_WITHIN = 1e-4
"""Relative difference of losses between an execution and plain CPU: sums in another order, over three steps."""


def extremes() -> list[str]:
    """Small structures, but of those that differ in size alone only the smallest and the largest.

    What holds for the shape of every structure, however large, is in `test_structures.py`.
    """
    small = [name for name in STRUCTURES if parameters(name) <= SMALL]
    kinds: dict[tuple, list[str]] = {}
    for name in small:
        facts = STRUCTURES[name].attributes
        kinds.setdefault(tuple(facts.get(key) for key in KIND), []).append(name)
    return [
        name for names in kinds.values() for name in sorted({min(names, key=parameters), max(names, key=parameters)})
    ]


@cache
def parameters(name: str) -> int:
    """Weights of a structure, counted without making them where torchvision allows that."""
    size = max(SIZE, STRUCTURES[name].min_image_size)
    try:
        with torch.device("meta"):
            network = network_of(name, size)
    except NotImplementedError:
        network = network_of(name, size)
    return sum(weights.numel() for weights in network.parameters())


OPEN = ExitStack()
"""Steps that a test has made; they are left when it ends."""


@pytest.fixture(autouse=True)
def _one_thread():
    """As on the smallest machine, and steadier on a busy one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    OPEN.close()
    torch.set_num_threads(threads)


def case_of(structure: str = "seed_cnn", optimizer: str = FALLS_WITH, execution: str = "cpu", **others) -> Case:
    spec = STRUCTURES[structure]
    size = max(SIZE, spec.min_image_size)
    levels = {"task": spec.task, "batch_size": BATCH, "image_size": size}
    return Case(structure, optimizer, execution, **{**levels, **others})


def step_of(case: Case) -> Step:
    """The case's step; skipped where this machine cannot run it."""
    reason = refusal(case)
    if reason:
        pytest.skip(reason)
    return OPEN.enter_context(make_step(case))


def losses(step: TrainingStep, count: int) -> list[float]:
    found = []
    for _ in range(count):
        step()
        found.append(float(step.loss.detach()))
    return found


def fixed(step: TrainingStep) -> TrainingStep:
    """The same step, on one batch for ever."""
    step.batches = repeat(next(step.batches))
    return step


def falls(step: TrainingStep) -> bool:
    found = losses(fixed(step), FALLING_STEPS)
    return sum(found[-3:]) / 3 < found[0]


@pytest.mark.parametrize("name", extremes())
def test_a_structure_learns_a_fixed_batch(name):
    assert falls(step_of(case_of(structure=name, batch_size=8)))


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_an_optimizer_learns_a_fixed_batch(name):
    assert falls(step_of(case_of(optimizer=name, batch_size=16)))


@pytest.mark.parametrize("name", extremes())
def test_the_same_seed_gives_a_structure_the_same_first_loss_and_another_seed_another(name):
    first, again, other = (losses(step_of(case_of(structure=name, seed=seed)), 1) for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_the_same_seed_gives_an_optimizer_the_same_losses(name):
    first, again = (losses(step_of(case_of(optimizer=name)), 4) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_an_optimizer_moves_every_parameter(name):
    step = step_of(case_of(optimizer=name))
    before = [weights.detach().clone() for weights in step.network.parameters()]
    step()
    assert not any(torch.equal(old, new) for old, new in zip(before, step.network.parameters(), strict=True))


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_an_optimizer_names_its_source(name):
    assert OPTIMIZERS[name].source.strip()


@pytest.mark.parametrize(
    "level",
    [
        *(EXECUTIONS[name].strategy for name in EXECUTIONS),
        *(TUNINGS[name].strategy for name in TUNINGS),
        *(INPUTS[name].pipeline for name in INPUTS),
        *(TASKS[name].strategy for name in TASKS),
    ],
    ids=[*EXECUTIONS, *TUNINGS, *INPUTS, *TASKS],
)
def test_an_execution_a_tuning_an_input_and_a_task_name_their_source(level):
    assert "Source:" in level.__doc__


@pytest.mark.parametrize(
    "registry", [STRUCTURES, OPTIMIZERS, EXECUTIONS, TASKS, TUNINGS, INPUTS], ids=lambda one: one.factor
)
def test_the_attributes_of_every_level_are_plain_values(registry):
    for name in registry:
        for key, value in registry[name].attributes.items():
            assert isinstance(key, str)
            assert isinstance(value, str | int | float | bool | None), f"{name}: {key} is {value!r}"


ALONE = [name for name in EXECUTIONS if EXECUTIONS[name].strategy().ranks == 1]
"""Executions in one process. The others fork, which this process may not; see `test_executions.py`."""


@pytest.mark.parametrize("name", ALONE)
def test_an_execution_agrees_with_plain_cpu(name):
    plain = losses(step_of(case_of(optimizer="sgd")), 3)
    assert losses(step_of(case_of(optimizer="sgd", execution=name)), 3) == pytest.approx(plain, rel=AGREES_WITHIN)


def torch_globals() -> dict[str, object]:
    return {
        "threads": torch.get_num_threads(),
        "grad": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul": torch.get_float32_matmul_precision(),
        "cudnn": (torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "mkldnn": torch.backends.mkldnn.enabled,
        "autocast": torch.is_autocast_enabled("cpu"),
        "inference": torch.is_inference_mode_enabled(),
        "tf32": (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32),
        "flush_denormal": sys.float_info.min / 2 == 0.0,
        "cache": os.environ.get("TORCHINDUCTOR_CACHE_DIR"),
        "processes": torch.distributed.is_available() and torch.distributed.is_initialized(),
    }


COMPILED = [name for name in TUNINGS if TUNINGS[name].attributes["compiled"]]


def tunings(mode: str) -> list:
    """Cases with each tuning that a mode has; those that are compiled take most of a minute."""
    cases = [case_of(optimizer="sgd", tuning=name, mode=mode) for name in TUNINGS if name != "eager"]
    return [pytest.param(one, id=one.id, marks=[pytest.mark.nightly] * (one.tuning in COMPILED)) for one in cases]


@pytest.mark.parametrize("case", tunings("train"))
def test_a_tuning_agrees_with_the_eager_step(case):
    tuned, plain = step_of(case), step_of(case_of(optimizer="sgd"))
    if case.tuning in COMPILED:  # its first steps, cold and warm, were taken when it was made
        losses(plain, 2 * TUNINGS[case.tuning].strategy.FIRST_STEPS)
    within = TUNINGS[case.tuning].strategy.agrees_within
    assert losses(tuned, 3) == pytest.approx(losses(plain, 3), rel=within)


@pytest.mark.parametrize("case", tunings("infer"))
def test_a_tuning_infers_as_the_eager_step_does(case):
    tuned, plain = (fixed(step_of(one)) for one in (case, case_of(optimizer="sgd", mode="infer")))
    tuned()
    plain()
    off_by = (tuned.logits - plain.logits).abs().max() / plain.logits.abs().max()
    assert off_by <= TUNINGS[case.tuning].strategy.agrees_within


def pairs() -> list:
    """Every optimizer with every tuning that is not compiled, where this machine runs them."""
    cases = [
        case_of(optimizer=optimizer, execution=execution, tuning=tuning, image_size=8)
        for optimizer in OPTIMIZERS
        for execution in ("cpu", "cuda")
        for tuning in TUNINGS
        if tuning not in COMPILED
    ]
    on_devices = pytest.mark.gpu
    return [
        pytest.param(case, id=case.id, marks=[on_devices] * (case.execution != "cpu"))
        for case in cases
        if not refusal(case)
    ]


@pytest.mark.parametrize("case", pairs())
def test_every_optimizer_steps_in_every_tuning_that_admits_it(case):
    assert all(math.isfinite(loss) for loss in losses(step_of(case), 2))


@pytest.mark.parametrize(
    ("tuning", "why"), [("channels_last", "flat views"), ("fp16", "would use those that fp16 scales")]
)
def test_a_tuning_refuses_an_optimizer_that_would_fail_in_it_or_mistake_its_gradients(tuning, why):
    refused = {
        name: TUNINGS[tuning].strategy.refusal(case_of(optimizer=name, execution="cuda", tuning=tuning), "cuda")
        for name in OPTIMIZERS
    }
    assert [name for name, reason in refused.items() if reason] == ["lbfgs"]
    assert why in refused["lbfgs"]
    infers = case_of(optimizer="lbfgs", execution="cuda", tuning=tuning, mode="infer")
    assert not TUNINGS[tuning].strategy.refusal(infers, "cuda")


def changing() -> list:
    """A case for each execution and each tuning, the latter in a mode that it has."""
    cases = [case_of(execution=name) for name in ALONE]
    for name in TUNINGS:
        modes = [case_of(tuning=name, mode=mode) for mode in MODES]
        cases.append(next((case for case in modes if not refusal(case)), modes[0]))
    return [pytest.param(one, id=one.id, marks=[pytest.mark.nightly] * (one.tuning in COMPILED)) for one in cases]


@pytest.mark.parametrize("case", changing())
def test_torch_is_left_as_it_was_found(case):
    before = torch_globals()
    step = step_of(case)
    step()
    step()
    OPEN.close()
    assert torch_globals() == before


@pytest.mark.parametrize("name", extremes())
def test_inferring_gives_finite_logits_and_changes_no_weight(name):
    step = step_of(case_of(structure=name, mode="infer"))
    before = [tensor.clone() for tensor in step.network.state_dict().values()]
    step()
    step.check()
    assert len(step.logits) == BATCH
    assert step.logits.shape == (BATCH, NUM_CLASSES) or not takes_images(name)
    assert not step.logits.requires_grad
    assert all(map(torch.equal, before, step.network.state_dict().values()))


def test_logits_that_are_no_numbers_are_refused():
    step = step_of(case_of(mode="infer"))
    every_parameter_is(float("nan"))(step)
    step()
    with pytest.raises(ArithmeticError, match="the logits are not all finite"):
        step.check()


@pytest.mark.parametrize("name", list(INPUTS))
def test_an_input_yields_batches_of_the_size_asked_for_and_the_same_for_the_same_seed(name):
    case = case_of(input=name)
    first, again, other = (step_of(one).batches for one in (case, case, case_of(input=name, seed=1)))
    for _ in range(6):
        images, labels = next(first)
        same_images, same_labels = next(again)
        assert images.shape == (BATCH, 3, SIZE, SIZE)
        assert labels.shape == (BATCH,)
        assert 0 <= int(labels.min()) <= int(labels.max()) < NUM_CLASSES
        assert torch.equal(images, same_images)
        assert torch.equal(labels, same_labels)
        assert not torch.equal(images, next(other)[0])


def test_the_seed_cnn_has_207210_parameters_and_adapts_to_the_image_size():
    def size_of(network: nn.Module) -> int:
        return sum(weights.numel() for weights in network.parameters())

    assert size_of(STRUCTURES["seed_cnn"].build(10, 28)) == 207_210
    larger = STRUCTURES["seed_cnn"].build(10, 32)
    assert size_of(larger) == 207_210 + 128 * 32 * (8 * 8 - 7 * 7)
    assert larger(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def state_tensors(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Every tensor in an optimizer's state (momentum buffers, moments, step counts, histories)."""
    values = [value for state in optimizer.state.values() for value in state.values()]
    nested = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [value for value in nested if isinstance(value, torch.Tensor)]


def state_of(step: TrainingStep) -> list[torch.Tensor]:
    held = [*step.network.parameters(), *step.network.buffers(), *state_tensors(step.optimizer)]
    return [tensor.detach().clone() for tensor in held] + [torch.get_rng_state()]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def rewindable() -> list[Case]:
    """Each optimizer with the seed, and each structure that is not one of many of its family."""
    return [case_of(optimizer=name) for name in OPTIMIZERS] + [case_of(structure=name) for name in extremes()]


@pytest.mark.parametrize("case", rewindable(), ids=lambda case: case.id)
def test_restoring_brings_weights_optimizer_and_random_state_back_in_place(case):
    step = step_of(case)
    losses(step, 2)
    step.restore()
    at_snapshot = state_of(step)
    places = [tensor.data_ptr() for tensor in step.network.parameters()]
    losses(step, 5)
    torch.rand(3)
    assert not same(state_of(step), at_snapshot)
    step.restore()
    assert same(state_of(step), at_snapshot)
    assert [tensor.data_ptr() for tensor in step.network.parameters()] == places


def test_a_restored_step_does_the_same_work_again():
    step = fixed(step_of(case_of(optimizer="adam")))
    losses(step, 2)
    step.restore()
    first = losses(step, 5)
    step.restore()
    assert losses(step, 5) == first


def test_a_step_goes_back_now_and_then_and_to_where_it_stood_after_the_first_rounds():
    step = step_of(case_of(optimizer="adam"))
    losses(step, FIRST_ROUNDS)
    step.rewind()
    first = state_of(step)
    losses(step, RESTORE_AFTER - 1)
    step.rewind()
    assert not same(state_of(step), first)
    losses(step, 1)
    step.rewind()
    assert same(state_of(step), first)


def test_there_is_nothing_to_rewind_before_the_first_step():
    step = step_of(case_of())
    before = state_of(step)
    step.rewind()
    assert same(state_of(step), before)


def every_parameter_is(value: float) -> Callable[[TrainingStep], None]:
    def spoil(step: TrainingStep) -> None:
        with torch.no_grad():
            for weights in step.network.parameters():
                weights.fill_(value)

    return spoil


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_refused(value):
    step = step_of(case_of())
    step()
    step.check()
    every_parameter_is(value)(step)
    step()
    with pytest.raises(ArithmeticError, match="the loss is nan: the step does not train"):
        step.check()


def test_a_step_that_never_ran_is_refused():
    with pytest.raises(ArithmeticError, match="the loss is nan"):
        step_of(case_of()).check()


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_the_operators_of_an_optimizer_can_all_be_counted(name):
    found = {one.metric.name: one.values for one in count_work(case_of(optimizer=name))}
    assert found["unknown_operators"] == (0.0,)
    assert found["flops_update"][0] > 0


@pytest.mark.parametrize("name", extremes())
def test_the_operators_of_a_structure_can_all_be_counted(name):
    found = {one.metric.name: one.values for one in count_work(case_of(structure=name, batch_size=2))}
    assert found["unknown_operators"] == (0.0,)
    assert found["flops_backward"][0] > found["flops_forward"][0] / 2 > 0, "the images need no gradient"


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name.endswith("_fused")])
def test_a_fused_optimizer_is_counted_as_its_loop_is(name):
    fused, loop = (
        {one.metric.name: one.values[0] for one in count_work(case_of(optimizer=chosen))}["flops_update"]
        for chosen in (name, name.removesuffix("_fused"))
    )
    assert fused == pytest.approx(loop, rel=1e-3), "the loop also counts its number of steps"


def structure_for(task: str) -> str:
    """The smallest structure that a task takes."""
    return min((name for name in STRUCTURES if TASKS[task].takes(STRUCTURES[name].task)), key=parameters)


@pytest.mark.parametrize("name", list(TASKS))
def test_a_task_makes_batches_of_the_size_asked_for_and_the_same_for_the_same_seed(name):
    case = Case(structure_for(name), "sgd", "cpu", task=name, batch_size=BATCH)
    first, again, other = (TASKS[name].strategy(case).batch(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    for ours, same, another in zip(*(list(tensors_of(batch)) for batch in (first, again, other)), strict=True):
        assert len(ours) == BATCH
        assert torch.equal(ours, same)
        assert not torch.equal(ours, another)


@pytest.mark.parametrize("name", list(TASKS))
def test_a_task_shares_a_batch_so_that_each_example_is_in_one_share(name):
    task = TASKS[name].strategy(Case(structure_for(name), "sgd", "cpu", task=name, batch_size=BATCH))
    batch = task.batch(torch.Generator().manual_seed(0))
    shares = [task.share(batch, slice(rank, None, 2)) for rank in range(2)]
    for whole, *halves in zip(*(list(tensors_of(one)) for one in (batch, *shares)), strict=True):
        assert torch.equal(whole[0::2], halves[0])
        assert torch.equal(whole[1::2], halves[1])


@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize("name", list(TASKS))
def test_a_task_is_measured_in_every_mode_that_it_has(name, mode):
    step = step_of(case_of(structure=structure_for(name), task=name, mode=mode))
    step()
    step.check()


@pytest.mark.parametrize("name", list(TASKS))
def test_a_task_without_quality_is_refused_by_learning_cases(name):
    reason = refusal(case_of(structure=structure_for(name), task=name, mode="learn"))
    assert bool(reason) == (TASKS[name].strategy.training_examples == 0)
    assert not reason or reason.startswith(f"{name} has neither a training set nor a quality")


@pytest.mark.parametrize("name", [name for name in TASKS if not TASKS[name].strategy.has_images])
def test_a_task_without_images_has_no_input_and_no_tuning_of_images(name):
    structure = structure_for(name)
    assert refusal(case_of(structure=structure, task=name, input="loader_w0")) == (
        f"input loader_w0 is for task classify, and this case has task {name}"
    )
    assert refusal(case_of(structure=structure, task=name, tuning="channels_last")) == (
        f"channels_last orders the dimensions of images, and {name} has none"
    )
