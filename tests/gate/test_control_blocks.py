"""Baseline against baseline: a machine that favours a side is found out, one with noisy blocks is not accused."""

import math

import numpy as np
import pytest
from scipy import stats

from suite.gate.deciding.control_blocks import AGAIN, EVERY, Suspicion, common, is_confirmed, is_resolved, suspicions

CASES = [f"net{number}" for number in range(8)]
TOLERANCE, ALPHA = 0.01, 0.01


def blocks(count: int, draw, off: dict[str, float] | None = None) -> list[dict[str, float]]:
    return [{case: (off or {}).get(case, 0.0) + draw() for case in CASES} for _ in range(count)]


def test_noisy_blocks_raise_suspicions_and_hardly_ever_an_alarm():
    """1,000 gates with two control blocks; each case is off by 5 % in one of 8 blocks, else by 0.2 %."""
    chance = np.random.default_rng(4)

    def draw() -> float:
        return float(chance.standard_normal()) * (0.05 if chance.random() < 1 / 8 else 0.002)

    raised = confirmed = 0
    for _ in range(1000):
        found = suspicions(blocks(2, draw), {}, TOLERANCE, ALPHA)
        raised += bool(found)
        confirmed += any(is_confirmed(one, [draw() for _ in range(AGAIN)], TOLERANCE) for one in found)
    assert raised > 2, "or nothing would have to be confirmed"
    assert confirmed <= stats.binom.ppf(0.997, 1000, 0.001)


def test_a_machine_that_favours_one_side_of_a_case_is_found_out():
    chance = np.random.default_rng(5)

    def draw() -> float:
        return 0.003 * float(chance.standard_normal())

    for _ in range(50):
        found = suspicions(blocks(3, draw, {"net2": -0.05}), {}, TOLERANCE, ALPHA)
        assert [one.case for one in found] == ["net2"]
        assert is_confirmed(found[0], [-0.05 + draw() for _ in range(AGAIN)], TOLERANCE)


def test_a_bias_of_a_few_percent_is_confirmed_in_most_gates_and_noise_in_none_of_many():
    """60 gates of two control blocks and up to eight more, noise 0.8 %, known from blocks that compare the sides."""
    chance = np.random.default_rng(6)
    noise = dict.fromkeys(CASES, 0.008)

    def confirmed(off: dict[str, float]) -> bool:
        def draw() -> float:
            return 0.008 * float(chance.standard_normal())

        raised = suspicions(blocks(2, draw, off), noise, TOLERANCE, ALPHA)
        for one in raised:
            again: list[float] = []
            while not is_resolved(one, again, TOLERANCE):
                block = blocks(1, draw, off)[0]
                again.append(
                    float(common(np.array([list(block.values())]))[0]) if one.case == EVERY else block[one.case]
                )
            if is_confirmed(one, again, TOLERANCE):
                return True
        return False

    assert sum(confirmed({"net3": 0.03}) for _ in range(60)) > 50
    assert sum(confirmed(dict.fromkeys(CASES, -0.03)) for _ in range(60)) > 58
    assert sum(confirmed({}) for _ in range(300)) <= stats.binom.ppf(0.997, 300, 0.002)


@pytest.mark.parametrize(
    ("again", "confirmed"),
    [
        ([0.05, 0.02, 0.03, 0.011, 0.04], True),
        ([0.05, 0.02, 0.03, -0.001, 0.04], False),
        ([0.002, 0.004, 0.003, 0.006, 0.05], False),
        ([-0.05, -0.02, -0.03, -0.011, -0.04], False),
    ],
    ids=["the same way", "one the other way", "within the tolerance", "the other way"],
)
def test_a_suspicion_is_confirmed_by_blocks_that_all_point_its_way(again, confirmed):
    assert is_confirmed(Suspicion("net0", 0.04, 2), again, TOLERANCE) is confirmed
    assert is_confirmed(Suspicion("net0", -0.04, 2), [-one for one in again], TOLERANCE) is confirmed


def test_one_control_block_or_cases_without_ratios_raise_no_suspicion():
    assert suspicions([dict.fromkeys(CASES, 0.5)], {}, TOLERANCE, ALPHA) == []
    assert suspicions([dict.fromkeys(CASES, math.nan)] * 3, {}, TOLERANCE, ALPHA) == []
    assert suspicions([], {}, TOLERANCE, ALPHA) == []
