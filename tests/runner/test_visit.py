"""One worker's stay, with workers that answer at once."""

import random
from itertools import chain, repeat

import pytest

from suite.records import Case, Rounds, RunPlan, VisitResult
from suite.runner.visit import (
    ATTEMPTS,
    DEVICE_ROUND_S,
    FIRST_ROUNDS,
    MAX_STEPS_PER_ROUND,
    MIN_TURNS,
    TURN_ROUNDS,
    TURN_S,
    WARM_S,
    VisitRunner,
)
from suite.runner.worker_handle import WorkerFailed, WorkerLost
from tests.fakes.fake_workers import FakeWorkers

CASE = Case("seed_cnn", "adam", "cpu")
PLAN = RunPlan(passes=2, case_seconds=8.0, warmup_seconds=1.0, round_seconds=0.02)


def over(workers: FakeWorkers, plan: RunPlan = PLAN, index: int = 0) -> VisitResult:
    """The result of a stay that is given turns until it is over."""
    stay = VisitRunner(CASE, index, plan, workers, 1.5)
    for _ in range(1000):
        if stay.result is not None:
            return stay.result
        stay.advance()
    raise AssertionError("the stay never ends")


def noisy(case: Case, worker: int):
    source = random.Random(worker)
    return (0.02 * source.lognormvariate(0.0, 1.0) for _ in repeat(None))


def test_a_stay_ends_by_precision_where_the_step_time_is_constant():
    visit = over(FakeWorkers()).visit
    assert visit.stopped_by == "precision"
    assert visit.precision == 0.0
    assert len(visit.turns) == MIN_TURNS


def test_a_stay_ends_by_time_where_the_step_time_is_noisy():
    result = over(FakeWorkers(noisy))
    assert result.visit.stopped_by == "time"
    assert result.visit.precision > PLAN.target_precision
    spent_s = sum(result.rounds.step_time) * result.visit.steps_per_round
    assert spent_s >= PLAN.case_seconds / PLAN.passes


def test_no_turn_is_asked_to_last_longer_than_what_is_left_of_the_time():
    workers = FakeWorkers(noisy)
    result = over(workers, RunPlan(passes=1, case_seconds=0.6, warmup_seconds=0.0, target_precision=1e-9))
    asked = [request["seconds"] for request in workers.requests[1:]]
    spent, allowed = 0.0, 0.6
    for request_s, turn in zip(asked, split(result), strict=True):
        assert request_s == pytest.approx(WARM_S + min(TURN_S, allowed - spent))
        spent += sum(turn) * result.visit.steps_per_round


def split(result: VisitResult) -> list[tuple[float, ...]]:
    values = iter(result.rounds.step_time)
    return [tuple(next(values) for _ in range(rounds)) for rounds in result.visit.turns]


def test_a_looser_target_ends_a_stay_earlier():
    strict, loose = (
        over(FakeWorkers(noisy), RunPlan(passes=1, case_seconds=20.0, target_precision=target))
        for target in (0.01, 0.3)
    )
    assert loose.visit.stopped_by == "precision"
    assert loose.visit.rounds < strict.visit.rounds


def test_the_warm_up_is_kept_apart_from_the_rounds_that_count():
    cold = [5.0, 0.7, 0.02]
    result = over(FakeWorkers(lambda *_: chain(cold, repeat(0.02))), RunPlan(passes=1, warmup_seconds=9.0))
    assert result.warmup.step_time[:FIRST_ROUNDS] == tuple(cold)
    assert set(result.rounds.step_time) == {0.02}
    assert result.visit.warmup_rounds == len(result.warmup.step_time) > FIRST_ROUNDS
    assert result.visit.rounds == len(result.rounds.step_time)
    assert [one.metric for one in result.warmup.series] == [one.metric for one in result.rounds.series]


def test_a_cold_start_spends_none_of_the_warm_up():
    cold = [5.0, 0.7, 0.02]
    result = over(FakeWorkers(lambda *_: chain(cold, [0.03] * 5, repeat(0.02))), RunPlan(passes=1, warmup_seconds=1.0))
    assert result.visit.steady
    assert result.warnings == ()


def test_rounds_on_a_device_are_long_against_the_waits_for_it_at_both_ends():
    by_device = {}
    for device in ("cpu", "cuda"):
        workers = FakeWorkers(attributes={"execution": {"device": device}})
        by_device[device] = over(workers, RunPlan(passes=1, round_seconds=0.01)).visit.steps_per_round
    assert by_device == {"cpu": 1, "cuda": round(DEVICE_ROUND_S / 0.01)}


def test_longer_rounds_that_a_plan_wants_are_kept_on_a_device():
    workers = FakeWorkers(attributes={"execution": {"device": "cuda"}})
    assert over(workers, RunPlan(passes=1, round_seconds=0.2)).visit.steps_per_round == 20


def test_the_first_round_of_each_turn_belongs_to_the_warm_up():
    workers = FakeWorkers(lambda *_: first_of_each_request_slow(workers))
    result = over(workers, RunPlan(passes=1, case_seconds=3.0, warmup_seconds=0.0, target_precision=1e-9))
    assert set(result.rounds.step_time) == {0.02}
    assert result.warmup.step_time.count(0.5) == 1 + len(result.visit.turns)
    assert min(result.visit.turns) == TURN_ROUNDS - 1


def test_short_rounds_belong_to_the_warm_up_until_a_turn_is_warm():
    def cooled(case, worker):
        yield from (0.01,) * FIRST_ROUNDS
        while True:
            yield from (0.011, 0.0101, 0.01, 0.01, 0.01, 0.01, 0.01)

    result = over(FakeWorkers(cooled), RunPlan(passes=1, case_seconds=1.0, warmup_seconds=0.0, target_precision=1e-9))
    assert set(result.rounds.step_time) == {0.01}
    assert result.warmup.step_time[FIRST_ROUNDS:] == (0.011, 0.0101, 0.01) * len(result.visit.turns)


