"""The gate's statistics, each piece against another implementation or a count by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from suite.gate.deciding.statistics import spending
from suite.gate.deciding.statistics.moderation import moderated, prior, trigamma_inverse
from suite.gate.deciding.statistics.multiplicity import benjamini_hochberg, holm
from suite.gate.deciding.statistics.serial_dependence import resemblance
from suite.gate.deciding.statistics.sign_flips import ALL_WORLDS_UP_TO, REACH, alone, signs, statistics, stepwise
from suite.gate.deciding.statistics.trimming import SHARE, trimmed
from suite.gate.record.paired_rounds import balanced

VARIANCES = np.array([0.00012, 0.00034, 0.00021, 0.00090, 0.00015, 0.00027, 0.00044, 0.00011])


@pytest.mark.parametrize(
    ("degrees", "own", "value", "drawn"),
    [
        (
            [9.0] * 8,
            8.63330212941748,
            0.000248441801205748,
            [
                *(0.000182885378343621, 0.000295172911641017, 0.000228821187419829, 0.000580995723670751),
                *(0.000198197314702357, 0.000259445060137300, 0.000346212699503469, 0.000177781399557376),
            ],
        ),
        (
            [9.0, 9.0, 13.0, 9.0, 5.0, 9.0, 9.0, 19.0],
            8.59215473687516,
            0.00024829221814992,
            [
                *(0.000182658986711304, 0.000295209156353098, 0.000225237602155583, 0.000581700497259485),
                *(0.000212134515396855, 0.000259397738739800, 0.000346368324372096, 0.000153063984983450),
            ],
        ),
    ],
    ids=["alike", "unlike"],
)
def test_variances_are_moderated_as_limma_does(degrees, own, value, drawn):
    """Expected: `squeezeVar` of limma 3.54.1 under R, on the same numbers."""
    degrees = np.array(degrees)
    assert [float(one) for one in prior(VARIANCES, degrees)] == pytest.approx([own, value], rel=1e-9)
    found, freedom = moderated(VARIANCES, degrees)
    assert found == pytest.approx(drawn, rel=1e-9)
    assert freedom == pytest.approx(np.minimum(own + degrees, degrees.sum()))


def test_variances_that_differ_by_no_more_than_chance_become_one():
    """Expected: limma gives infinitely many degrees to the prior, and 1.05 to each."""
    found, freedom = moderated(np.array([1.0, 1.1] * 4), np.full(8, 9.0))
    assert found == pytest.approx([1.05] * 8)
    assert freedom == pytest.approx([72.0] * 8), "no more than all cases have together"


def test_a_single_variance_stays_what_it_is():
    found, freedom = moderated(np.array([0.3]), np.array([7.0]))
    assert (found[0], freedom[0]) == (pytest.approx(0.3), 7.0)


def test_trigamma_is_inverted_as_limma_does():
    """Expected: `trigammaInverse` of limma 3.54.1."""
    expected = [100.499166681943194, 2.459952948352307, 1.426255120215079, 0.876664077464260, 0.100723758800053]
    assert trigamma_inverse(np.array([0.01, 0.5, 1.0, 2.0, 100.0])) == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.floats(1e-8, 1.0), min_size=2, max_size=30), st.integers(2, 40))
def test_a_moderated_variance_lies_between_the_smallest_and_the_largest_or_all_are_one(variances, blocks):
    found, _ = moderated(np.array(variances), np.full(len(variances), blocks - 1.0))
    assert (found > 0).all()
    assert np.ptp(found) <= np.ptp(variances) * (1 + 1e-9)


def by_hand(ratios: np.ndarray) -> list[float]:
    """Share of all worlds whose largest statistic reaches a column's own, among those that are no larger."""
    worlds = np.array(list(itertools.product((1.0, -1.0), repeat=len(ratios))))
    found = statistics(ratios, worlds)
    p_values, left, before = {}, list(range(ratios.shape[1])), 0.0
    while left:
        largest = max(left, key=lambda place: found[0, place])
        share = np.mean([max(world[left]) >= found[0, largest] - 1e-12 for world in found])
        before = p_values[largest] = max(before, float(share))
        left.remove(largest)
    return [p_values[place] for place in range(ratios.shape[1])]


