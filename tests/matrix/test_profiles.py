"""Profiles become cases, and cases are selected: what is crossed, what is refused, what an expression can do."""

import subprocess
import sys
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from suite.matrix.profiles import cases_of, choice_of, load_profile, matrix_of, refusal, refuse_twins, selector, shard
from suite.records import Case, StepmarkError

SEED_CNN = Case("seed_cnn", "adam", "cpu")
IDS = ("seed_cnn-adam-cpu", "residual_d8w32-adamw_fused-cpu-bf16-b256", "plain_d4w32-sgd-cpu-i64", "resnet18-sgd-cpu")
WORDS = ("adam", "ADAM", "sgd", "d8w32-adamw", "b256", "nowhere", "-", "_", "And", "True", "import", "__class__", "i64")


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
        ("passes = 0", "passes is 0; allowed: a number above 0."),
        ("passes = true", "passes is True; allowed: a number above 0."),
        ("epochs = [1]", "epochs is [1]; allowed: a list of whole numbers from 2."),
        ('case_seconds = "long"', "case_seconds is 'long'; allowed: a number above 0."),
        ("target_precision = -0.5", "target_precision is -0.5; allowed: a number above 0."),
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
    assert {case.structure for case in cases} == set(STRUCTURES)
    assert {case.optimizer for case in cases} == set(OPTIMIZERS)
    assert {case.execution for case in cases} == set(EXECUTIONS)
    assert len(cases) == len(STRUCTURES) * len(OPTIMIZERS) * len(EXECUTIONS)
    assert {(case.tuning, case.input, case.batch_size, case.image_size, case.mode) for case in cases} == {
        ("eager", "synthetic", 64, 28, "train")
    }


def test_the_full_profile_is_the_product_of_its_levels():
    from suite.registry import EXECUTIONS, OPTIMIZERS, STRUCTURES

    full = choice_of(load_profile("full"))
    assert len(full.cases) == full.matrix_cases == len(STRUCTURES) * len(OPTIMIZERS) * len(EXECUTIONS)


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
        refuse_twins(twins)
    refuse_twins(twins[:2])


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


# Shards


@given(st.integers(0, 60), st.integers(1, 70))
def test_the_parts_of_a_shard_hold_every_case_once_and_differ_by_one_at_most(count, parts):
    cases = [Case("seed_cnn", "adam", "cpu", batch_size=1 + number) for number in range(count)]
    shards = [shard(cases, f"{part}/{parts}") for part in range(1, parts + 1)]
    assert sorted((case for part in shards for case in part), key=lambda case: case.batch_size) == cases
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@given(st.text(alphabet="0123/ -x.", max_size=6) | st.text(max_size=8))
@example("0/2")
@example("3/2")
@example("1/0")
@example("-1/2")
@example("1/2/3")
def test_a_shard_is_a_part_or_one_sentence(text):
    first, _, last = text.partition("/")
    if first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last):
        assert shard([SEED_CNN], text) == ([SEED_CNN] if int(first) == 1 else [])
    else:
        with pytest.raises(StepmarkError) as refused:
            shard([SEED_CNN], text)
        assert str(refused.value) == f"--shard is {text!r}; allowed: I/N with 1 <= I <= N, such as 2/3."


# Selection


def written(tree, brackets=False):
    """An expression tree as a user would type it."""
    if isinstance(tree, str):
        return tree
    operator, *parts = tree
    if operator == "not":
        text = f"not {written(parts[0], brackets=not isinstance(parts[0], str))}"
    else:
        text = f" {operator} ".join(written(part, brackets=not isinstance(part, str)) for part in parts)
    return f"({text})" if brackets else text


def holds(tree, case_id):
    """What an expression tree says of an id, told without Python's own operators on text."""
    if isinstance(tree, str):
        return case_id.lower().find(tree.lower()) >= 0
    operator, *parts = tree
    values = [holds(part, case_id) for part in parts]
    return {"not": not values[0], "and": min(values), "or": max(values)}[operator]


TREES = st.recursive(
    st.sampled_from(WORDS),
    lambda inner: (
        st.tuples(st.just("not"), inner) | st.tuples(st.sampled_from(["and", "or"]), inner, inner, inner | inner)
    ),
    max_leaves=8,
)


