"""Designs: every pair of levels that runs here is covered, a fraction is drawn alike everywhere, records name both."""

import math
import subprocess
import sys
from dataclasses import MISSING, fields, replace
from fractions import Fraction
from itertools import combinations, product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from suite.gate.deciding.attribution import EVERY
from suite.gate.deciding.attribution import levels_of as explaining
from suite.gate.record.values import CasePair
from suite.matrix.cases import matrix_of
from suite.matrix.designs import Choice, choose, greedy_cover, is_design
from suite.matrix.profiles import load_profile
from suite.records import LEARN, Case
from suite.records.factors import FACTORS as TABLE
from suite.records.factors import NAMES as FACTORS
from suite.report.provenance import shown_selection

SIZES = {"batch_size": (8, 16, 32, 64), "image_size": (28, 32), "epochs": (12, 24)}
NAMES = {"mode": ("train", "infer")}
ORDER = (*(name for name in FACTORS if name != "task"), "task")
"""Factors of the counts below; the rarest is last."""
LARGEST = 150
"""Cases of a matrix; larger ones take seconds each."""


def matrix(counts):
    """Every combination of so many levels of each factor; one of those that are left out."""
    counts = (*counts, *[1] * (len(ORDER) - len(counts)))
    columns = [
        [f"{factor}{number}" for number in range(count)]
        if factor not in (SIZES | NAMES)
        else list((SIZES | NAMES)[factor][:count])
        for factor, count in zip(ORDER, counts, strict=True)
    ]
    return [Case(**dict(zip(ORDER, combination, strict=True))) for combination in product(*columns)]


COUNTS = st.tuples(*(st.integers(1, most) for most in (4, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2)))
MATRICES = COUNTS.filter(lambda counts: math.prod(counts) <= LARGEST).map(matrix)


@st.composite
def refusals(draw, cases):
    """A refusal of cases at random, by one level, by pairs of levels as real executions do, or all of these."""
    seldom = st.lists(st.sampled_from(cases), max_size=3)
    whole = {case.execution for case in draw(seldom)} if draw(st.booleans()) else set()
    pairs = {(case.structure, case.image_size) for case in draw(seldom)}
    triples = {(case.structure, case.execution, case.tuning) for case in draw(seldom)}
    random = draw(st.randoms(use_true_random=False)) if draw(st.booleans()) else None
    alone = {case.id for case in cases if random and random.random() < 0.5}

    def refusal(case):
        if case.execution in whole:
            return f"no device for {case.execution}"
        if (case.structure, case.image_size) in pairs or (case.structure, case.execution, case.tuning) in triples:
            return "these do not go together"
        return "not today" if case.id in alone else ""

    return refusal


MATRICES_WITH_REFUSALS = MATRICES.flatmap(lambda cases: st.tuples(st.just(cases), refusals(cases)))
DESIGNS = st.just("pairwise") | st.floats(0.001, 0.999)


def pairs_of(cases):
    """Every two levels of two factors that stand together in a case."""
    return {
        (one, getattr(case, one), other, getattr(case, other))
        for case in cases
        for one, other in combinations(FACTORS, 2)
    }


def levels_of(cases):
    """Every level that stands in a case."""
    return {(factor, getattr(case, factor)) for case in cases for factor in FACTORS}


def runs_everywhere(case):
    return ""


def runs_nowhere(case):
    return "no device is here"


def runs_in_parts(case):
    return "not this small" if case.batch_size == 8 and case.structure.endswith("1") else ""


# Any design


@given(MATRICES_WITH_REFUSALS, DESIGNS)
def test_chosen_cases_run_here_and_keep_the_order_of_the_matrix(made, design):
    cases, refusal = made
    runnable = [case for case in cases if not refusal(case)]
    assume(runnable)
    choice = choose(cases, design, refusal)
    chosen = set(choice.cases)
    assert choice.cases == [case for case in runnable if case in chosen] != []
    assert choice.matrix_cases == len(cases)
    assert sum(choice.refused.values()) == len(cases) - len(runnable)
    assert set(choice.refused) == {refusal(case) for case in cases} - {""}
    assert choose(cases, design, refusal) == choice


@pytest.mark.parametrize("design", ["full", "pairwise", 0.01])
def test_a_matrix_that_cannot_run_here_keeps_every_case_with_its_reason(design):
    cases = matrix((3, 2, 2, 1, 1, 1, 1, 1))
    assert choose(cases, design, runs_nowhere) == Choice(design, cases, 12)


def test_the_full_design_asks_no_case_whether_it_runs():
    cases = matrix((3, 2, 2, 1, 1, 1, 1, 1))

    def refusal(case):
        raise AssertionError(case)

    assert choose(cases, "full", refusal) == Choice("full", cases, 12)


@pytest.mark.parametrize("design", ["pairwise", 0.3])
def test_no_case_is_no_choice(design):
    assert choose([], design, runs_everywhere).cases == []