def test_joint_p_values_are_counted_over_every_world_and_one_column_after_the_other():
    ratios = np.random.default_rng(3).normal([0.4, 0.8, 0.1, 1.5], 1.0, size=(7, 4))
    assert stepwise(ratios, seed=0) == pytest.approx(by_hand(ratios))


def test_a_joint_p_value_is_no_smaller_than_that_of_the_column_alone_and_of_one_before_it():
    ratios = np.random.default_rng(4).normal(0.5, 1.0, size=(8, 5))
    p_values, own = stepwise(ratios, seed=0), statistics(ratios, np.ones((1, 8)))[0]
    assert all(p_values[place] >= alone(ratios[:, place]) - 0.005 for place in range(5))
    assert list(p_values[np.argsort(-own)]) == sorted(p_values)


def test_columns_that_do_not_differ_are_rejected_in_their_share_whatever_the_others_do():
    """2,000 tables of nine blocks: three columns of correlated noise, and five that are far above 0."""
    chance = np.random.default_rng(8)
    means = np.array([0.0] * 3 + [5.0] * 5)
    wrong = 0
    for _ in range(2000):
        ratios = means + chance.normal(size=(9, 1)) + chance.normal(size=(9, 8))
        wrong += min(stepwise(ratios, seed=0)[:3]) <= 0.05
    assert wrong <= stats.binom.ppf(0.997, 2000, 0.05)


def test_one_column_agrees_with_scipys_permutation_test():
    ratios = np.random.default_rng(5).normal(0.5, 1.0, size=10)
    limit = REACH * np.median(np.abs(ratios))
    other = stats.permutation_test(
        (np.clip(ratios, -limit, limit),),
        lambda values, axis: values.mean(axis) / (values.std(axis, ddof=1) / math.sqrt(len(ratios))),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
    )
    assert stepwise(ratios[:, None], seed=0)[0] == pytest.approx(other.pvalue)


def test_worlds_of_one_column_are_counted_as_if_each_were_looked_at():
    for seed in range(5):
        ratios = np.random.default_rng(seed).normal(0.8, 1.0, size=(9, 1))
        assert alone(ratios[:, 0]) == pytest.approx(by_hand(ratios)[0])


@given(st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=10))
def test_no_world_of_one_column_is_missed(column):
    values = np.array(column)
    limit = REACH * np.median(np.abs(values))
    sizes = np.clip(values, -limit, limit)
    sums = [float(np.dot(world, sizes)) for world in itertools.product((1.0, -1.0), repeat=len(sizes))]
    assert alone(values) >= np.mean([one >= sizes.sum() + 1e-9 for one in sums])
    assert alone(values) <= 1


def test_one_column_of_many_blocks_can_show_what_a_late_look_of_many_cases_may_claim():
    """Worlds that are drawn by chance cannot: of 20,000 the smallest share is 1 / 20,000."""
    assert alone(np.full(40, 0.01)) == 2.0**-40
    assert alone(np.array([0.01, math.nan, 0.02])) == 0.25
    assert alone(np.array([0.01, math.nan])) == alone(np.zeros(5)) == 1.0


def test_one_disturbed_block_costs_a_slowdown_no_more_than_its_sign():
    quiet = np.full((10, 1), 0.03) + np.linspace(-0.001, 0.001, 10)[:, None]
    disturbed = quiet.copy()
    disturbed[3] = -0.9
    assert stepwise(quiet, seed=0)[0] == 1 / 1024
    assert stepwise(disturbed, seed=0)[0] == 11 / 1024


@given(st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=5, max_size=40).filter(lambda one: len(one) % 5 == 0))
def test_the_middle_of_numbers_is_known_as_scipy_says(numbers):
    """Scipy divides by the share that was asked for; ours by what was cut, which is the same for whole fives."""
    values = np.array(numbers)
    mean, variance, degrees = trimmed(values)
    assert mean == pytest.approx(stats.trim_mean(values, SHARE), abs=1e-12)
    error = stats.mstats.trimmed_stde(values, limits=(SHARE, SHARE))
    assert math.sqrt(variance / len(values)) == pytest.approx(float(error), abs=1e-9)
    assert degrees == len(values) - 2 * int(SHARE * len(values)) - 1


