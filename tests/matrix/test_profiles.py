"""Profiles become cases: what is crossed, and what is refused."""

import json
import subprocess
import sys
from itertools import product

import pytest

from suite.matrix.cases import cases_of, choice_of, matrix_of, reject_duplicate_ids
from suite.matrix.profiles import load_profile
from suite.matrix.refusals import refusal
from suite.records import Case, StepmarkError
from tests.fakes import drivers
from tests.fakes.networks import takes_images

SEED_CNN = Case("seed_cnn", "adam", "cpu")
BAD_DESIGNS = [
    ("[]", "[]"),
    ('"half"', "'half'"),
    ("true", "True"),
    ("0", "0"),
    ("1", "1"),
    ("0.0", "0.0"),
    ("1.0", "1.0"),
    ("-0.25", "-0.25"),
    ("nan", "nan"),
    ("inf", "inf"),
    ('["pairwise"]', "['pairwise']"),
]
"""What a profile may not ask for as a design, and how the sentence quotes it."""


def profile(tmp_path, table, name="mine"):
    """The profile `mine` of a file with this text as its table."""
    file = tmp_path / "profiles.toml"
    file.write_text(f"[{name}]\n{table}\n")
    return load_profile(name, file)


# Profiles


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('structures = "seed_cnn"', "structures is 'seed_cnn'; allowed: a list of names."),
        ("structures = []", "structures is []; allowed: a list of names."),
        ('optimizers = ["adam", 3]', "optimizers is ['adam', 3]; allowed: a list of names."),
        ('executions = [""]', "executions is ['']; allowed: a list of names."),
        ('plugins = "my_levels"', "plugins is 'my_levels'; allowed: a list of names."),
        ("batch_sizes = 64", "batch_sizes is 64; allowed: a list of whole numbers from 1."),
        ("batch_sizes = [true]", "batch_sizes is [True]; allowed: a list of whole numbers from 1."),
        ("image_sizes = [28, -1]", "image_sizes is [28, -1]; allowed: a list of whole numbers from 1."),
        ("image_sizes = [28.0]", "image_sizes is [28.0]; allowed: a list of whole numbers from 1."),
        ("image_sizes = []", "image_sizes is []; allowed: a list of whole numbers from 1."),
        ("passes = 0", "passes is 0; allowed: a whole number from 1."),
        ("passes = true", "passes is True; allowed: a whole number from 1."),
        ("epochs = [1]", "epochs is [1]; allowed: a list of whole numbers from 2."),
        ('case_seconds = "long"', "case_seconds is 'long'; allowed: a number of seconds above 0."),
        ("target_precision = -0.5", "target_precision is -0.5; allowed: a percentage above 0, such as 2."),
        *(
            (f"design = {text}", f"design is {value}; allowed: full, pairwise, or a number above 0 and below 1.")
            for text, value in BAD_DESIGNS
        ),
    ],
)
def test_a_value_that_is_not_allowed_is_answered_with_those_that_are(tmp_path, table, sentence):
    with pytest.raises(StepmarkError) as refused:
        profile(tmp_path, table)
    assert str(refused.value) == f"profile 'mine': {sentence}"


@pytest.mark.parametrize("line", ["case_seconds = nan", "case_seconds = inf", "passes = inf", "passes = 0.5"])
def test_a_number_that_no_plan_can_keep_is_refused(tmp_path, line):
    with pytest.raises(StepmarkError):
        profile(tmp_path, line)


@pytest.mark.parametrize("key", ["mine = 3", 'plugins = ["my_levels"]'])
def test_a_key_outside_of_any_profile_is_refused_and_not_passed_over(tmp_path, key):
    file = tmp_path / "profiles.toml"
    file.write_text(f"{key}\n[yours]\n")
    sentence = rf"has a key '{key.split()[0]}' outside of a profile; allowed: tables such as \[quick\]\.$"
    with pytest.raises(StepmarkError, match=sentence):
        load_profile("yours", file)


def test_a_file_without_profiles_says_so(tmp_path):
    file = tmp_path / "profiles.toml"
    file.write_text("")
    with pytest.raises(StepmarkError, match=r"^profile 'mine' is not in .*; allowed: none\.$"):
        load_profile("mine", file)


