"""Cases are selected by an expression or shared out: what an expression can do, and that it runs nothing."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from suite.matrix.selection import selector, shard
from suite.records import Case, StepmarkError

SEED_CNN = Case("seed_cnn", "adam", "cpu")
IDS = ("seed_cnn-adam-cpu", "residual_d8w32-adamw_fused-cpu-bf16-b256", "plain_d4w32-sgd-cpu-i64", "resnet18-sgd-cpu")
WORDS = ("adam", "ADAM", "sgd", "d8w32-adamw", "b256", "nowhere", "-", "_", "And", "True", "import", "__class__", "i64")


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
    """Value of an expression tree for an id, without Python's own operators on text."""
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


@pytest.mark.parametrize(
    "expression",
    [
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("tinier and adam", "AND or -adam-cpu")),
        "not (ADAM or tinier)",
        "adam (sgd)",
    ],
)
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
