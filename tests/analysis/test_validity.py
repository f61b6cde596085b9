"""A disturbance is named with what was seen of it; what is steady is not accused."""

import inspect
import math
import random
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.analysis import issue, validity
from suite.analysis.modes import FEWEST_TURNS
from suite.analysis.validity import issues, label, summary, turns_of_visits
from suite.machine.affinity import affinity_cores
from suite.machine.interference import Interference, Neighbour
from suite.measuring.instruments.allocator import STEADY_FAULTS, STEADY_TIME, USUAL_FAULTS, USUAL_TIME
from suite.records import Case, Measurement, Metric, RunPlan, Series, Visit, WorkerSettings
from suite.runner.events import CaseDone
from suite.runner.launcher import Launcher
from suite.runner.scheduler import Scheduler
from tests.conftest import FAKES
from tests.fakes.made_runs import METRICS

QUIET = Interference(0.006, 0.0004, 0.0, 0.005, 0.0, 0, 2.3e9, 0.2, (Neighbour(7, "sshd", 0.005, 8 << 20),))
"""What a quiet machine shows (docs/results.md)."""
TURNS = 30


def made(
    visits: Sequence[Sequence[float]], seen: Interference = QUIET, major_faults: Sequence[int] = (), **surveyed
) -> Measurement:
    """A case with one round a turn, whose visits all met the same machine."""
    steps = tuple(value for visit in visits for value in visit)
    series = [Series(METRICS["step_time"], steps)]
    if major_faults:
        series.append(Series(Metric("major_faults", "count", "lower", ""), tuple(map(float, major_faults))))
    return Measurement(
        series=tuple(series),
        warmup=(),
        visits=tuple(
            Visit(index, (1,) * len(turns), 3, 1, 10.0 * index, 2.0, 0.1, "time", 0.01, True, seen.busiest)
            for index, turns in enumerate(visits)
        ),
        per_visit=tuple(Series(one.metric, one.values * len(visits)) for one in seen.series()),
        surveyed=tuple(surveyed.values()),
    )


def scattered(source: random.Random, *, turns: int = TURNS, tail: float = 0.1) -> list[float]:
    """Turns of some 10 ms, an eighth of them up to half as long again."""
    return [
        0.01 * (1 + 0.02 * source.random() + (5 * tail * source.random() if source.random() < 0.125 else 0))
        for _ in range(turns)
    ]


def steady(**changes) -> Measurement:
    source = random.Random(1)
    return made([scattered(source) for _ in range(3)], replace(QUIET, **changes))


def kinds(measurement: Measurement) -> list[str]:
    return [doubt.kind for doubt in issues(measurement)]


def test_a_case_that_nothing_disturbed_is_steady():
    assert issues(steady()) == []
    assert label([]) == "steady"


def test_a_record_without_readings_of_the_machine_is_judged_by_its_rounds():
    assert issues(replace(steady(), per_visit=())) == []


def test_noise_alone_is_accused_once_in_a_hundred_at_most():
    """Tails on the slow side, as a shared machine makes them, and levels that differ by visit by some 1 %."""
    source = random.Random(2)
    accused = 0
    for _ in range(300):
        levels = [source.gauss(1.0, 0.01) for _ in range(3)]
        visits = [[level * value for value in scattered(source, tail=0.12)] for level in levels]
        accused += bool(issues(made(visits)))
    assert accused <= 3


@pytest.mark.parametrize("way", [1, -1])
def test_a_step_time_that_goes_one_way_in_most_visits_is_drifting(way):
    source = random.Random(3)
    trend = [1 + way * 0.1 * place / TURNS for place in range(TURNS)]
    drifts = [[a * b for a, b in zip(scattered(source, tail=0.0), trend, strict=True)] for _ in range(2)]
    (found,) = issues(made([*drifts, scattered(source)]))
    assert found.kind == "drifting"
    assert found.text.startswith("its step time climbs by" if way > 0 else "its step time falls by")
    assert kinds(made([drifts[0], scattered(source), scattered(source)])) == [], "one visit of three is not most"