def test_a_folder_instead_of_a_file_is_one_sentence(tmp_path):
    with pytest.raises(StepmarkError, match=r"^cannot read profiles from .*: Is a directory\.$"):
        load_profile("mine", tmp_path)


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 5000], ids=["digits", "brackets"])
def test_a_file_that_no_reader_takes_is_one_sentence(tmp_path, value):
    (tmp_path / "profiles.toml").write_text(f"[mine]\npasses = {value}")
    with pytest.raises(StepmarkError, match=r"profiles.toml is not valid TOML: "):
        load_profile("mine", tmp_path / "profiles.toml")


def test_bytes_that_are_no_text_are_one_sentence(tmp_path):
    file = tmp_path / "profiles.toml"
    file.write_bytes(b"[mine]\n# \xff\xfe\n")
    with pytest.raises(StepmarkError, match=r"profiles\.toml is not valid TOML: "):
        load_profile("mine", file)


def test_the_projects_own_profiles_are_read_where_no_file_is_named():
    assert load_profile("quick").file.name == "profiles.toml"
    assert cases_of(load_profile("quick"))


# Cases


def test_cases_are_the_product_in_the_order_of_the_levels(tmp_path):
    structures, optimizers = ["resnet18", "seed_cnn"], ["sgd", "adam"]
    cases = cases_of(
        profile(
            tmp_path,
            'structures = ["resnet18", "seed_cnn"]\noptimizers = ["sgd", "adam"]\nexecutions = ["cpu"]\n'
            "batch_sizes = [64, 8]\nimage_sizes = [32, 28]",
        )
    )
    expected = product(structures, optimizers, [64, 8], [32, 28])
    assert [(case.structure, case.optimizer, case.batch_size, case.image_size) for case in cases] == list(expected)


def test_patterns_stand_for_the_levels_that_they_match_and_each_level_is_taken_once(tmp_path):
    cases = cases_of(
        profile(
            tmp_path,
            'structures = ["seed_cnn", "residual_d?w32", "seed_cn?", "residual_d4w32"]\noptimizers = ["adam"]\n'
            'executions = ["cpu"]\nbatch_sizes = [8, 8]',
        )
    )
    structures = [case.structure for case in cases]
    assert structures[0] == "seed_cnn"
    assert {"residual_d4w32", "residual_d8w32"} <= set(structures)
    assert all(name.startswith("residual_d") and name.endswith("w32") for name in structures[1:])
    assert len(structures) == len(set(structures))


def test_a_missing_key_means_every_level_but_the_default_of_tuning_input_mode_and_sizes(tmp_path):
    from suite.registry import EXECUTIONS, OPTIMIZERS, STRUCTURES

    cases = cases_of(profile(tmp_path, ""))
    structures = {name for name in STRUCTURES if takes_images(name)}
    assert {case.structure for case in cases} == structures < set(STRUCTURES)
    assert {case.task for case in cases} == {"classify"}
    assert {case.optimizer for case in cases} == set(OPTIMIZERS)
    assert {case.execution for case in cases} == set(EXECUTIONS)
    assert len(cases) == len(structures) * len(OPTIMIZERS) * len(EXECUTIONS)
    assert {(case.tuning, case.input, case.batch_size, case.image_size, case.mode) for case in cases} == {
        ("eager", "synthetic", 64, 28, "train")
    }


def test_the_full_profile_is_the_product_of_its_levels():
    from suite.registry import EXECUTIONS, OPTIMIZERS, STRUCTURES

    full = choice_of(load_profile("full"))
    structures = [name for name in STRUCTURES if takes_images(name)]
    assert len(full.cases) == full.matrix_cases == len(structures) * len(OPTIMIZERS) * len(EXECUTIONS)


def test_a_mode_that_does_not_exist_is_answered_with_those_that_do(tmp_path):
    with pytest.raises(StepmarkError, match=r"^mode 'rest' is not known; allowed: train, infer, learn\.$"):
        cases_of(profile(tmp_path, 'modes = ["train", "rest"]'))


