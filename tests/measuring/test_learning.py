"""Cases that learn: their digits, their schedules, who can, and what a run of them leaves behind."""

import json
import math

import pytest
import torch

from suite.analysis.learning_curves import TARGET_ACCURACY, curves, summary
from suite.contracts.learning_data import TEST_IMAGES, TRAINING_IMAGES
from suite.contracts.probes import ACCURACY, STEP_TIME
from suite.levels.digits import Digits
from suite.matrix.cases import matrix_of
from suite.matrix.profiles import parse_profile
from suite.matrix.refusals import refusal
from suite.measuring.modes import LearningStep
from suite.records import Case, Measurement, RunPlan, Series, StepmarkError, Visit
from suite.records.store import read_run
from suite.registry import OPTIMIZERS, SCHEDULES, load_levels
from suite.runner.learning_visit import LearningVisit
from tests.fakes.fake_workers import FakeWorkers

load_levels()
SMALL = {"batch_size": 64, "image_size": 8, "mode": "learn"}


def learner(optimizer: str) -> Case:
    """A case of an optimizer whose learning rate falls to 0."""
    return Case("mlp_d2w128", optimizer, "cpu", schedule="cosine", **SMALL)


PROFILE = """
[learn]
plugins = ["my_levels"]
structures = ["tiny"]
optimizers = ["adam_lr0p01"]
executions = ["cpu"]
modes = ["train", "learn"]
schedules = ["constant", "halving"]
image_sizes = [8]
epochs = [3]
passes = 1
case_seconds = 0.2
"""


def test_digits_are_split_once_and_for_all():
    first, second = Digits(8), Digits(8)
    for ours, theirs in zip(first.training + first.test, second.training + second.test, strict=True):
        assert torch.equal(ours, theirs)
    images, labels = first.training
    assert images.shape == (TRAINING_IMAGES, 3, 8, 8)
    assert first.test[0].shape == (TEST_IMAGES, 3, 8, 8)
    assert sorted(set(labels.tolist())) == list(range(10)) == sorted(set(first.test[1].tolist()))
    assert images.min() == 0.0
    assert images.max() == 1.0


@pytest.mark.parametrize("size", [8, 28])
def test_digits_have_the_size_that_is_asked_for(size):
    assert Digits(size).test[0].shape[-2:] == (size, size)


def test_no_digit_is_tested_that_was_trained_on():
    digits = Digits(8)
    trained = {tuple(image.flatten().tolist()) for image in digits.training[0]}
    tested = {tuple(image.flatten().tolist()) for image in digits.test[0]}
    assert len(trained) + len(tested) == TRAINING_IMAGES + TEST_IMAGES
    assert not trained & tested


def test_an_epoch_takes_each_digit_once_in_an_order_of_its_seed():
    digits = Digits(8)
    steps = TRAINING_IMAGES // 64

    def epochs(seed: int) -> list[set[tuple[float, ...]]]:
        batches = digits.batches(64, torch.Generator().manual_seed(seed))
        taken = [
            [tuple(image.flatten().tolist()) for _ in range(steps) for image in next(batches)[0]] for _ in range(2)
        ]
        assert all(len(set(epoch)) == len(epoch) == steps * 64 for epoch in taken)
        return taken

    assert epochs(1) == epochs(1)
    assert epochs(1) != epochs(2)
    assert epochs(1)[0] != epochs(1)[1]


def test_training_continues_from_round_to_round_until_the_digits_are_learnt():
    with LearningStep(Case("mlp_d2w128", "adam", "cpu", **SMALL)) as step:
        (accuracy, loss) = (gauge.read for gauge in step.gauges)
        chance, before = accuracy(), loss()
        for _ in range(3):
            step.rewind()
            for _ in range(step.steps_per_epoch):
                step()
            step.check()
        assert chance < 0.4
        assert accuracy() > 0.8
        assert loss() < before
        assert step.network.training, "testing leaves the network as it was"


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_a_schedule_ends_where_its_attributes_say(name):
    weights = [torch.nn.Parameter(torch.zeros(1))]
    optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9)
    schedule, rates = SCHEDULES[name].make(optimizer, 50), []
    for _ in range(50):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if schedule is not None:
            schedule.step() if len(rates) < 50 else None
    assert max(rates) == pytest.approx(0.1)
    share = SCHEDULES[name].attributes["final_share"]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * share, abs=2e-4)