def test_a_step_with_two_levels_is_bimodal_and_the_text_gives_both():
    source = random.Random(4)
    visits = [[value * source.choice((1.0, 1.3)) for value in scattered(source, tail=0.0)] for _ in range(3)]
    (found,) = issues(made(visits))
    assert found.kind == "bimodal"
    assert found.text.startswith("its step time is 10.1 ms in")
    assert "13.1 ms in" in found.text


def test_a_tail_is_no_second_level():
    """A fifth of the turns anywhere up to half as long again, as a neighbour on the same core makes them."""
    source = random.Random(5)
    visits = [
        [0.015 * (1 + (0.5 * source.random() if source.random() < 0.2 else 0.01 * source.random())) for _ in range(30)]
        for _ in range(3)
    ]
    assert issues(made(visits)) == []


def test_turns_are_those_of_their_visits():
    visits = [[1.0, 2.0, 3.0], [4.0], [5.0, 6.0]]
    assert turns_of_visits(made(visits)) == visits


@given(count=st.integers(1, FEWEST_TURNS - 1), level=st.floats(0.5, 2.0))
def test_few_turns_show_no_two_levels(count, level):
    assert kinds(made([[0.01, 0.01 * level] * count][:1])) in ([], ["bimodal"] if 2 * count >= FEWEST_TURNS else [])


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"others_cores": 0.97}, "loaded", "other processes used 0.97 cores on average"),
        ({"stolen": 0.08}, "stolen", "the hypervisor gave 8.0 % of its cores' time to other virtual machines"),
        ({"throttled": 0.4}, "throttled", "the CPU quota throttled its processes 40 % of the time"),
        ({"heat_events": 2}, "throttled", "heat lowered the clock of its cores 6 times"),
        ({"memory_pressure": 0.2}, "memory-hungry neighbour", "some process waited for memory 20 % of the time"),
        ({"others_faults": 2.3e5}, "memory-hungry neighbour", "other processes mapped 230 k pages per second"),
    ],
)
def test_the_text_of_an_issue_names_the_reading(changes, kind, text):
    (found,) = issues(steady(**changes))
    assert (found.kind, found.text) == (kind, text)


def test_a_busy_neighbour_is_named_and_that_it_holds_much_memory_too():
    load, hungry = issues(steady(others_cores=0.9, neighbours=(Neighbour(9, "stress", 0.9, 2 << 30),)))
    assert load.text == "other processes (stress) used 0.90 cores on average"
    assert hungry.text == "stress held 2.00 GiB and used 0.90 of a core"


def test_a_neighbour_that_waits_for_the_cores_that_a_worker_keeps_from_it_is_a_load():
    (found,) = issues(steady(cpu_pressure=0.8, neighbours=(Neighbour(9, "stress", 0.07, 1 << 20),)))
    assert found.text == "other processes (stress) waited for a core 80 % of the time"
    assert issues(steady(cpu_pressure=0.8)) == [], "nobody else was there: its own ranks waited for each other"


def test_a_hungry_neighbour_that_waits_for_the_cores_is_named_too_and_a_large_idle_one_is_not():
    waiting = Neighbour(9, "stress", 0.06, 1 << 30)
    assert kinds(steady(cpu_pressure=0.6, neighbours=(waiting,))) == ["loaded", "memory-hungry neighbour"]
    assert kinds(steady(neighbours=(waiting,))) == []
    idle = Neighbour(9, "database", 0.01, 1 << 30)
    assert kinds(steady(others_cores=0.9, neighbours=(idle,))) == ["loaded"], "it is not who used them"


def test_pages_read_from_a_disk_in_many_rounds_are_swapping():
    source = random.Random(6)
    visits = [scattered(source) for _ in range(3)]
    (found,) = issues(made(visits, major_faults=[3] * 9 + [0] * 81))
    assert found.text == "pages were read from a disk in 10 % of its rounds"
    assert issues(made(visits, major_faults=[3] * 3 + [0] * 87)) == []