@pytest.mark.parametrize(
    ("optimizers", "modes", "ids"),
    [
        ('["sgd", "adam"]', '["infer"]', ["seed_cnn-sgd-cpu-infer"]),
        ('["adam", "sgd"]', '["infer"]', ["seed_cnn-adam-cpu-infer"]),
        (
            '["sgd", "adam"]',
            '["train", "infer"]',
            ["seed_cnn-sgd-cpu", "seed_cnn-sgd-cpu-infer", "seed_cnn-adam-cpu"],
        ),
    ],
)
def test_an_optimizer_has_no_part_in_inferring_which_takes_the_first(tmp_path, optimizers, modes, ids):
    table = f'structures = ["seed_cnn"]\nexecutions = ["cpu"]\noptimizers = {optimizers}\nmodes = {modes}'
    assert [case.id for case in cases_of(profile(tmp_path, table))] == ids


@pytest.mark.parametrize("design", ['"pairwise"', "0.3"])
def test_a_design_chooses_some_cases_of_the_matrix_in_its_order(tmp_path, design):
    mine = profile(
        tmp_path,
        'structures = ["seed_cnn", "plain_*"]\noptimizers = ["sgd*", "adam*"]\nexecutions = ["cpu"]\n'
        "batch_sizes = [8, 64]\nimage_sizes = [28, 2]\n"
        f'modes = ["train", "infer"]\ndesign = {design}',
    )
    matrix, choice = matrix_of(mine), choice_of(mine)
    assert choice.cases == cases_of(mine) == [case for case in matrix if case in set(choice.cases)]
    assert choice.design == mine.design
    assert choice.matrix_cases == len(matrix) > len(choice.cases) > 0
    assert all(refusal(case) == "" for case in choice.cases)
    assert sum(choice.refused.values()) == sum(refusal(case) != "" for case in matrix) == len(matrix) // 2


@pytest.mark.parametrize("name", ["smoke", "quick", "full"])
def test_no_two_cases_of_a_profile_share_an_id(name):
    cases = cases_of(load_profile(name))
    assert len({case.id for case in cases}) == len(cases)


def test_two_cases_with_one_id_are_refused():
    twins = [Case("seed_cnn", "adam", "cpu", batch_size=128), SEED_CNN, Case("seed_cnn", "adam", "cpu", tuning="b128")]
    with pytest.raises(StepmarkError, match=r"^two cases have the id 'seed_cnn-adam-cpu-b128': .*; rename a level\.$"):
        reject_duplicate_ids(twins)
    reject_duplicate_ids(twins[:2])


