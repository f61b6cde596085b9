"""Issues in the light of other cases: a trend that most share stays, two levels that all share are the machine's."""

import numpy as np
import pytest

from suite.analysis.run_validity import issues_of_run
from tests.fakes.machines import MACHINES, Setting, measured

QUIET = ("still", "jitter of 0.1 and 1 s, 4 % each", "quiet with spells of 3 s, 10 %, +25 %")


def kinds(setting: Setting, seed: int) -> dict[str, set[str]]:
    records, _ = measured(setting, np.random.default_rng(seed))
    return {case_id: {doubt.kind for doubt in found} for case_id, found in issues_of_run(records).items()}


@pytest.mark.parametrize("climbing", [1, 3, 6, 8])
def test_cases_that_climb_within_visits_are_drifting_however_many_they_are(climbing):
    for seed in range(3):
        found = list(kinds(Setting(cases=8, climbing=climbing, own=0.02), seed).values())
        assert found == [{"drifting"}] * climbing + [set()] * (8 - climbing)


@pytest.mark.parametrize(("climbing", "said"), [(3, False), (6, True), (8, True)])
def test_a_trend_of_most_cases_is_said_to_be_shared_and_what_decides_whose_it_is(climbing, said):
    records, _ = measured(Setting(cases=8, climbing=climbing, own=0.02), np.random.default_rng(1))
    (doubt,) = issues_of_run(records)["c0-sgd-cpu"]
    assert (f"so does that of {climbing} of the 8 cases of this run: by the machine, or by code" in doubt.text) == said


@pytest.mark.parametrize("machine", MACHINES)
def test_cases_that_only_share_a_machine_are_hardly_ever_doubted(machine):
    """24 cases in 4 runs each; of quiet machines none at all."""
    found = [doubted for seed in range(4) for doubted in kinds(Setting(machine), seed).values()]
    assert sum(map(bool, found)) <= (0 if machine in QUIET else 5)


def test_two_levels_of_one_case_are_its_own_whatever_the_machine_does():
    records, _ = measured(Setting("quiet with spells of 3 s, 30 %, +25 %", cases=8, own=0.01), np.random.default_rng(2))
    own = np.random.default_rng(3).choice([1.0, 1.3], 120)
    series = records[0].measurement.series[0]
    values = tuple(float(value * by) for value, by in zip(series.values, own, strict=True))
    object.__setattr__(series, "values", values)
    found = issues_of_run(records)
    assert [doubt.kind for doubt in found["c0-sgd-cpu"]] == ["bimodal"]
    assert not any(found[case] for case in found if case != "c0-sgd-cpu")