def allocators(usual_s: float, usual_faults: float, steady_faults: float = 1.0) -> Measurement:
    columns = {USUAL_TIME: usual_s, USUAL_FAULTS: usual_faults, STEADY_TIME: 0.010, STEADY_FAULTS: steady_faults}
    found = tuple(Series(metric, (value,) * 8) for metric, value in columns.items())
    return replace(steady(), surveyed=found)


def test_an_allocator_that_was_measured_to_cost_much_is_named_with_what_to_set():
    (found,) = issues(allocators(0.016, 1657.0))
    assert found.kind == "allocator"
    assert found.text.startswith("38 % of a step is 1.7 k page faults; with MALLOC_TRIM_THRESHOLD_=")
    assert found.text.endswith("it is 1.60 times as fast")


@pytest.mark.parametrize(("usual_s", "faults"), [(0.0102, 1657.0), (0.016, 2.0)])
def test_the_allocator_is_no_issue_if_it_costs_little_or_maps_no_more_pages(usual_s, faults):
    assert issues(allocators(usual_s, faults)) == []


def test_a_device_slowed_by_heat_is_throttled():
    slowed = Series(Metric("gpu0_slowed", "1", "lower", ""), (0.0, 1.0, 1.0, 0.0))
    (found,) = issues(replace(steady(), surveyed=(slowed,)))
    assert found.text == "heat or power lowered the clock of gpu0 in 50 % of the readings"


def test_a_summary_counts_the_issues():
    load, throttled = issues(steady(others_cores=0.9)), issues(steady(throttled=0.3, others_cores=0.9))
    assert summary([[], load, throttled]) == "1 of 3 measured cases steady; loaded 2, throttled 1"
    assert summary([[], []]) == "2 of 2 measured cases steady"
    assert label(throttled) == "loaded, throttled"


@given(
    values=st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=60),
    cores=st.floats(0, 64),
    share=st.floats(0, 1),
)
def test_any_record_has_a_verdict(values, cores, share):
    seen = replace(QUIET, others_cores=cores, stolen=share, throttled=share, cpu_pressure=share)
    found = issues(made([values], seen))
    assert all(doubt.text and math.isfinite(len(doubt.text)) for doubt in found)
    assert len({doubt.kind for doubt in found}) == len(found)


@pytest.mark.skipif(affinity_cores() < 2, reason="needs two cores")
@pytest.mark.alone
@pytest.mark.slow
def test_threads_that_are_bound_to_one_core_are_named(monkeypatch):
    monkeypatch.syspath_prepend(str(FAKES))
    plan = RunPlan(passes=1, case_seconds=0.3, warmup_seconds=0.1, surveys="none")
    cases = [Case(name, "sgd", "cpu", batch_size=4, image_size=8) for name in ("crowded", "tiny")]
    with Launcher(
        WorkerSettings(threads=2), ("my_levels",)
    ) as launcher:  # telemetry rests: other tests may load the machine
        progress = list(Scheduler(plan, launcher, look=lambda: None).run(cases))
    found = {one.record.case.structure: kinds(one.record.measurement) for one in progress if isinstance(one, CaseDone)}
    assert "threads share a core" in found["crowded"]
    assert "threads share a core" not in found["tiny"]


def test_a_neighbour_explains_that_threads_wait_for_a_core():
    quiet, busy = steady(), steady(others_cores=1.0)
    waiting = Series(Metric("queue_time", "s", "lower", ""), quiet.series[0].values)
    assert kinds(replace(quiet, series=(*quiet.series, waiting))) == ["threads share a core"]
    assert kinds(replace(busy, series=(*busy.series, waiting))) == ["loaded"]


def test_every_kind_of_issue_has_a_remedy():
    kinds = set(re.findall(r"Issue\(\s*(?:\"([^\"]+)\"|([A-Z]+)),", inspect.getsource(validity)))
    named = {text or getattr(issue, constant) for text, constant in kinds}
    assert named == set(issue.REMEDIES)
