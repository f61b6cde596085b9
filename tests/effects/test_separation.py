"""Shares of variance agree with other implementations; terms that the cases cannot separate are named."""

import math
from itertools import product

import numpy as np
import pytest

from suite.analysis.estimates import MedianError
from suite.effects.linear_model import Design, Fit
from suite.effects.separation import separation
from suite.effects.text import share_notes
from suite.effects.values import Value
from suite.records import Case, RunRecord

STRUCTURES, OPTIMIZERS, TUNINGS = ("a", "b", "c", "d"), ("sgd", "adam", "rmsprop"), ("eager", "bf16")


def value(levels, response: float, variance: float = 1e-4) -> Value:
    """A case with that response."""
    structure, optimizer, tuning = levels
    record = RunRecord(Case(structure, optimizer, "cpu", tuning), "measured")
    return Value(record, math.exp(response), response, MedianError(variance, 20.0))


def responses(count: int, seed: int = 0) -> list[float]:
    """Numbers of a fixed series, the same with every version of numpy."""
    return [math.sin(1.7 * place + seed) + 0.1 * math.cos(5.1 * place) for place in range(count)]


CELLS = list(product(STRUCTURES, OPTIMIZERS, TUNINGS))
FULL = [value(cell, response) for cell, response in zip(CELLS, responses(len(CELLS)), strict=True)]
UNBALANCED = [one for place, one in enumerate(FULL) if place not in (1, 6, 15)]
"""21 of the 24 cells."""


def squares(values) -> float:
    """Sum of squares of the responses about their mean."""
    middle = sum(one.response for one in values) / len(values)
    return sum((one.response - middle) ** 2 for one in values)


def shares(values) -> dict[tuple[str, ...], float]:
    """The known shares by term."""
    return {one.term: one.share for one in separation(values).shares}


def test_shares_of_a_full_matrix_are_those_of_the_means_of_its_levels():
    found, whole = shares(FULL), np.array([one.response for one in FULL]).reshape(4, 3, 2)
    total = np.sum((whole - whole.mean()) ** 2)
    main = 6 * np.sum((whole.mean(axis=(1, 2)) - whole.mean()) ** 2)
    both = whole.mean(axis=2)
    rows, columns = whole.mean(axis=(1, 2)), whole.mean(axis=(0, 2))
    interaction = 2 * np.sum((both - rows[:, None] - columns[None, :] + whole.mean()) ** 2)
    assert found["structure",] == pytest.approx(main / total, abs=1e-12)
    assert found["structure", "optimizer"] == pytest.approx(interaction / total, abs=1e-12)
    assert sum(found.values()) + separation(FULL).rest == pytest.approx(1.0, abs=1e-12)


def test_shares_of_an_unbalanced_matrix_are_those_of_statsmodels():
    """`anova_lm(ols("y ~ (structure + optimizer + tuning) ** 2", cases).fit(), typ=2)` of statsmodels 0.15.0."""
    total = squares(UNBALANCED)
    found = {term: share * total for term, share in shares(UNBALANCED).items()}
    assert found == pytest.approx(STATSMODELS, abs=5e-7)


STATSMODELS = {
    ("structure",): 0.0627073,
    ("optimizer",): 0.8500773,
    ("tuning",): 0.0921944,
    ("structure", "optimizer"): 7.6872509,
    ("structure", "tuning"): 3.8953220,
    ("optimizer", "tuning"): 2.7832609,
}
"""Sums of squares of type II."""


def test_noise_alone_has_a_share_and_cases_that_were_read_once_have_none():
    assert separation(FULL).noise == pytest.approx(23 * 1e-4 / squares(FULL))
    assert separation([Value(one.record, one.value, one.response, None) for one in FULL]).noise is None


