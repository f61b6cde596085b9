"""The speed of the machine over a run, from made records of which the answer is known."""

import pytest

from suite.analysis.machine_course import FEWEST_TURNS, MOST_SPELLS, machine_course
from suite.records import Case, RunRecord
from tests.fakes.made_runs import attributes_of, measurement, visit


def record(number: int, slow_from: int, turns: int = 40) -> RunRecord:
    """A case of one visit whose turns take a tenth longer from one of them on."""
    case = Case("seed_cnn", "adam", "cpu", batch_size=number)
    step_s = 0.001 * number
    steps = [step_s * (1.1 if place >= slow_from else 1.0) for place in range(turns)]
    return RunRecord(case, "measured", "", attributes_of(case), measurement(steps, [visit(0, (1,) * turns)]))


def test_a_slow_spell_that_all_cases_share_is_seen_with_its_size():
    course = machine_course([record(number, slow_from=30) for number in range(1, 13)])
    assert [round(one.slower, 6) for one in course if one.slower > 0.05] == [0.1] * (len(course) // 4)
    assert [one.at_s for one in course] == sorted(one.at_s for one in course)
    assert {one.device for one in course} == {"cpu"}


def test_a_spell_lies_within_the_seconds_of_its_group():
    records = [record(number, slow_from=99) for number in range(1, 13)]
    course = machine_course(records)
    assert 0 < course[0].at_s < course[-1].at_s < 12 * 2.0, "12 visits of 2 s each"
    assert sum(one.turns for one in course) == 12 * 40


@pytest.mark.parametrize(("cases", "spells"), [(0, 0), (1, 4), (12, 48), (40, MOST_SPELLS)])
def test_each_spell_has_enough_turns_and_there_are_not_too_many(cases: int, spells: int):
    course = machine_course([record(number, slow_from=99) for number in range(1, cases + 1)])
    assert len(course) == spells
    assert all(one.turns >= FEWEST_TURNS for one in course)


def test_cases_that_were_not_measured_do_not_count():
    failed = RunRecord(Case("seed_cnn", "adam", "cpu"), "failed", "killed", {}, None)
    assert machine_course([failed]) == []