def test_worlds_drawn_by_chance_agree_with_all_of_them():
    ratios = np.random.default_rng(7).normal(0.5, 1.0, size=(ALL_WORLDS_UP_TO + 1, 1))
    assert stepwise(ratios, seed=1)[0] == pytest.approx(by_hand(ratios)[0], abs=0.01)


def test_the_first_world_is_the_one_that_was_measured():
    for blocks in (3, ALL_WORLDS_UP_TO + 3):
        assert signs(blocks, seed=0)[0].tolist() == [1.0] * blocks


def test_a_case_that_was_measured_once_or_never_has_no_p_value():
    ratios = np.array([[0.1, math.nan, math.nan], [0.2, 0.3, math.nan], [0.15, math.nan, math.nan]])
    assert stepwise(ratios, seed=0)[1:].tolist() == [1.0, 1.0]


def drifting(chance: np.random.Generator, blocks: int, cases: int, correlation: float) -> np.ndarray:
    """Blocks in which each case's noise is alike to its own in the block before."""
    values = [chance.normal(size=cases)]
    for _ in range(blocks - 1):
        values.append(correlation * values[-1] + math.sqrt(1 - correlation**2) * chance.normal(size=cases))
    return np.array(values)


def test_independent_blocks_seem_to_depend_on_each_other_in_the_share_that_is_said():
    """300 gates whose cases have much in common, and of which most are left out after ten blocks."""
    chance, alarms = np.random.default_rng(2), 0
    for _ in range(300):
        ratios = chance.standard_t(3, size=(16, 8)) + 2 * chance.standard_t(3, size=(16, 1))
        ratios[10:, 2:] = math.nan
        alarms += resemblance(ratios, [10], seed=0).p_value <= 0.05
    assert alarms <= stats.binom.ppf(0.997, 300, 0.05)


def test_blocks_that_depend_on_each_other_are_found_in_many_cases():
    chance = np.random.default_rng(3)
    found = [resemblance(drifting(chance, 10, 24, 0.9), [], seed=0) for _ in range(10)]
    assert all(one.p_value <= 0.005 for one in found)
    assert np.mean([one.correlation for one in found]) > 0.3


def test_too_few_blocks_resemble_nothing():
    assert resemblance(np.ones((3, 2)), [], seed=0).p_value == 1.0
    assert resemblance(np.ones((10, 2)), [], seed=0).p_value == 1.0


def test_p_values_of_a_list_are_adjusted_as_r_and_scipy_do():
    """Expected for Holm: `p.adjust` of R."""
    p_values = [0.01, 0.04, 0.03, 0.005, 0.8]
    assert holm(p_values) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.8])
    assert benjamini_hochberg(p_values) == pytest.approx(list(stats.false_discovery_control(p_values)))


@given(st.lists(st.floats(0, 1), max_size=40))
def test_adjusted_p_values_keep_their_order_and_are_no_smaller(p_values):
    for adjusted in (holm(p_values), benjamini_hochberg(p_values)):
        assert all(after >= before - 1e-12 for before, after in zip(p_values, adjusted, strict=True))
        order = sorted(range(len(p_values)), key=p_values.__getitem__)
        assert [adjusted[one] for one in order] == sorted(adjusted)


def test_the_looks_share_the_whole_error_and_no_more():
    looks = [blocks for blocks in range(1, 400) if spending.is_look(blocks)]
    assert looks[:5] == [10, 14, 20, 27, 38]
    for count in range(len(looks)):
        before = [spending.share(number) for number in range(count)]
        assert sum(before) + spending.final_share(count) == pytest.approx(1.0)
        assert spending.final_share(count) > 0


def test_the_signs_of_the_first_look_can_show_what_it_may_claim():
    assert 2.0**-spending.FIRST < 0.01 * spending.FIRST_SHARE


def test_an_advantage_of_one_order_cancels_in_the_ratio():
    chance = np.random.default_rng(2)
    first, second = chance.normal(0.03 + 0.2, 0.01, 41), chance.normal(0.03 - 0.2, 0.01, 35)
    assert balanced(first, second) == pytest.approx(0.03, abs=0.005)
    by_pairs = [(one + other) / 2 for one in first for other in second]
    assert balanced(first, second) == pytest.approx(float(np.median(by_pairs)))