def test_a_plugin_whose_level_reads_as_a_size_is_refused(tmp_path):
    (tmp_path / "twins.py").write_text(
        'from suite.registry import INPUTS, InputSpec\n\nINPUTS.add(InputSpec("b128", pipeline=object))\n'
    )
    (tmp_path / "profiles.toml").write_text(
        '[mine]\nplugins = ["twins"]\nstructures = ["seed_cnn"]\noptimizers = ["adam"]\n'
        'inputs = ["synthetic", "b128"]\nbatch_sizes = [64, 128]\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "suite.cli", "list", "--profiles", "profiles.toml", "--profile", "mine"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("stepmark: two cases have the id 'seed_cnn-adam-cpu-b128': ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_images_that_a_structure_cannot_take_are_a_reason():
    cases_of(load_profile("smoke"))  # registers the project's levels
    small = Case("seed_cnn", "adam", "cpu", image_size=3)
    assert refusal(small) == "seed_cnn needs images of at least 4 pixels a side, not 3"
    assert refusal(Case("seed_cnn", "adam", "cpu", image_size=4)) == ""
    assert refusal(SEED_CNN) == ""


COLD_START_S = 4.0
"""Seconds for a worker to start on a device, at most: context, libraries, first launches. An H100 took 1.3 s."""
DEVICE_INSTRUMENTS_S = 7.0
"""Seconds of a case's instruments on a device: 5 s of samples, and 2 s for the others."""
HOST_INSTRUMENTS_S = 4.0
TURN_SHARE = 2.0
"""Seconds of a turn for a second that counts: one round that warms and one that counts."""
ZYGOTE_S = 5.0
COUNTED = """
from suite.matrix.cases import cases_of
from suite.matrix.profiles import load_profile
from suite.matrix.refusals import refusal
from suite.measuring.instruments import instruments_of
from suite.records import RunPlan, WorkerSettings
from suite.registry import EXECUTIONS
def counted(name, devices):
    os.environ["NVML_DEVICES"] = devices
    cuda.driver.cache_clear()
    profile = load_profile(name)
    planned = [case for case in cases_of(profile) if not refusal(case)]
    plan = RunPlan(**profile.plan)
    kinds = [EXECUTIONS[case.execution].strategy.device_type() for case in planned]
    executions = sorted({case.execution for case in planned})
    instruments = len(instruments_of(plan, WorkerSettings()))
    return kinds.count("cpu"), kinds.count("cuda"), plan.passes, plan.case_seconds, instruments, executions
print(json.dumps([counted(*row) for row in json.loads(os.environ["ROWS"])]))
"""
ROWS = [("quick", "0"), ("quick", "1"), ("smoke", "1"), ("gpu", "1"), ("gpu_slice", "1"), ("gpus", "1"), ("gpus", "2")]
needs_compiler = pytest.mark.skipif(drivers.COMPILER is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def on_devices(tmp_path_factory):
    """Numbers of planned cases on machines with so many CUDA devices."""
    library = drivers.build(tmp_path_factory.mktemp("drivers"))
    answers = drivers.answer(library, COUNTED, ROWS=json.dumps(ROWS))
    return dict(zip(ROWS, answers, strict=True))


def seconds(on_host: int, on_device: int, passes: int, case_seconds: float, instruments: int) -> float:
    """Longest duration of a run, by the number of its cases and of its workers' starts."""
    counting = passes * 1.0 + case_seconds * TURN_SHARE  # warm-up is a second at most
    host = counting + HOST_INSTRUMENTS_S
    device = counting + (passes + instruments) * COLD_START_S + (DEVICE_INSTRUMENTS_S if instruments else 0.0)
    return passes * ZYGOTE_S + on_host * host + on_device * device


@needs_compiler
def test_quick_ends_within_five_minutes_on_one_device(on_devices):
    *counts, executions = on_devices["quick", "1"]
    assert counts[:2] == [6, 6]
    assert executions == ["cpu", "cuda"]
    assert seconds(*counts) <= 300
    assert seconds(24, 48, 3, 4.0, 4) > 1500, "as many as it had: 24 on each of cpu, cuda and data_parallel"
    assert on_devices["quick", "0"][:2] == [24, 0]


@needs_compiler
def test_smoke_ends_within_two_minutes_on_one_device(on_devices):
    *counts, _ = on_devices["smoke", "1"]
    assert seconds(*counts) <= 120


@needs_compiler
def test_profiles_of_one_device_can_end_there(on_devices):
    *counts, executions = on_devices["gpu", "1"]
    assert executions == ["cuda"]
    assert seconds(*counts) <= 2400
    on_host, on_device, passes, case_seconds, _, _ = on_devices["gpu_slice", "1"]
    assert (on_host, on_device) == (0, 16)
    assert seconds(0, on_device, passes, case_seconds, instruments=0) <= 240, "as `make test-gpu` runs it"


@needs_compiler
def test_a_profile_for_several_devices_has_no_case_on_one(on_devices):
    assert on_devices["gpus", "1"][:2] == [0, 0]
    assert on_devices["gpus", "2"][0] == 0
    assert on_devices["gpus", "2"][-1] == ["cuda", "data_parallel", "distributed", "model_parallel"]


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        (
            "[mine.with_devices]\n1 = 2",
            r"^profile 'mine': with_devices is {'1': 2}; allowed: tables by a number of CUDA ",
        ),
        ("[mine.with_devices.some]\npasses = 1", r"^profile 'mine': with_devices is "),
        ("[mine.with_devices.2]\ncolour = 3", r"^profile 'mine.with_devices.2' has a key 'colour'; "),
        ("[mine.with_devices.2]\npasses = 0", r"^profile 'mine.with_devices.2': passes is 0; allowed: "),
        (
            "[mine.with_devices.1.with_devices.2]\npasses = 1",
            r"^profile 'mine.with_devices.1' has a key 'with_devices'",
        ),
    ],
)
def test_a_table_for_devices_is_checked_on_every_machine(tmp_path, tables, sentence):
    (tmp_path / "profiles.toml").write_text(f'[mine]\nstructures = ["seed_cnn"]\n\n{tables}\n')
    with pytest.raises(StepmarkError, match=sentence):
        load_profile("mine", tmp_path / "profiles.toml")