def test_one_cycle_gives_no_momentum_to_an_optimizer_that_has_none():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    SCHEDULES["one_cycle"].make(optimizer, 10)
    assert optimizer.param_groups[0]["momentum"] == 0


def test_a_step_follows_its_schedule():
    with LearningStep(Case("mlp_d2w128", "sgd", "cpu", schedule="cosine", epochs=1, **SMALL)) as step:
        for _ in range(step.steps_per_epoch):
            step()
        assert step.optimizer.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if not refusal(learner(name))])
def test_the_weights_of_every_optimizer_rest_where_a_schedule_has_brought_its_rate_to_0(name):
    torch.manual_seed(0)
    network, inputs = (
        torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)),
        torch.rand(8, 4),
    )
    optimizer = OPTIMIZERS[name].build(network.parameters())

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = (network(inputs) - 1.0).square().mean()
        found.backward()
        return found

    def moved(steps: int) -> bool:
        before = [weights.detach().clone() for weights in network.parameters()]
        for _ in range(steps):
            loss()
            optimizer.step(loss)
        return not all(map(torch.equal, before, network.parameters()))

    assert moved(2)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    moved(1)  # ASGD computes the rate of a step in the one before
    assert not moved(2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"optimizer": "gradient_descent", "batch_size": 1437}, ""),
        ({"optimizer": "gradient_descent"}, "gradient_descent takes all 1437 digits at each step, not 64"),
        ({"optimizer": "rprop"}, ""),
        (
            {"optimizer": "rprop", "schedule": "cosine"},
            "rprop uses its learning rate in its first step alone, so that cosine would do nothing",
        ),
        ({"batch_size": 2000}, "a batch of 2000 is more than the 1437 digits of the training set"),
        ({"input": "loader_w0"}, "learning cases have the digits as input, not loader_w0"),
        ({"tuning": "compile"}, "compile runs warm-up steps, which would train the network before the first epoch"),
        (
            {"execution": "distributed"},
            "distributed shares a batch among ranks, but learning cases run in one process",
        ),
        (
            {"optimizer": "gradient_descent", "mode": "train"},
            "gradient_descent takes the whole training set at each step, which only cases of mode learn have",
        ),
    ],
)
def test_a_case_that_cannot_learn_is_refused_with_the_reason(changes, reason):
    levels = {"structure": "seed_cnn", "optimizer": "sgd", "execution": "cpu", "mode": "learn"}
    assert refusal(Case(**{**levels, **changes})) == reason


def lesson(epochs: int, index: int = 0) -> tuple[LearningVisit, FakeWorkers]:
    workers = FakeWorkers(attributes={"input": {"steps_per_epoch": 22}})
    made = LearningVisit(Case("seed_cnn", "adam", "cpu", mode="learn", epochs=epochs), index, RunPlan(), workers, 0.0)
    return made, workers


@pytest.mark.parametrize("epochs", [2, 5])
def test_a_lesson_has_the_epochs_of_its_case_the_first_of_them_warms(epochs):
    made, workers = lesson(epochs)
    shares = []
    while made.result is None:
        made.advance()
        shares.append(made.share_done)
    assert [request["steps_per_round"] for request in workers.requests] == [22] * epochs
    assert made.result.visit.warmup_rounds == 1
    assert made.result.visit.rounds == epochs - 1
    assert made.result.visit.stopped_by == "epochs"
    assert shares == [pytest.approx((number + 1) / epochs) for number in range(epochs)]


def test_each_pass_learns_from_another_seed():
    for index in range(3):
        made, workers = lesson(2, index)
        made.advance()
        assert workers.events[0][1].endswith(f"-s{index}" if index else "-e2")


