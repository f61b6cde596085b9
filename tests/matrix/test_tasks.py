"""Tasks of a profile: which structures they meet, what is no case, and what is refused."""

import json
from dataclasses import replace

import pytest

from suite.matrix.cases import cases_of
from suite.matrix.profiles import load_profile
from suite.matrix.refusals import refusal
from suite.records import Case, StepmarkError
from suite.records.codec import encode_levels
from suite.records.factors import shown_factors

OPTIMIZER = 'optimizers = ["sgd", "adam"]\nexecutions = ["cpu"]\n'
TRANSFORMER = Case("transformer_d2w64h4", "sgd", "cpu", task="next_token")
CLASSIFIED = Case("seed_cnn", "sgd", "cpu")


@pytest.fixture
def ids(tmp_path):
    """Ids of the cases of a profile with these lines."""

    def of(lines: str) -> list[str]:
        file = tmp_path / "profiles.toml"
        file.write_text(f"[mine]\n{lines}\n{OPTIMIZER}")
        return [case.id for case in cases_of(load_profile("mine", file))]

    return of


def test_a_structure_meets_its_task_alone(ids):
    found = ids('structures = ["seed_cnn", "transformer_d2w64h4"]\ntasks = ["classify", "next_token"]')
    assert found == [
        "seed_cnn-sgd-cpu",
        "seed_cnn-adam-cpu",
        "transformer_d2w64h4-sgd-cpu-next_token",
        "transformer_d2w64h4-adam-cpu-next_token",
    ]


def test_a_pattern_stands_for_structures_of_the_profile_s_tasks(ids):
    assert {one.split("-")[0] for one in ids('tasks = ["next_token"]')} == {
        "transformer_d2w64h4",
        "transformer_d4w128h4",
    }
    assert not [one for one in ids("") if "transformer" in one]


def test_a_task_takes_structures_of_the_task_that_it_is_like(ids):
    found = ids('structures = ["transformer_d1w64h2"]\ntasks = ["next_token", "next_token_l256"]')
    assert [one.split("-")[-1] for one in found] == ["next_token", "next_token_l256"] * 2


def test_image_sizes_are_crossed_with_tasks_that_have_images(ids):
    found = ids(
        'structures = ["seed_cnn", "transformer_d2w64h4"]\ntasks = ["classify", "next_token"]\nimage_sizes = [32, 64]'
    )
    assert [one for one in found if one.endswith(("i32", "i64"))] == [
        f"seed_cnn-{optimizer}-cpu-i{size}" for optimizer in ("sgd", "adam") for size in (32, 64)
    ]
    assert len(found) == 6


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            'structures = ["seed_cnn", "transformer_d2w64h4"]',
            (
                "profile 'mine': structure 'transformer_d2w64h4' is for task next_token, and the profile has the tasks "
                "classify; add the task to `tasks`, or leave the structure out."
            ),
        ),
        (
            'structures = ["transformer_*"]',
            (
                "profile 'mine': structure 'transformer_*' is for task next_token, and the profile has the tasks "
                "classify; add the task to `tasks`, or leave the structure out."
            ),
        ),
        (
            'structures = ["seed_cnn"]\ntasks = ["classify", "next_token"]',
            "profile 'mine': none of its structures is for task next_token; add one, or leave the task out.",
        ),
        (
            'tasks = ["next_token"]\nimage_sizes = [28, 32]',
            "profile 'mine': image_sizes is [28, 32], and none of its tasks has images; leave it out.",
        ),
    ],
)
def test_a_structure_without_its_task_and_a_task_without_structure_are_one_sentence(ids, lines, sentence):
    with pytest.raises(StepmarkError) as refused:
        ids(lines)
    assert str(refused.value) == sentence


def test_an_unknown_task_is_answered_with_those_that_are_known(ids):
    with pytest.raises(StepmarkError, match=r"^task 'next_word' is not known; allowed: next_token, "):
        ids('tasks = ["next_word"]')


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (TRANSFORMER, ""),
        (replace(TRANSFORMER, mode="infer"), ""),
        (replace(TRANSFORMER, tuning="bf16"), ""),
        (
            replace(TRANSFORMER, task="classify"),
            "structure transformer_d2w64h4 is for task next_token, and this case has task classify",
        ),
        (
            replace(CLASSIFIED, task="next_token"),
            "structure seed_cnn is for task classify, and this case has task next_token",
        ),
        (
            replace(TRANSFORMER, input="augment_w0"),
            "input augment_w0 is for task classify, and this case has task next_token",
        ),
        (
            replace(TRANSFORMER, mode="learn"),
            "next_token has neither a training set nor a quality, which cases of mode learn need",
        ),
        (
            replace(TRANSFORMER, batch_size=3, execution="distributed_r4"),
            "distributed_r4 shares a batch among 4 ranks, which do not divide 3 sequences",
        ),
        (replace(CLASSIFIED, task="accumulate"), ""),
        (
            replace(CLASSIFIED, task="accumulate", optimizer="lbfgs"),
            "lbfgs evaluates loss and gradients itself, and accumulate has a step of another order",
        ),
        (
            replace(CLASSIFIED, structure="usual", optimizer="lbfgs"),
            "lbfgs evaluates loss and gradients itself, and usual has a step of another order",
        ),
        (replace(CLASSIFIED, structure="usual", optimizer="lbfgs", mode="infer"), ""),
        (
            Case("two_towers", "sgd", "cpu", task="streamed"),
            "streamed makes no synthetic batches, which synthetic needs; name another input",
        ),
        (Case("two_towers", "sgd", "cpu", task="streamed", input="stream"), ""),
        (
            Case("two_towers", "sgd", "cpu", task="pairs", input="stream"),
            "input stream is for task streamed, and this case has task pairs",
        ),
        (
            Case("module", "sgd", "cpu", task="lightning", mode="infer"),
            "lightning has no forward pass without targets, which mode infer repeats",
        ),
        (
            Case("module", "sgd", "distributed_r1", task="lightning"),
            "distributed_r1 wraps the network, and lightning does not call it as a whole",
        ),
        (
            Case("module", "sgd", "cpu", "compile", task="lightning"),
            "compile compiles calls of the network, and lightning does not call it as a whole",
        ),
    ],
)
@pytest.mark.usefixtures("_own_tasks")
def test_a_case_that_does_not_fit_its_task_is_refused_with_the_reason(case, reason):
    assert refusal(case) == reason


def test_the_default_task_is_silent_in_ids_records_and_tables():
    assert "task" not in encode_levels(CLASSIFIED)
    assert encode_levels(TRANSFORMER)["task"] == "next_token"
    assert Case(**json.loads(json.dumps(encode_levels(TRANSFORMER)))) == TRANSFORMER
    assert CLASSIFIED.id == "seed_cnn-sgd-cpu"
    assert "task" not in [factor.name for factor in shown_factors([CLASSIFIED])]
    assert "task" in [factor.name for factor in shown_factors([CLASSIFIED, TRANSFORMER])]