@given(TREES, st.sampled_from(IDS))
def test_an_expression_selects_as_its_words_and_operators_say(tree, case_id):
    assert selector(written(tree))(case_id) is bool(holds(tree, case_id))


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("not adam and sgd", (2, 3)),  # `not` binds closer than `and`
        ("adam or sgd and i64", (0, 1, 2)),  # `and` binds closer than `or`
        ("(adam or sgd) and i64", (2,)),
        ("not not adam", (0, 1)),
        ("not(adam)and(sgd)", (2, 3)),
        ("  adam\tor i64 ", (0, 1, 2)),
        ("", (0, 1, 2, 3)),
        ("   ", (0, 1, 2, 3)),
    ],
)
def test_operators_bind_as_they_do_in_pytest(expression, selected):
    selects = selector(expression)
    assert tuple(place for place, case_id in enumerate(IDS) if selects(case_id)) == selected


@pytest.mark.parametrize("expression", ["tinier and adam", "not (ADAM or tinier)", "AND or -adam-cpu", "adam (sgd)"])
def test_an_expression_means_the_same_to_pytest(desk, expression):
    collected = desk.run("--profile", "tiny", "--collect-only", "-q", "-k", expression)
    theirs = {
        line.partition("[")[2].rstrip("]") for line in collected.out.splitlines() if "test_training_step[" in line
    }
    try:
        selects = selector(expression)
    except StepmarkError:
        assert collected.code == 4, collected.out
    else:
        ids = [
            f"{structure}-{optimizer}-cpu-b4-i8"
            for structure in ("tiny", "tinier")
            for optimizer in ("sgd_momentum", "adam")
        ]
        assert theirs == {case_id for case_id in ids if selects(case_id)}


BAD_EXPRESSIONS = [
    "and",
    "adam and",
    "or adam",
    "not",
    "adam not sgd",
    "adam sgd",
    "(adam",
    "adam)",
    "()",
    "not ()",
    "adam (sgd)",
    "(adam)(sgd)",
    "()()",
    "adam, sgd",
    "adam == sgd",
    "'adam'",
    "adam\0",
    "adam # sgd",
    "lambda: 0",
    "[c for c in x]",
    "(" * 500 + "adam" + ")" * 500,
    "not " * 5_000 + "adam",
    "not " * 50_000 + "adam",
]


@pytest.mark.parametrize("expression", BAD_EXPRESSIONS, ids=lambda text: text[:20].replace("\0", "NUL"))
def test_a_wrong_expression_is_one_sentence(expression):
    with pytest.raises(StepmarkError) as refused:
        selector(expression)
    assert str(refused.value) == f"-k is {expression!r}; allowed: words joined by and, or, not and brackets."


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([*WORDS, "(", ")", "and", "or", "not", ",", "word0", "case_id"]), max_size=8).map(" ".join)
    | st.text(max_size=20)
)
def test_any_text_is_an_expression_or_one_sentence(text):
    try:
        selects = selector(text)
    except StepmarkError:
        return
    assert all(isinstance(selects(case_id), bool) for case_id in IDS)


HOSTILE = [
    "__import__('os').system('touch {}')",
    "().__class__.__base__.__subclasses__()",
    "open('{}','w')",
    "(open)('{}')",
    "exec(open)",
    "word0 := 1",
    "{{}}.__class__",
    "__builtins__ and __import__ ( os )",
    "'x' in case_id) or (open('{}','w')",
    'f"{{open(1)}}"',
    "[x for x in ()]",
    "*word0",
    "word0 if word1 else word2",
]


@pytest.mark.parametrize("expression", HOSTILE)
def test_an_expression_runs_nothing(tmp_path, expression):
    touched = tmp_path / "touched"
    with pytest.raises(StepmarkError):
        selector(expression.format(touched))
    assert not touched.exists()


@pytest.mark.parametrize(
    "word", ["__import__", "__builtins__", "word0", "words", "case_id", "True", "None", "eval", "1"]
)
def test_a_name_of_python_is_a_word_like_any_other(word):
    assert not selector(word)("seed_cnn-adam-cpu")
    assert selector(f"not {word}")("seed_cnn-adam-cpu")
    assert selector(word)(f"seed_cnn-{word.lower()}-cpu")


def test_a_long_expression_is_no_problem():
    assert selector(" or ".join(["nowhere"] * 5_000 + ["adam"]))(SEED_CNN.id)