def learnt(*accuracies: list[float]) -> Measurement:
    """Visits of two steps an epoch, each epoch of one second a step."""
    visits = tuple(
        Visit(index, (1,) * (len(one) - 1), 1, 2, 0.0, 1.0, 0.1, "epochs", None, True)
        for index, one in enumerate(accuracies)
    )
    warm = tuple(one[0] for one in accuracies)
    later = tuple(value for one in accuracies for value in one[1:])
    return Measurement(
        (Series(STEP_TIME, (1.0,) * len(later)), Series(ACCURACY, later)),
        (Series(STEP_TIME, (3.0,) * len(warm)), Series(ACCURACY, warm)),
        visits,
    )


def test_a_curve_begins_with_the_first_epoch():
    first, second = curves(learnt([0.3, 0.9, 0.96], [0.2, 0.97, 0.94]))
    assert first.accuracy == (0.3, 0.9, 0.96)
    assert first.seconds == (6.0, 8.0, 10.0)
    assert second.steps == (2, 4, 6)
    assert [curve.epochs_to(TARGET_ACCURACY) for curve in (first, second)] == [3, 2]


def test_a_summary_of_learning_covers_the_seeds_that_reached_the_target():
    found = summary(learnt([0.3, 0.9, 0.96], [0.2, 0.97, 0.94], [0.1, 0.2, 0.3]))
    assert (found["seeds"], found["seeds_that_reached"]) == (3, 2)
    assert (found["final_accuracy"], found["final_accuracy_low"], found["final_accuracy_high"]) == (0.94, 0.3, 0.96)
    assert (found["epochs_to_target"], found["steps_to_target"], found["seconds_to_target"]) == (2.5, 5.0, 9.0)
    assert summary(learnt([0.1, 0.2]))["seconds_to_target"] is None
    assert summary(None)["final_accuracy"] is None


def test_only_cases_that_learn_take_schedules_and_epochs(tmp_path):
    table = {
        "structures": ["seed_cnn"],
        "optimizers": ["sgd"],
        "executions": ["cpu"],
        "modes": ["train", "learn"],
        "schedules": ["*"],
        "epochs": [3, 12],
    }
    ids = [case.id for case in matrix_of(parse_profile("mine", tmp_path / "p.toml", table))]
    assert ids[0] == "seed_cnn-sgd-cpu"
    assert len(ids) == 1 + 2 * len(SCHEDULES)
    assert "seed_cnn-sgd-cpu-learn-cosine-e3" in ids
    with pytest.raises(
        StepmarkError, match=r"^schedule 'linear' is not known; allowed: constant, cosine, one_cycle\.$"
    ):
        matrix_of(parse_profile("mine", tmp_path / "p.toml", {**table, "schedules": ["linear"]}))


@pytest.mark.slow
def test_a_run_of_learning_cases_leaves_their_curves_in_record_page_and_json(desk):
    (desk.folder / "profiles.toml").write_text(PROFILE)
    done = desk.run("--profile", "learn", "--record", "run", "--benchmark-json", "out.json")
    assert done.code == 0, done.out + done.err
    run = read_run(desk.folder / "run")
    learning = {one.case.id: one for one in run.cases if one.case.mode == "learn"}
    constant = "tiny-adam_lr0p01-cpu-i8-learn-e3"
    assert sorted(learning) == [constant, "tiny-adam_lr0p01-cpu-i8-learn-halving-e3"], "in the order they ended in"
    for record in learning.values():
        assert [len(curve.accuracy) for curve in curves(record.measurement)] == [3]
        assert record.attributes["input"]["steps_per_epoch"] == 22
    entries = {one["name"]: one for one in json.loads((desk.folder / "out.json").read_text())["benchmarks"]}
    assert len(entries) == 3
    told = entries["test_learning[tiny-adam_lr0p01-cpu-i8-learn-e3]"]["extra_info"]["learning"]
    assert told["seeds"] == 1
    assert math.isclose(told["final_accuracy"], summary(learning[constant].measurement)["final_accuracy"])
    page = (desk.folder / "run" / "report.html").read_text()
    assert '<section id="learning">' in page
    assert "cases/test_learning.py::test_learning[tiny-adam_lr0p01-cpu-i8-learn-e3]" in page


def test_a_profile_without_learning_cases_has_no_test_of_them(desk):
    done = desk.run("--profile", "tiny", "--collect-only", "-q")
    assert done.code == 0
    assert "test_learning" not in done.out
