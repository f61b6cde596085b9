"""Passes, order, turns and outcomes, with workers that answer at once."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.machine.interference import read_counters
from suite.measuring.instruments import instruments_of
from suite.records import Case, Header, Run, RunPlan, RunRecord, StepmarkError, VisitResult, WorkerSettings
from suite.records.timestamps import now
from suite.runner.events import CaseDone, Event, VisitDone
from suite.runner.scheduler import Scheduler, assemble, groups, order
from suite.runner.session import begun_before
from suite.runner.worker_handle import WorkerFailed, WorkerLost
from tests.fakes.fake_workers import FakeWorkers

CASES = [Case(f"net{index}", "adam", "cpu") for index in range(6)]
PLAN = RunPlan(passes=3, case_seconds=3.0, abreast=2)
SURVEYS = instruments_of(PLAN, WorkerSettings())


def records(progress: list[Event]) -> dict[str, RunRecord]:
    return {one.case.id: one.record for one in progress if isinstance(one, CaseDone)}


def run(
    workers: FakeWorkers, plan: RunPlan = PLAN, cases: list[Case] = CASES, instruments: Sequence[str] = SURVEYS
) -> list[Event]:
    return list(Scheduler(plan, workers, instruments=instruments).run(cases))


def noisy(case: Case, worker: int):
    source = random.Random(f"{case.id}/{worker}")
    return (0.01 * source.lognormvariate(0.0, 1.0) for _ in repeat(None))


def test_every_case_is_visited_once_in_every_pass_by_a_fresh_worker():
    workers = FakeWorkers()
    found = records(run(workers))
    assert sorted(workers.of("fork")) == sorted((case.id, worker) for case in CASES for worker in range(3))
    assert sorted(workers.of("end")) == sorted(workers.of("fork"))
    assert list(found) != []
    for case in CASES:
        assert found[case.id].outcome == "measured"
        assert [visit.index for visit in found[case.id].measurement.visits] == [0, 1, 2]


def test_a_pass_is_over_before_the_next_begins():
    workers = FakeWorkers()
    run(workers)
    passes = [worker for _, worker in workers.of("fork")]
    assert passes == sorted(passes)


def test_a_run_that_goes_on_counts_its_seconds_from_its_first_start():
    """Else a page would show the visits of both parts at the same time."""
    first = records(list(Scheduler(PLAN, FakeWorkers()).run(CASES[:2])))
    ends = [one.started_s + one.seconds for record in first.values() for one in record.measurement.visits]
    header = Header("a", now(), PLAN, WorkerSettings(), (), {}, {})
    begun_s = begun_before(Run(header, tuple(first.values()), None), {})
    assert begun_s >= max(ends)
    second = records(list(Scheduler(PLAN, FakeWorkers(), begun_s=begun_s).run(CASES[2:4])))
    assert min(one.started_s for record in second.values() for one in record.measurement.visits) >= max(ends)


def test_each_pass_has_another_order_and_the_same_seed_gives_the_same_orders():
    first, again, other = (FakeWorkers() for _ in range(3))
    run(first)
    run(again)
    run(other, RunPlan(passes=3, case_seconds=3.0, abreast=2, order_seed=1))
    orders = [[case_id for case_id, worker in first.of("fork") if worker == index] for index in range(3)]
    assert len({tuple(names) for names in orders}) == 3
    assert all(sorted(names) == sorted(case.id for case in CASES) for names in orders)
    assert first.events == again.events
    assert first.of("fork") != other.of("fork")


def test_an_order_keeps_all_cases_and_leaves_the_list_as_it_was():
    cases = list(CASES)
    assert sorted(order(cases, 0, 0), key=lambda case: case.id) == CASES
    assert cases == CASES


def test_workers_abreast_take_turns():
    workers = FakeWorkers(noisy)
    run(workers, RunPlan(passes=1, case_seconds=3.0, abreast=3, warmup_seconds=0.0), CASES[:3])
    turns = [case_id for what, case_id, _ in workers.events if what == "measure"][3:]
    names = turns[:3]
    assert len(set(names)) == 3
    assert turns[: 3 * 8] == names * 8


def test_no_more_workers_live_than_are_allowed_abreast():
    for abreast in (1, 2, 4):
        workers = FakeWorkers()
        run(workers, RunPlan(passes=2, abreast=abreast))
        alive, most = 0, 0
        for what, _, _ in workers.events:
            alive += {"fork": 1, "end": -1}.get(what, 0)
            most = max(most, alive)
        assert most == min(abreast, 3)


@given(count=st.integers(0, 200), most=st.integers(1, 40))
def test_groups_are_few_and_equally_large(count, most):
    cases = [Case(f"net{index}", "adam", "cpu") for index in range(count)]
    made = groups(cases, most)
    assert [case for group in made for case in group] == cases
    assert len(made) == -(-count // most)
    sizes = [len(group) for group in made]
    assert max(sizes, default=0) <= most
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_one_abreast_measures_each_case_to_its_end_before_the_next():
    workers = FakeWorkers(noisy)
    run(workers, RunPlan(passes=2, case_seconds=3.0, abreast=1))
    visits = [(case_id, worker) for what, case_id, worker in workers.events if what in ("fork", "measure", "end")]
    stays = [stay for stay, _ in groupby(visits)]
    assert len(stays) == len(set(stays)) == 2 * len(CASES)


def test_a_case_keeps_the_rounds_of_all_its_visits_in_the_order_of_the_passes():
    workers = FakeWorkers(lambda _, worker: repeat(0.01 * (worker + 1)))
    measurement = records(run(workers))[CASES[0].id].measurement
    assert [set(rounds) for rounds in measurement.by_visit("step_time")] == [{0.01}, {0.02}, {0.03}]
    assert len(measurement.warmup[0].values) == sum(visit.warmup_rounds for visit in measurement.visits)
    assert records(run(FakeWorkers()))[CASES[0].id].attributes["worker"] == 2


def test_a_record_comes_with_the_last_visit_of_its_case_and_only_then():
    progress = run(FakeWorkers())
    for case in CASES:
        results = [one for one in progress if one.case == case and isinstance(one, VisitDone)]
        assert [one.index for one in results] == [0, 1, 2]
        (told,) = (place for place, one in enumerate(progress) if one.case == case and isinstance(one, CaseDone))
        assert progress[told - 1] is results[-1], "and is kept before the surveys begin"


def test_the_share_done_climbs_to_one():
    for abreast in (1, 2, 4):
        for times in (None, noisy):
            shares = [
                one.share_done for one in run(FakeWorkers(times), RunPlan(passes=2, case_seconds=3.0, abreast=abreast))
            ]
            assert shares[0] == 0.0
            assert shares == sorted(shares)
            assert shares[-1] == 1.0


def test_surveys_are_part_of_the_work():
    told = run(FakeWorkers(), replace(PLAN, passes=1, abreast=1), CASES[:1])
    (last_visit,) = (one.share_done for one in told if isinstance(one, VisitDone))
    assert last_visit == 0.5
    without = run(FakeWorkers(), replace(PLAN, passes=1, abreast=1), CASES[:1], instruments=())
    assert [one.share_done for one in without if isinstance(one, VisitDone)] == [1.0]


def test_a_lost_worker_is_replaced_and_the_record_says_so():
    lost = {(CASES[1].id, 1, 4): WorkerLost("the worker was killed by signal 9")}
    workers = FakeWorkers(errors=lost)
    found = records(run(workers))
    assert found[CASES[1].id].outcome == "measured"
    assert found[CASES[1].id].measurement.warnings == ("pass 2 was repeated: the worker was killed by signal 9",)
    assert len([case_id for case_id, _ in workers.of("fork") if case_id == CASES[1].id]) == 4
    assert len(found[CASES[1].id].measurement.visits) == 3


def test_a_case_whose_workers_are_lost_twice_in_a_row_fails_and_the_others_go_on():
    lost = {(CASES[1].id, worker, 4): WorkerLost("gone") for worker in (1, 2)}
    found = records(run(FakeWorkers(errors=lost)))
    assert (found[CASES[1].id].outcome, found[CASES[1].id].reason) == ("failed", "gone, 2 times in a row")
    assert [case.id for case in CASES if found[case.id].outcome == "measured"] == [
        case.id for case in CASES if case != CASES[1]
    ]


@pytest.mark.parametrize("answer", [0, 1, 4])
def test_a_case_that_fails_is_not_visited_again_and_the_others_go_on(answer):
    workers = FakeWorkers(errors={(CASES[1].id, 1, answer): WorkerFailed("ValueError: no such layer")})
    progress = run(workers)
    found = records(progress)
    assert (found[CASES[1].id].outcome, found[CASES[1].id].reason) == ("failed", "ValueError: no such layer")
    assert len(found[CASES[1].id].measurement.visits) == 1, "what was measured before the failure stays"
    assert [worker for case_id, worker in workers.of("fork") if case_id == CASES[1].id] == [0, 1]
    assert len(workers.of("fork")) == 3 * len(CASES) - 1
    assert progress[-1].share_done == 1.0
    assert sum(one.outcome == "measured" for one in found.values()) == len(CASES) - 1


def test_a_case_that_fails_at_once_has_no_measurement():
    workers = FakeWorkers(errors={(CASES[0].id, 0, 0): WorkerFailed("out of memory: 9 GiB")})
    found = records(run(workers, RunPlan(passes=1), CASES[:1]))[CASES[0].id]
    assert found == RunRecord(CASES[0], "failed", "out of memory: 9 GiB")


def test_an_error_that_the_user_can_mend_ends_the_run():
    workers = FakeWorkers(errors={(CASES[0].id, 0, 0): StepmarkError("the zygote did not start.")})
    with pytest.raises(StepmarkError, match="the zygote did not start"):
        run(workers)


def interrupted(passes: int) -> dict[str, list[VisitResult]]:
    """The visits of a run of all cases that stopped after so many passes."""
    progress = run(FakeWorkers(lambda *_: repeat(0.02)), RunPlan(passes=passes, case_seconds=passes * 1.0))
    visits: dict[str, list[VisitResult]] = {}
    for one in progress:
        if isinstance(one, VisitDone):
            visits.setdefault(one.case.id, []).append(one.result)
    return visits


def test_the_workers_of_each_pass_come_from_a_process_of_that_pass():
    workers = FakeWorkers()
    run(workers, instruments=())
    kinds = [what for what, _, _ in workers.events if what in ("renew", "fork")]
    assert kinds == ["renew", *["fork"] * len(CASES)] * PLAN.passes


def test_a_pass_without_a_visit_to_make_needs_no_process():
    workers = FakeWorkers()
    list(Scheduler(PLAN, workers, interrupted(2)).run(CASES))
    assert len(workers.of("renew")) == PLAN.passes - 2


def test_a_replaced_worker_says_in_which_turn_of_its_group_it_began():
    """Turns of different cases are compared by when they were."""
    workers = FakeWorkers(errors={(CASES[0].id, 0, 6): WorkerLost("the worker was killed by signal 9")})
    found = records(run(workers, RunPlan(passes=1, target_precision=1e-9), instruments=()))
    first_turns = {case_id: record.measurement.visits[0].first_turn for case_id, record in found.items()}
    lost = sum(event == ("measure", CASES[0].id, 0) for event in workers.events)
    assert first_turns[CASES[0].id] > 0
    assert lost > 0
    assert {first for case_id, first in first_turns.items() if case_id != CASES[0].id} == {0}


def test_visits_of_an_interrupted_run_are_not_repeated():
    workers = FakeWorkers()
    before = interrupted(2)
    progress = list(Scheduler(PLAN, workers, before).run(CASES))
    assert len(workers.of("fork")) == len(CASES)
    assert {one.index for one in progress} == {2}
    measurement = records(progress)[CASES[0].id].measurement
    assert [visit.index for visit in measurement.visits] == [0, 1, 2]
    assert [set(rounds) for rounds in measurement.by_visit("step_time")] == [{0.02}, {0.02}, {0.01}]
    assert progress[0].share_done == 0.0, "of the work that is left"
    assert progress[-1].share_done == 1.0
    assert {len(visits) for visits in before.values()} == {2}, "the visits given are left as they were"


def test_a_pass_in_the_middle_that_is_missing_is_made_up_for():
    visits = {case.id: [interrupted(3)[case.id][index] for index in (2, 0)] for case in CASES[:1]}
    workers = FakeWorkers()
    progress = list(Scheduler(PLAN, workers, visits).run(CASES[:1]))
    assert [one.index for one in progress if isinstance(one, VisitDone)] == [1]
    measurement = records(progress)[CASES[0].id].measurement
    assert [visit.index for visit in measurement.visits] == [0, 1, 2]
    assert [set(rounds) for rounds in measurement.by_visit("step_time")] == [{0.02}, {0.01}, {0.02}]


def test_no_cases_are_no_work():
    assert run(FakeWorkers(), PLAN, []) == []


def test_warnings_of_all_visits_are_kept_in_the_order_of_the_passes():
    visits = interrupted(2)[CASES[0].id]
    told = [
        VisitResult(one.visit, one.turns, one.warmup, one.attributes, (f"of pass {one.visit.index}",)) for one in visits
    ]
    assert assemble(CASES[0], told[::-1]).measurement.warnings == ("of pass 0", "of pass 1")


def test_surveys_follow_the_last_visit_of_their_case_and_nothing_else_of_it_comes_after():
    workers = FakeWorkers()
    found = records(run(workers))
    for case in CASES:
        events = [(what, number) for what, case_id, number in workers.events if case_id == case.id]
        assert events[-1 - len(SURVEYS) :] == [("end", 2), *((f"survey of {name}", 0) for name in SURVEYS)]
        surveyed = found[case.id].measurement.surveyed
        assert [one.metric.name for one in surveyed] == [f"{name}_found" for name in SURVEYS]
        assert found[case.id].measurement.instrument_values("memory_found") == (1.0, 2.0)


def test_without_surveys_no_case_goes_through_one():
    workers = FakeWorkers()
    found = records(run(workers, instruments=()))
    assert {what for what, _, _ in workers.events} == {"renew", "fork", "measure", "end"}
    assert all(record.measurement.surveyed == () for record in found.values())


def test_the_usual_allocator_is_measured_if_workers_use_it():
    assert "allocator" not in SURVEYS
    assert "allocator" in instruments_of(PLAN, WorkerSettings(allocator="default"))
    assert instruments_of(replace(PLAN, surveys="none"), WorkerSettings(allocator="default")) == ()


def looks(*others_s: float):
    """Successive counters: seconds for which others have kept cores busy."""
    start = read_counters()
    found = iter([replace(start, at_s=start.at_s + place, busy_s=start.busy_s + s) for place, s in enumerate(others_s)])
    return lambda: next(found)


def test_a_visit_records_other_load_from_the_start_of_its_group_to_its_end():
    plan = replace(PLAN, passes=2)
    workers = FakeWorkers()
    progress = list(Scheduler(plan, workers, look=looks(0.0, 0.5, 0.5, 2.5)).run(CASES[:1]))
    measurement = records(progress)[CASES[0].id].measurement
    assert measurement.visit_values("others_cores") == pytest.approx((0.5, 2.0))
    assert all(len(series.values) == 2 for series in measurement.per_visit)


def test_a_metric_of_only_some_visits_is_omitted():
    progress = run(FakeWorkers(), cases=CASES[:1], instruments=())
    first, *others = [one.result for one in progress if isinstance(one, VisitDone)]
    older = replace(first, per_visit=first.per_visit[:2])
    told = assemble(CASES[0], [older, *others]).measurement
    assert [one.metric for one in told.per_visit] == [one.metric for one in first.per_visit[:2]]
    assert all(len(one.values) == PLAN.passes for one in told.per_visit)


def test_visits_have_no_readings_of_other_load_without_the_kernel_s_files():
    found = records(list(Scheduler(PLAN, FakeWorkers(), look=lambda: None).run(CASES)))
    assert all(record.measurement.per_visit == () for record in found.values())


def test_a_survey_that_fails_is_a_warning_and_its_case_stays_measured():
    name = CASES[0].id
    workers = FakeWorkers(errors={(name, 0, "anatomy"): WorkerFailed("it broke")})
    record = records(run(workers))[name]
    assert record.outcome == "measured"
    assert record.measurement.warnings == ("the survey of its anatomy failed: it broke",)
    assert [one.metric.name for one in record.measurement.surveyed] == [
        f"{name}_found" for name in SURVEYS if name != "anatomy"
    ]


def test_a_survey_whose_worker_was_ended_from_outside_is_repeated_once():
    name = CASES[0].id
    once = FakeWorkers(errors={(name, 0, "memory"): WorkerLost("killed")})
    measurement = records(run(once))[name].measurement
    assert measurement.instrument_values("memory_found") == (1.0, 2.0)
    assert measurement.warnings == ()
    twice = FakeWorkers(errors={(name, attempt, "memory"): WorkerLost("killed") for attempt in (0, 1)})
    assert records(run(twice))[name].measurement.warnings == ("the survey of its memory failed: killed",)


def test_a_failed_case_goes_through_no_survey():
    name = CASES[0].id
    workers = FakeWorkers(errors={(name, 0, 1): WorkerFailed("it broke")})
    assert records(run(workers))[name].outcome == "failed"
    assert not any(what.startswith("survey") and case_id == name for what, case_id, _ in workers.events)


def test_a_case_whose_visits_were_all_made_before_an_interruption_is_surveyed_and_written():
    """A process that is killed during the surveys leaves such a case in the journal."""
    progress = run(FakeWorkers(), cases=CASES[:1])
    visits = {CASES[0].id: [one.result for one in progress if isinstance(one, VisitDone)]}
    workers = FakeWorkers()
    found = records(list(Scheduler(PLAN, workers, visits, instruments=SURVEYS).run(CASES[:1])))
    assert len(found[CASES[0].id].measurement.visits) == PLAN.passes
    assert {what for what, _, _ in workers.events} == {f"survey of {name}" for name in SURVEYS}