def test_a_half_fraction_names_what_each_term_cannot_be_separated_from():
    """The four of eight cells whose third level is the product of the others: A = BC, B = AC, C = AB."""
    half = [
        value((STRUCTURES[one], OPTIMIZERS[other], TUNINGS[(one + other) % 2]), response)
        for (one, other), response in zip(product(range(2), range(2)), responses(4), strict=True)
    ]
    aliases = {one.term: one.aliases for one in separation(half).shares}
    assert aliases["structure",] == (("optimizer", "tuning"),)
    assert aliases["optimizer",] == (("structure", "tuning"),)
    assert aliases["structure", "optimizer"] == (("tuning",),)
    assert aliases["structure", "tuning"] == (("optimizer",),)
    assert all(one.degrees == 0 and one.share is None for one in separation(half).shares)


def test_two_factors_that_always_change_together_cannot_be_separated():
    paired = [
        value((one, other, "eager"), response)
        for one, other, response in zip("aab", ("sgd", "sgd", "adam"), (1, 2, 3), strict=True)
    ]
    found = {one.term: one for one in separation(paired).shares}
    assert found["structure",].aliases == (("optimizer",),)
    assert found["optimizer",].share is None


def test_equal_cases_and_a_single_case_have_no_variance_to_share():
    assert separation(FULL[:1]) is None
    assert separation([value(cell, 1.0) for cell in CELLS]) is None


def test_with_too_many_interactions_the_shares_are_those_of_main_effects_alone():
    """As in a thinned design of many levels: each level of one factor is seen with a few of the other."""
    cells = [(one, other) for one, other in product(range(20), range(20)) if (one + other) % 4 == 0]
    wide = [value((f"s{one}", f"o{other}", "eager"), 0.3 * one + 0.1 * other) for one, other in cells]
    found = separation(wide)
    assert found.too_wide == 19 + 19 + 19 * 19
    assert [one.term for one in found.shares] == [("structure",), ("optimizer",)]
    assert found.shares[0].share > 5 * found.shares[1].share > 0
    assert found.rest == pytest.approx(0.0, abs=1e-9), "the responses are sums of main effects"
    assert any("main effects alone: a model with interactions has 399 columns" in note for note in share_notes(found))


def test_with_too_many_columns_of_main_effects_there_is_no_share():
    wide = [value((f"s{one}", f"o{one % 7}", "eager"), 0.1 * one) for one in range(310)]
    found = separation(wide)
    assert (found.shares, found.too_wide) == ((), 309 + 6 + 309 * 6)
    assert list(share_notes(found)) == [
        "no share of variance: a model of 2,169 columns is too large; -k selects fewer cases"
    ]


def test_a_contrast_that_the_cases_do_not_determine_has_no_estimate():
    design = Design({"one": ("a", "b", "c")}, [("a",), ("b",), ("a",), ("b",)])
    fit = Fit(design, (("one",),), np.array([1.0, 2.0, 1.1, 2.1]))
    first, second, third = design.matrix(fit.terms, [("a",), ("b",), ("c",)])
    assert fit.contrast(second - first).middle == pytest.approx(1.0)
    assert fit.contrast(third - first) is None


def test_a_fit_agrees_with_the_normal_equations():
    design = Design({"one": ("a", "b"), "other": ("x", "y", "z")}, [*product("ab", "xyz"), ("a", "x"), ("b", "z")])
    found = np.array(responses(8))
    fit = Fit(design, (("one",), ("other",)), found)
    matrix = design.matrix(fit.terms)
    inverse = np.linalg.inv(matrix.T @ matrix)
    coefficients = inverse @ matrix.T @ found
    residuals = found - matrix @ coefficients
    (row,) = design.matrix(fit.terms, [("b", "z")])
    size = fit.prediction(row)
    error = math.sqrt(np.sum(residuals**2) / 4 * (1 + row @ inverse @ row))
    assert size.middle == pytest.approx(row @ coefficients, abs=1e-12)
    assert size.high - size.middle == pytest.approx(2.7764451 * error, rel=1e-6)  # Student's t, 4 degrees of freedom
    for place in range(8):
        others = [one for one in range(8) if one != place]
        alone = Fit(Design(design.levels, [design.rows[one] for one in others]), fit.terms, found[others])
        assert fit.left_out_errors()[place] == pytest.approx(
            found[place] - alone.prediction(matrix[place]).middle, abs=1e-10
        )