@pytest.mark.slow
def test_the_same_is_chosen_whatever_python_hashes_by():
    code = (
        "from tests.matrix.test_designs import *; cases = matrix((5, 4, 2, 3, 1, 2, 1, 1));"
        "print([[case.id for case in choose(cases, one, runs_in_parts).cases] for one in ('pairwise', 0.2)])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1


# Every pair


@given(MATRICES_WITH_REFUSALS)
def test_every_pair_of_levels_that_any_runnable_case_holds_is_in_a_chosen_one(made):
    cases, refusal = made
    runnable = [case for case in cases if not refusal(case)]
    assume(runnable)
    assert pairs_of(choose(cases, "pairwise", refusal).cases) == pairs_of(runnable)


@pytest.mark.parametrize(
    ("counts", "most"),
    [
        ((6, 4, 3, 3, 2, 1, 1, 1), 26),  # 432 cases; no fewer than 24 can hold the pairs of the two largest factors
        ((12, 6, 3, 4, 2, 1, 1, 1), 80),  # 1,728 cases; no fewer than 72
        ((30, 8, 1, 1, 1, 1, 1, 1), 240),  # two factors: their product, nothing is left out
    ],
)
def test_a_pairwise_design_is_near_the_least_number_of_cases(counts, most):
    chosen = choose(matrix(counts), "pairwise", runs_everywhere).cases
    assert sorted(counts)[-1] * sorted(counts)[-2] <= len(chosen) <= most


def test_with_one_factor_every_level_is_chosen():
    cases = matrix((5, 1, 1, 1, 1, 1, 1, 1))
    assert choose(cases, "pairwise", runs_everywhere).cases == cases


def test_an_inferring_case_without_its_own_optimizers_does_not_spoil_the_array():
    cases = [case for case in matrix((6, 4, 1, 3, 3, 2, 1, 2)) if case.mode == "train" or case.optimizer[-1] == "0"]
    chosen = choose(cases, "pairwise", runs_everywhere).cases
    assert pairs_of(chosen) == pairs_of(cases)
    assert len(chosen) <= 28


def test_pairs_that_the_library_misses_are_covered_all_the_same(monkeypatch):
    import covertable

    def make(levels, constraints):
        return [[column[0] for column in levels], ["not", "a", "case"]]

    monkeypatch.setattr(covertable, "make", make)
    cases = matrix((4, 3, 2, 1, 1, 1, 1, 1))
    assert pairs_of(choose(cases, "pairwise", runs_everywhere).cases) == pairs_of(cases)


# A fraction


@given(MATRICES_WITH_REFUSALS, st.integers(1, 999))
def test_a_fraction_of_what_runs_here_is_drawn_rounded_up(made, thousandths):
    cases, refusal = made
    runnable = sum(not refusal(case) for case in cases)
    assume(runnable)
    expected = math.ceil(Fraction(thousandths, 1000) * runnable)
    assert len(choose(cases, thousandths / 1000, refusal).cases) == expected


@pytest.mark.parametrize(("fraction", "count"), [(0.07, 7), (0.0701, 8), (1e-9, 1), (0.5, 50), (0.999, 100)])
def test_a_fraction_is_exact_as_written(fraction, count):
    cases = matrix((5, 5, 4, 1, 1, 1, 1, 1))  # 0.07 * 100 is above 7 in binary
    assert len(choose(cases, fraction, runs_everywhere).cases) == count


@given(MATRICES_WITH_REFUSALS, st.floats(0.001, 0.999))
def test_every_level_is_drawn_where_the_fraction_allows_it(made, fraction):
    cases, refusal = made
    runnable = [case for case in cases if not refusal(case)]
    assume(runnable)
    chosen = choose(cases, fraction, refusal).cases
    if len(chosen) > len(levels_of(runnable)) - len(FACTORS):  # the first holds a level of each, each other one more
        assert levels_of(chosen) == levels_of(runnable)


@given(MATRICES, st.floats(0.001, 0.999))
def test_as_many_cases_as_the_largest_factor_has_levels_contain_every_level(cases, fraction):
    chosen = choose(cases, fraction, runs_everywhere).cases
    largest = max(len({getattr(case, factor) for case in cases}) for factor in FACTORS)
    assert (levels_of(chosen) == levels_of(cases)) is (len(chosen) >= largest)


@given(MATRICES, st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_a_larger_fraction_draws_the_same_cases_and_more(cases, one, other):
    smaller, larger = (set(choose(cases, each, runs_everywhere).cases) for each in sorted((one, other)))
    assert smaller <= larger


@given(MATRICES, st.floats(0.001, 0.999), st.randoms(use_true_random=False))
def test_the_order_of_the_levels_changes_no_draw(cases, fraction, random):
    mixed = random.sample(cases, len(cases))
    assert set(choose(cases, fraction, runs_everywhere).cases) == set(choose(mixed, fraction, runs_everywhere).cases)


def test_a_draw_prefers_no_level():
    cases = matrix((5, 4, 2, 3, 1, 4, 2, 1))
    drawn = choose(cases, 0.5, runs_everywhere).cases
    for factor, level in levels_of(cases):
        share = sum(getattr(case, factor) == level for case in drawn) / sum(
            getattr(case, factor) == level for case in cases
        )
        assert 0.4 < share < 0.6, (factor, level)


# Greedy covering


def test_the_one_that_brings_most_is_taken_first_and_of_equals_the_first():
    parts = {"a": {1, 2}, "b": {3, 4, 5}, "c": {4, 5, 6}, "d": {6, 9}, "e": {1}}
    assert list(greedy_cover(list(parts), parts, {1, 2, 3, 4, 5, 6})) == ["b", "a", "c"]


@given(st.lists(st.frozensets(st.integers(0, 9)), max_size=12), st.frozensets(st.integers(0, 9)))
def test_each_step_takes_one_that_brings_as_much_as_any(sets, wanted):
    parts = {str(number): held for number, held in enumerate(sets)}
    for one in greedy_cover(list(parts), parts, wanted):
        assert len(parts[one] & wanted) == max(len(held & wanted) for held in sets) > 0
        wanted -= parts[one]
    assert not wanted & frozenset().union(*sets)


# Telling


@pytest.mark.parametrize("value", ["full", "pairwise", 0.25, 1e-9, 0.999])
def test_these_are_designs(value):
    assert is_design(value)


@pytest.mark.parametrize("value", ["", "Full", "0.25", 0, 1, 1.0, 0.0, -0.5, math.nan, math.inf, True, None, [0.5], {}])
def test_these_are_no_designs(value):
    assert not is_design(value)


@pytest.mark.parametrize(
    ("design", "chosen", "shown"),
    [("full", 12, "full"), ("pairwise", 4, "pairwise: 4 of 12 cases"), (0.25, 3, "0.25: 3 of 12 cases")],
)
def test_the_record_and_the_page_say_which_design_it_was_and_how_many_of_how_many(design, chosen, shown):
    facts = Choice(design, matrix((3, 2, 2, 1, 1, 1, 1, 1))[:chosen], 12).facts
    assert facts == {"design": design, "design_cases": chosen, "matrix_cases": 12, "refused_cases": 0}
    assert shown_selection({"profile": "mine", **facts, "shard": None}) == {
        "profile": "mine",
        "design": shown,
        "shard": None,
    }


def test_a_record_without_counts_of_its_design_is_shown_without_them():
    selection = {"profile": "quick", "design": "full", "shard": None}
    assert shown_selection(selection) == selection


EVERY_FACTOR = """
[both]
structures = ["seed_cnn", "residual_d8w32", "transformer_d2w64h4"]
optimizers = ["sgd", "adam"]
executions = ["cpu", "distributed_r1"]
tasks = ["classify", "next_token"]
tunings = ["eager", "channels_last"]
inputs = ["synthetic", "loader_w2"]
batch_sizes = [8, 16]
image_sizes = [28, 32]
modes = ["train", "learn"]
schedules = ["constant", "cosine"]
epochs = [2, 3]
design = {design}
"""
"""Two levels of each factor."""


def test_each_factor_of_a_case_is_in_the_table():
    assert {*FACTORS, "seed"} == {one.name for one in fields(Case)}
    assert len({one.key for one in TABLE}) == len(TABLE)
    defaults = {one.name: one.default for one in fields(Case) if one.default is not MISSING}
    assert defaults == {one.name: one.default for one in TABLE if one.default is not None} | {"seed": 0}


@pytest.mark.parametrize("design", ['"full"', '"pairwise"', "0.2"])
def test_each_level_of_each_factor_of_a_profile_is_covered_by_each_design(tmp_path, design):
    (tmp_path / "profiles.toml").write_text(EVERY_FACTOR.format(design=design))
    profile = load_profile("both", tmp_path / "profiles.toml")
    cases = matrix_of(profile)
    chosen = choose(cases, profile.design, runs_everywhere).cases
    for factor in TABLE:
        assert len({factor.level_of(case) for case in chosen}) >= 2, factor.name
    assert levels_of(chosen) == levels_of(cases)
    if profile.design == "pairwise":
        assert pairs_of(chosen) == pairs_of(cases)
        assert len(chosen) < len(cases) / 20
    learning = {(case.schedule, case.epochs) for case in chosen if case.mode == LEARN}
    assert len(learning) == 4


@pytest.mark.parametrize("name", FACTORS)
def test_each_factor_can_explain_a_slowdown(name):
    """A level is an explanation where two cases have it."""
    first = Case("one", "sgd", "cpu", mode=LEARN)
    levels = [first, replace(first, **{name: {"epochs": 3, "batch_size": 3, "image_size": 3}.get(name, "other")})]
    cases = [replace(one, seed=seed) for one in levels for seed in (0, 1)]
    named = explaining([CasePair(case.id, case, case, False) for case in cases])
    assert set(named) == {EVERY, *(f"{name} {getattr(one, name)}" for one in levels)}