def first_of_each_request_slow(workers: FakeWorkers):
    answered = -1
    while True:
        slow, answered = len(workers.requests) != answered, len(workers.requests)
        yield 0.5 if slow else 0.02


def test_the_first_rounds_hold_one_step_each_and_later_ones_fill_the_shortest_round():
    workers = FakeWorkers()
    result = over(workers, RunPlan(passes=1, round_seconds=0.05))
    assert workers.requests[0] == {"seconds": 0.0, "steps_per_round": 1, "min_rounds": FIRST_ROUNDS}
    assert {request["steps_per_round"] for request in workers.requests[1:]} == {5}
    assert result.visit.steps_per_round == 5


@pytest.mark.parametrize(("step_s", "steps"), [(3.0, 1), (1e-7, MAX_STEPS_PER_ROUND), (0.0, MAX_STEPS_PER_ROUND)])
def test_a_round_holds_at_least_one_step_and_no_more_than_a_thousand(step_s, steps):
    workers = FakeWorkers(lambda *_: chain(repeat(step_s, FIRST_ROUNDS), repeat(max(step_s, 1e-5))))
    assert over(workers, RunPlan(passes=1, case_seconds=1.0, warmup_seconds=0.1)).visit.steps_per_round == steps


def test_a_warm_up_ends_once_the_step_time_is_steady():
    result = over(FakeWorkers())
    assert result.visit.steady
    assert result.warnings == ()
    assert sum(result.warmup.step_time) < PLAN.warmup_seconds


def test_a_warm_up_that_does_not_settle_ends_with_its_time_and_a_warning():
    def falling(case, worker):
        return chain((8.0 * 0.5**index for index in range(8)), repeat(0.01))

    result = over(FakeWorkers(falling), index=1)
    assert not result.visit.steady
    assert result.warnings == ("pass 2: the step time was not steady when the warm-up's time was spent",)


def test_a_lost_worker_is_replaced_once_with_a_warning_and_its_rounds_are_thrown_away():
    plan = RunPlan(passes=1, case_seconds=6.0)
    lost = {(CASE.id, 0, 4): WorkerLost("the worker was killed by signal 9")}
    workers = FakeWorkers(lambda _, worker: repeat(0.01 if worker else 0.5), lost)
    result = over(workers, plan)
    assert result.failure == ""
    assert result.warnings == ("pass 1 was repeated: the worker was killed by signal 9",)
    assert set(result.rounds.step_time) == set(result.warmup.step_time) == {0.01}
    assert result.attributes["worker"] == 1
    assert workers.of("end") == [(CASE.id, 0), (CASE.id, 1)]


def test_a_stay_whose_workers_are_lost_again_and_again_fails():
    errors = {(CASE.id, 0, 2): WorkerLost("gone"), (CASE.id, 1, 3): WorkerLost("gone")}
    workers = FakeWorkers(errors=errors)
    assert over(workers) == VisitResult(None, failure=f"gone, {ATTEMPTS} times in a row")
    assert workers.of("end") == [(CASE.id, 0), (CASE.id, 1)]


@pytest.mark.parametrize("answer", [0, 1, 2, 5])
def test_a_case_that_fails_is_not_tried_again(answer):
    workers = FakeWorkers(errors={(CASE.id, 0, answer): WorkerFailed("ValueError: no such layer")})
    assert over(workers) == VisitResult(None, failure="ValueError: no such layer")
    assert workers.of("fork") == [(CASE.id, 0)]
    assert workers.of("end") == ([(CASE.id, 0)] if answer else [])


def test_a_visit_says_when_it_began_and_what_it_is_made_of():
    result = over(FakeWorkers(), index=1)
    assert (result.visit.index, result.visit.started_s) == (1, 1.5)
    assert result.attributes == {"structure": {"name": "seed_cnn"}, "worker": 0}
    steps = result.visit.steps_per_round
    chunks = result.warmup.step_time[FIRST_ROUNDS:]
    warmup_s = sum(result.warmup.step_time[:FIRST_ROUNDS]) + sum(chunks) * steps
    counted_s = sum(result.rounds.step_time) * steps
    assert result.visit.overhead_s == pytest.approx(result.visit.seconds - warmup_s - counted_s)


def test_the_share_done_climbs_with_the_turns():
    stay = VisitRunner(CASE, 0, PLAN, FakeWorkers(noisy), 0.0)
    shares = [stay.share_done]
    while stay.result is None:
        stay.advance()
        shares.append(stay.share_done)
    assert shares == sorted(shares)
    assert shares[0] == shares[1] == 0.0
    assert shares[-1] == 1.0


def test_rounds_are_joined_metric_by_metric_in_order():
    workers = FakeWorkers()
    worker = workers.fork(CASE)
    first = worker.measure(seconds=0.0, steps_per_round=1, min_rounds=2)
    second = worker.measure(seconds=0.0, steps_per_round=1, min_rounds=3)
    joined = Rounds.concat((first, Rounds(), second))
    assert joined.step_time == first.step_time + second.step_time
    assert [len(one.values) for one in joined.series] == [5, 5, 5]
    assert Rounds.concat(()) == Rounds()


def test_rounds_are_sized_by_the_warm_step_not_by_the_first_ones():
    slow_at_first = FakeWorkers(lambda *_: chain((0.064,) * FIRST_ROUNDS, repeat(0.001)))
    assert over(slow_at_first, RunPlan(passes=1)).visit.steps_per_round == 10
