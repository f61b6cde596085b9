"""The front is what no other case dominates; a recommendation is within its limits, or says what excludes the cases."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite import units
from suite.analysis.estimates import MedianError
from suite.effects.advice_text import as_table
from suite.effects.candidates import Candidate, Group, Known, with_interval
from suite.effects.front import bounds, front
from suite.effects.limits import OPTIONS, limits_of
from suite.effects.recommendation import advice, recommend
from suite.effects.values import METRICS
from suite.frontend.cli_options import parser
from suite.records import Case, Metric, Series, StepmarkError
from tests.fakes import made_runs

WORK = {"task": "classify", "mode": "train", "batch_size": 64, "image_size": 28}


def candidate(name: str, step_s: float, half: float = 0.01, **known: float) -> Candidate:
    """A case with a relative half-width of its step time, and readings."""
    values = {"step_time": Known(step_s, step_s * (1 - half), step_s * (1 + half))}
    values |= {metric: Known(value, value, value) for metric, value in known.items()}
    return Candidate(Case(name, "sgd", "cpu"), values)


def group(*candidates: Candidate) -> Group:
    """Cases that do the same work."""
    metrics = [kind for name, kind in METRICS.items() if any(name in one.known for one in candidates)]
    return Group(WORK, candidates, tuple(metrics))


def test_a_dominated_case_is_not_on_the_front_and_one_whose_interval_reaches_it_perhaps_is():
    found = front(
        group(
            candidate("fast", 0.010, peak_memory=600e6),
            candidate("small", 0.020, peak_memory=300e6),
            candidate("worse", 0.030, peak_memory=700e6),
            candidate("close", 0.0101, half=0.02, peak_memory=650e6),
        )
    )
    assert found == ["yes", "yes", "no", "perhaps"]


def test_readings_that_differ_by_less_than_readings_do_are_equal():
    found = front(group(candidate("one", 0.010, peak_memory=600.0e6), candidate("other", 0.030, peak_memory=599.0e6)))
    assert found == ["yes", "no"]


def test_accuracy_counts_upwards_and_a_case_that_lacks_a_metric_may_be_on_the_front():
    found = front(
        group(
            candidate("fast", 0.01, accuracy=0.90),
            candidate("good", 0.02, accuracy=0.99),
            candidate("poor", 0.03, accuracy=0.80),
            candidate("unknown", 0.04),
        )
    )
    assert found == ["yes", "yes", "no", "perhaps"]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from((0.0, 0.1, 0.6))), min_size=1, max_size=8)
)
def test_the_front_is_that_of_its_definition(cases):
    made = [
        candidate(f"c{place}", float(step), half, peak_memory=float(memory))
        for place, (step, memory, half) in enumerate(cases)
    ]
    for place, (one, answer) in enumerate(zip(made, front(group(*made)), strict=True)):
        others = [other for index, other in enumerate(made) if index != place]
        surely = any(dominates(other, one, "high", "low") for other in others)
        maybe = any(dominates(other, one, "low", "high") for other in others)
        assert answer == ("no" if surely else "perhaps" if maybe else "yes")


def test_the_front_of_many_cases_is_that_of_comparing_all_of_them():
    source = random.Random(7)
    made = []
    for place in range(300):
        known = {"peak_memory": float(source.randint(1, 9))} if source.random() < 0.95 else {}
        known |= {"energy": float(source.randint(1, 9))} if place % 2 else {}
        made.append(candidate(f"c{place}", float(source.randint(1, 9)), source.choice((0.0, 0.05, 0.3)), **known))
    low, high, slack = bounds(made, group(*made).metrics)
    expected = []
    for place in range(len(made)):
        surely = ((high <= low[place] + slack).all(axis=1) & (high < low[place] - slack).any(axis=1)).any()
        maybe = (low <= high[place] + slack).all(axis=1) & (low < high[place] - slack).any(axis=1)
        maybe[place] = False
        expected.append("no" if surely else "perhaps" if maybe.any() else "yes")
    assert front(group(*made)) == expected
    assert set(expected) == {"no", "perhaps"} or set(expected) == {"no", "perhaps", "yes"}


def dominates(one: Candidate, other: Candidate, own_end: str, other_end: str) -> bool:
    """Whether one is worse in nothing and better in something, at these ends of both intervals."""
    own = [getattr(one.known[name], own_end) for name in ("step_time", "peak_memory")]
    against = [getattr(other.known[name], other_end) for name in ("step_time", "peak_memory")]
    return all(a <= b + 1e-12 for a, b in zip(own, against, strict=True)) and any(
        a < b - 1e-12 for a, b in zip(own, against, strict=True)
    )


CHOICE = group(
    candidate("fast", 0.010, peak_memory=700 * 2.0**20),
    candidate("middle", 0.012, peak_memory=500 * 2.0**20),
    candidate("close", 0.0121, peak_memory=400 * 2.0**20),
    candidate("slow", 0.030, peak_memory=300 * 2.0**20),
)


def test_the_fastest_case_within_the_limits_is_chosen_with_those_that_may_be_as_fast():
    found = advice(CHOICE, limits_of({"max-memory": "600MiB"}))
    assert found.chosen.candidate.case.structure == "middle"
    assert [one.candidate.case.structure for one in found.as_good] == ["close"]
    text = as_table([found], limits_of({"max-memory": "600MiB"}))
    assert text.splitlines()[0] == (
        "fastest for train, batch size 64, image size 28 within --max-memory 600.0 MiB: middle-sgd-cpu, step time "
        "12.00 ms, peak memory 500.0 MiB"
    )
    assert text.splitlines()[1:3] == [
        "  perhaps as fast: close-sgd-cpu",
        "  against the fastest without limits, fast-sgd-cpu: +20.0 % step time, -28.6 % peak memory",
    ]


def test_a_case_whose_interval_includes_a_limit_is_chosen_only_if_none_is_surely_within():
    (limit,) = limits_of({"max-time": "10.05ms"})
    found = advice(CHOICE, (limit,))
    assert (found.chosen.candidate.case.structure, found.chosen.within) == ("fast", "perhaps")
    assert "its interval includes a limit, so it may be outside" in as_table([found], (limit,))
    assert advice(CHOICE, limits_of({"max-time": "11ms"})).chosen.within == "within"


def test_without_a_case_each_limit_says_how_many_it_excludes_and_the_nearest_is_named():
    limits = limits_of({"max-time": "11ms", "max-memory": "550MiB"})
    found = advice(CHOICE, limits)
    assert found.chosen is None
    assert as_table([found], limits).splitlines()[:4] == [
        "no case for train, batch size 64, image size 28 within --max-time 11.00 ms, --max-memory 550.0 MiB",
        "  --max-time 11.00 ms excludes 3 of 4 cases",
        "  --max-memory 550.0 MiB excludes 1 of 4 cases",
        "  nearest: middle-sgd-cpu, step time 12.00 ms, peak memory 500.0 MiB: step time 9.1 % above the limit",
    ]


def test_a_metric_that_no_case_has_excludes_all_and_is_said():
    found = advice(CHOICE, limits_of({"min-accuracy": "95%"}))
    assert found.chosen is None
    assert "excludes 0 of 4 cases, and 4 have no final accuracy" in as_table([found], ())


@pytest.mark.parametrize(
    ("option", "text", "allowed"),
    [
        ("max-memory", "600", "a number above 0 with its unit (GiB, MiB, KiB, B), such as 600MiB."),
        ("max-memory", "lots", "a number above 0 with its unit"),
        ("max-memory", "600ms", "a number above 0 with its unit"),
        ("max-time", "0ms", "a number above 0 with its unit (s, ms, µs, ns), such as 10ms."),
        ("max-time", "-1ms", "a number above 0 with its unit"),
        ("max-time", "nan s", "a number above 0 with its unit"),
        ("max-time", "1e999s", "a number above 0 with its unit"),
        ("max-energy", "", "a number above 0 with its unit (J, mJ, µJ), such as 2.5J."),
        ("min-accuracy", "1.5", "a share above 0 and up to 1, or a percentage, such as 0.95."),
        ("min-accuracy", "150%", "a share above 0 and up to 1"),
    ],
)
def test_a_wrong_limit_is_refused_with_the_forms_that_are_allowed(option, text, allowed):
    with pytest.raises(StepmarkError) as refused:
        limits_of({option: text})
    assert str(refused.value).startswith(f"--{option} is {text!r}; allowed: {allowed}")


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("600MiB", "B", 600 * 2**20),
        ("1.5 GiB", "B", 1.5 * 2**30),
        ("2GB", "B", 2e9),
        ("512B", "B", 512),
        ("10ms", "s", 0.01),
        (" 3 us ", "s", 3e-6),
        ("250µs", "s", 250e-6),
        (".5s", "s", 0.5),
        ("2.5J", "J", 2.5),
        ("0.95", "ratio", 0.95),
        ("95 %", "ratio", 0.95),
    ],
)
def test_a_value_with_its_unit_is_read(text, unit, value):
    assert units.read(text, unit) == pytest.approx(value, rel=1e-12)


def test_cases_of_different_work_are_chosen_apart():
    cases = [
        Case("seed_cnn", "sgd", "cpu", batch_size=size, mode=mode) for size in (16, 64) for mode in ("train", "infer")
    ]
    run = made_runs.run([made_runs.measured(case, 0.01 * case.batch_size, 1) for case in cases])
    assert [one.group.work["batch_size"] for one in recommend(run, ())] == [16, 16, 64, 64]


def test_peak_memory_is_the_devices_if_every_case_has_it_and_the_process_s_otherwise():
    device = Metric("device_memory_allocated_peak_steady", "B", "lower", "Peak on the device.")
    host = Metric("memory_peak_steady", "B", "lower", "Peak of the process.")
    records = []
    for place, name in enumerate(("sgd", "adam")):
        record = made_runs.measured(Case("seed_cnn", name, "cuda"), 0.01, place)
        series = (Series(device, (1e6 + place,)), Series(host, (2e9 + place,)))
        records.append(replace(record, measurement=replace(record.measurement, surveyed=series)))
    (found,) = recommend(made_runs.run(records), ())
    assert found.options[0].candidate.known["peak_memory"].value < 1e7
    mixed = replace(records[0], measurement=replace(records[0].measurement, surveyed=(Series(host, (2e9,)),)))
    (found,) = recommend(made_runs.run([mixed, records[1]]), ())
    assert all(one.candidate.known["peak_memory"].value > 1e9 for one in found.options)


def test_infinite_and_missing_values_never_reach_a_comparison():
    assert math.isinf(limits_of({"max-memory": "1GiB"})[0].middle_excess(candidate("none", 0.01)))


def test_the_command_takes_the_metrics_and_limits_that_there_are():
    for name in METRICS:
        assert parser().parse_args(["effects", "run", "--metric", name]).metric == name
    for option, (_, example) in OPTIONS.items():
        given = parser().parse_args(["recommend", "run", f"--{option}", example])
        assert limits_of({option: getattr(given, option.replace("-", "_"))})[0].option == option


def test_an_interval_of_an_accuracy_ends_at_1():
    assert with_interval(0.99, MedianError(0.01, 2.0)).high == 1.0
