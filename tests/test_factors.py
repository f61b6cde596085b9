"""Every registered level, tested without naming it: a new entry of a registry is tested by being there."""

from collections.abc import Callable
from itertools import repeat

import pytest
import torch
from torch import nn

from suite.records import NUM_CLASSES, Case
from suite.registry import EXECUTIONS, INPUTS, OPTIMIZERS, STRUCTURES, TUNINGS, load_levels
from suite.training import TrainingStep, state_tensors

load_levels()

SIZE = 28
BATCH = 4
"""Images a step: more would only cost time."""
FALLING_STEPS = 20
FALLS_WITH = "sgd_momentum"
AGREES_WITHIN = 1e-4
"""Relative difference of losses between an execution and plain CPU: sums in another order, over three steps."""


def extremes() -> list[str]:
    """All structures, but of a generated family only the smallest and the largest of each connection."""
    chosen = []
    for name in STRUCTURES:
        facts = STRUCTURES[name].attributes
        family = [STRUCTURES[other].attributes for other in STRUCTURES if related(STRUCTURES[other].attributes, facts)]
        sizes = [(member["depth"], member["width"]) for member in family if "depth" in member and "width" in member]
        if len(sizes) <= 2 or (facts["depth"], facts["width"]) in (min(sizes), max(sizes)):
            chosen.append(name)
    return chosen


def related(one: dict, other: dict) -> bool:
    return all(one.get(key) == other.get(key) for key in ("family", "connection", "layer"))


@pytest.fixture(autouse=True)
def _one_thread():
    """As workers run by default, and steadier on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def case_of(structure: str = "seed_cnn", optimizer: str = FALLS_WITH, execution: str = "cpu", **others) -> Case:
    size = max(SIZE, STRUCTURES[structure].min_image_size)
    return Case(structure, optimizer, execution, **{"batch_size": BATCH, "image_size": size, **others})


def step_of(case: Case) -> TrainingStep:
    """The case's step; skipped where its execution refuses this machine."""
    refusal = EXECUTIONS[case.execution].strategy.refusal(case)
    if refusal:
        pytest.skip(refusal)
    return TrainingStep(case)


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


@pytest.mark.parametrize("name", list(STRUCTURES))
def test_a_structure_gives_one_row_of_logits_for_every_image(name):
    size = max(SIZE, STRUCTURES[name].min_image_size)
    network = STRUCTURES[name].build(7, size)
    for images in (2, 5):
        assert network(torch.randn(images, 3, size, size)).shape == (images, 7)


@pytest.mark.parametrize("name", list(STRUCTURES))
def test_a_structure_works_at_its_smallest_image_size(name):
    size = STRUCTURES[name].min_image_size
    network = STRUCTURES[name].build(NUM_CLASSES, size)
    network.eval()
    assert network(torch.randn(2, 3, size, size)).shape == (2, NUM_CLASSES)


@pytest.mark.parametrize("name", list(STRUCTURES))
def test_every_parameter_of_a_structure_gets_a_gradient(name):
    step = step_of(case_of(structure=name))
    step()
    assert [label for label, weights in step.network.named_parameters() if weights.grad is None] == []
    assert all(torch.isfinite(weights.grad).all() for weights in step.network.parameters())


@pytest.mark.parametrize("name", extremes())
def test_a_structure_learns_a_fixed_batch(name):
    assert falls(step_of(case_of(structure=name, batch_size=8)))


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_an_optimizer_learns_a_fixed_batch(name):
    assert falls(step_of(case_of(optimizer=name, batch_size=8)))


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


@pytest.mark.parametrize("name", list(STRUCTURES))
def test_a_structure_names_its_source(name):
    assert "Source:" in STRUCTURES[name].source


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_an_optimizer_names_its_source(name):
    assert OPTIMIZERS[name].source.strip()


@pytest.mark.parametrize(
    "level",
    [*(EXECUTIONS[name].strategy for name in EXECUTIONS), *(INPUTS[name].pipeline for name in INPUTS)],
    ids=[*EXECUTIONS, *INPUTS],
)
def test_an_execution_and_an_input_name_their_source(level):
    assert "Source:" in level.__doc__


@pytest.mark.parametrize("registry", [STRUCTURES, OPTIMIZERS, EXECUTIONS, TUNINGS, INPUTS], ids=lambda one: one.factor)
def test_the_attributes_of_every_level_are_plain_values(registry):
    for name in registry:
        for key, value in registry[name].attributes.items():
            assert isinstance(key, str)
            assert isinstance(value, str | int | float | bool | None), f"{name}: {key} is {value!r}"


@pytest.mark.parametrize("name", list(EXECUTIONS))
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
        "processes": torch.distributed.is_available() and torch.distributed.is_initialized(),
    }


@pytest.mark.parametrize("case", [case_of(execution=name) for name in EXECUTIONS], ids=lambda case: case.id)
def test_torch_is_left_as_it_was_found(case):
    before = torch_globals()
    losses(step_of(case), 2)
    assert torch_globals() == before


@pytest.mark.parametrize("name", list(INPUTS))
def test_an_input_yields_batches_of_the_size_asked_for_and_the_same_for_the_same_seed(name):
    case = case_of(input=name)
    first, again, other = (
        INPUTS[name].pipeline().batches(one, torch.device("cpu")) for one in (case, case, case_of(input=name, seed=1))
    )
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


def test_connections_of_the_generated_family_differ_in_nothing_but_the_shortcuts():
    for name in STRUCTURES:
        if name.startswith("residual_"):
            residual, plain = (STRUCTURES[one].build(10, SIZE) for one in (name, name.replace("residual", "plain")))
            shapes = [
                [(label, weights.shape) for label, weights in net.named_parameters()] for net in (residual, plain)
            ]
            assert shapes[0] == shapes[1]


def state_of(step: TrainingStep) -> list[torch.Tensor]:
    held = [*step.network.parameters(), *step.network.buffers(), *state_tensors(step.optimizer)]
    return [tensor.detach().clone() for tensor in held] + [torch.get_rng_state()]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def rewindable() -> list[Case]:
    """Each optimizer with the seed, and each structure that is not one of many of its family."""
    return [case_of(optimizer=name) for name in OPTIMIZERS] + [case_of(structure=name) for name in extremes()]


@pytest.mark.parametrize("case", rewindable(), ids=lambda case: case.id)
def test_rewinding_brings_weights_optimizer_and_random_state_back_in_place(case):
    step = step_of(case)
    losses(step, 2)
    step.rewind()
    at_snapshot = state_of(step)
    places = [tensor.data_ptr() for tensor in step.network.parameters()]
    losses(step, 5)
    torch.rand(3)
    assert not same(state_of(step), at_snapshot)
    step.rewind()
    assert same(state_of(step), at_snapshot)
    assert [tensor.data_ptr() for tensor in step.network.parameters()] == places


def test_a_rewound_step_does_the_same_work_again():
    step = fixed(step_of(case_of(optimizer="adam")))
    losses(step, 2)
    step.rewind()
    first = losses(step, 5)
    step.rewind()
    assert losses(step, 5) == first


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
