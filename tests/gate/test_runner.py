"""A gate's loop, on sides that answer at once: what it measures, when it stops, what it makes of failures."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic

import pytest

from suite.cli import main
from suite.gate.deciding.control_blocks import EARLY
from suite.gate.deciding.effect_sizes import BLOCKS
from suite.gate.deciding.verdict_builder import build_verdict
from suite.gate.formats import render, table
from suite.gate.formats.sentences import sentence
from suite.gate.measuring.block import of_side
from suite.gate.record.store import RECORD_NAME, GateWriter, read_gate
from suite.gate.record.values import GateRecord
from suite.gate.runner import GateRunner
from suite.gate.verdict import GateVerdict
from suite.records import RunPlan, StepmarkError, WorkerSettings
from suite.records.codec import PLAN_KEYS
from suite.runner.worker_handle import WorkerFailed
from tests.fakes.fake_sides import CASES, ROWS, STEP_S, FakeClock, FakeSides, lost, planned

FIRST = CASES[0].id


@pytest.fixture
def gated(tmp_path):
    """Runs a gate of fake sides to its end; the folder is `gate` below `tmp_path`."""

    def run(sides: FakeSides, clock_s: Callable[[], float] = monotonic, **changes: object) -> GateVerdict:
        wanted = planned(**changes)
        with GateWriter.create(tmp_path / "gate", wanted) as writer:
            return GateRunner(sides, GateRecord(wanted), writer, lambda _: None, clock_s=clock_s).run()

    return run


def of(verdict: GateVerdict, metric: str = "step_time") -> dict[str, str]:
    return {one.name: one.verdict for one in verdict.cases if one.metric == metric}


def compared(folder: Path) -> int:
    """Blocks that compare the sides, so far."""
    return len(list(read_gate(folder / "gate").of("comparison")))


def test_identical_sides_are_no_change_and_end_with_0(gated, tmp_path):
    verdict = gated(FakeSides())
    assert set(of(verdict).values()) == {"no change"}
    assert verdict.exit_code == 0
    assert not verdict.interrupted
    kinds = [block.kind for block in read_gate(tmp_path / "gate").blocks]
    assert kinds[0] == "trial"
    assert kinds[1:] == (["comparison"] * 4 + ["control"]) * 2 + ["comparison"] * 2, "ten comparisons, then the look"


def test_a_slowdown_is_a_regression_with_its_size(gated):
    verdict = gated(FakeSides(slower={FIRST: 0.05}))
    first = verdict.cases[0]
    assert (first.name, first.verdict) == (FIRST, "regression")
    assert first.low < 0.05 < first.high
    assert first.high - first.low < 0.02
    assert first.baseline_median == pytest.approx(STEP_S, rel=0.01)
    assert verdict.culprits == (FIRST,)
    assert verdict.exit_code == 10
    assert first.holm <= first.p_value * len(ROWS) + 1e-12


def test_a_case_that_is_not_shown_to_be_slower_with_its_level_is_inconclusive_and_says_so(tmp_path):
    """Three cases of four are slower by 5 %; the fourth, by 2.4 %, is shown by no ten blocks."""
    slower = {case.id: 0.05 for case in CASES[1:]} | {FIRST: 0.024}

    def stop(_: int) -> None:
        if compared(tmp_path) == 11:
            raise KeyboardInterrupt

    wanted = planned(metrics=("step_time",))
    with GateWriter.create(tmp_path / "gate", wanted) as writer, pytest.raises(KeyboardInterrupt):
        GateRunner(
            FakeSides(slower=slower, noise=0.01, before_block=stop), GateRecord(wanted), writer, lambda _: None
        ).run()
    verdict = build_verdict(read_gate(tmp_path / "gate"))
    first = next(one for one in verdict.cases if one.name == FIRST and one.metric == "step_time")
    assert "all cases" in verdict.culprits
    assert first.verdict == "inconclusive"
    assert first.reason == "all cases are slower on average, but this case alone is not shown to be slower"
    assert "this case alone is not shown to be slower; a slowdown above" in table.render(verdict)


def test_concurrent_sides_measure_equal_rounds_and_swap_disjoint_cores_before_every_round(gated):
    sides = FakeSides()
    gated(sides, metrics=("step_time",))
    asked = [request for request in sides.requests if request.cores]
    assert asked
    for one, other in zip(asked[::2], asked[1::2], strict=True):
        assert {one.side, other.side} == {0, 1}
        assert (one.case_id, one.steps_per_round, one.rounds) == (other.case_id, other.steps_per_round, other.rounds)
        assert one.cores == other.cores[::-1]
        assert not set(one.cores[0]) & set(one.cores[1])


def test_alternating_sides_measure_equal_bursts_on_all_cores(gated):
    sides = FakeSides()
    gated(sides, metrics=("step_time",), rows=tuple(replace(row, concurrent=False) for row in ROWS))
    assert not any(request.cores for request in sides.requests)
    bursts = [Counter(request[1:] for request in sides.requests if request.side == side) for side in (0, 1)]
    assert bursts[0] == bursts[1] != Counter()


def test_a_speed_up_is_an_improvement_and_ends_with_0(gated):
    verdict = gated(FakeSides(slower={FIRST: -0.05}))
    assert of(verdict)[FIRST] == "improvement"
    assert verdict.exit_code == 0


def test_a_stored_gate_gives_the_same_verdict_again(gated, tmp_path):
    verdict = gated(FakeSides(slower={FIRST: 0.05}))
    again = build_verdict(read_gate(tmp_path / "gate"))
    assert asdict(again) == asdict(verdict)


@pytest.mark.slow
def test_a_resumed_gate_keeps_the_blocks_from_before_the_interruption(tmp_path):
    wanted = planned()

    def stop(block: int) -> None:
        if block == 6:
            raise KeyboardInterrupt

    with GateWriter.create(tmp_path / "gate", wanted) as writer, pytest.raises(KeyboardInterrupt):
        GateRunner(FakeSides(before_block=stop), GateRecord(wanted), writer, lambda _: None).run()
    file = tmp_path / "gate" / RECORD_NAME
    file.write_bytes(file.read_bytes() + b'{"kind": "comparison", "torn')
    so_far = read_gate(tmp_path / "gate")
    assert not so_far.finished
    assert build_verdict(so_far).interrupted
    assert build_verdict(so_far).exit_code == 11
    measured = len(so_far.blocks)
    assert measured == 5
    sides = FakeSides()
    with GateWriter(tmp_path / "gate") as writer:
        verdict = GateRunner(sides, so_far, writer, lambda _: None).run()
    assert verdict.exit_code == 0
    assert len(read_gate(tmp_path / "gate").blocks) == 13
    assert sides.blocks + 1 == 13 - measured, "nothing was measured twice, memory included"


def test_a_case_that_fails_in_the_candidate_alone_ends_with_1_and_its_reason(gated):
    verdict = gated(FakeSides(fails={(1, FIRST): "RuntimeError: no such layer"}))
    assert verdict.failed == (FIRST,)
    assert [(one.name, one.side, one.reason) for one in verdict.left_out] == [
        (FIRST, "candidate", "RuntimeError: no such layer")
    ]
    assert FIRST not in of(verdict)
    assert set(of(verdict).values()) == {"no change"}
    assert verdict.exit_code == 1


def test_a_case_that_fails_in_the_candidate_ends_a_gate_of_memory_alone_with_1(gated, tmp_path):
    verdict = gated(FakeSides(fails={(1, FIRST): "RuntimeError: no memory"}), metrics=("peak_memory",))
    assert (verdict.failed, verdict.exit_code) == ((FIRST,), 1)
    assert [(one.name, one.side, one.reason) for one in verdict.left_out] == [
        (FIRST, "candidate", "RuntimeError: no memory")
    ]
    assert asdict(build_verdict(read_gate(tmp_path / "gate"))) == asdict(verdict)


def test_a_gate_that_was_killed_before_its_verdict_was_written_writes_it_when_it_is_resumed(gated, tmp_path, capsys):
    verdict = gated(FakeSides(slower={FIRST: 0.05}))
    folder = tmp_path / "gate"
    measured = (folder / RECORD_NAME).read_bytes()
    assert main(["gate", "--resume", str(folder)]) == verdict.exit_code == 10
    assert FIRST in capsys.readouterr().out
    assert json.loads((folder / "verdict.json").read_text())["exit_code"] == 10
    assert (folder / RECORD_NAME).read_bytes() == measured
    assert main(["gate", "--resume", str(folder)]) == 2
    assert "nothing to resume" in capsys.readouterr().err


def test_a_copy_of_a_record_is_not_continued_in_the_record_next_to_it(gated, tmp_path, capsys):
    gated(FakeSides())
    folder = tmp_path / "gate"
    copy = folder / "copy.jsonl"
    copy.write_text((folder / RECORD_NAME).read_text().splitlines(keepends=True)[0])
    before = (folder / RECORD_NAME).read_bytes()
    assert main(["gate", "--resume", str(copy)]) == 2
    assert f"{copy} is a file; allowed after --resume: a gate's folder, or the gate.jsonl" in capsys.readouterr().err
    assert (folder / RECORD_NAME).read_bytes() == before


def test_a_baseline_that_fails_as_the_second_of_two_is_not_taken_for_the_candidate(gated):
    """The first block chooses how to measure, baseline against baseline."""
    failures = {(0, 1, FIRST): WorkerFailed("RuntimeError: now and then")}
    verdict = gated(FakeSides(raises=failures), metrics=("step_time",), rows=ROWS[:1], levels={})
    assert (verdict.failed, verdict.exit_code) == ((), 12)
    assert [one.side for one in verdict.left_out] == ["baseline"]


@pytest.mark.parametrize(
    ("kind", "named"), [("comparison", "candidate"), ("size", "candidate"), ("control", "baseline")]
)
def test_a_side_that_does_not_start_is_named_by_the_arm_that_it_has_in_that_block(kind, named):
    assert str(of_side(StepmarkError("broken."), 1, kind)) == f"the {named} cannot be measured: broken."


def test_a_case_that_fails_in_the_baseline_is_left_out(gated):
    verdict = gated(FakeSides(fails={(0, FIRST): "StepmarkError: structure 'new' is not known"}))
    assert verdict.failed == ()
    assert verdict.exit_code == 0
    assert verdict.left_out[0].side == "baseline"


def test_a_gate_whose_cases_all_fail_in_the_baseline_ends_with_12(gated):
    reason = "StepmarkError: structure 'new' is not known"
    verdict = gated(FakeSides(fails={(0, case.id): reason for case in CASES}))
    assert verdict.cases == ()
    assert verdict.exit_code == 12
    assert sentence(verdict) == f"not comparable: no case was compared; the reason for 4 of 4: baseline: {reason}"


def test_a_worker_that_is_ended_from_outside_costs_its_case_one_block(gated):
    sides = FakeSides(raises={(4, 1, FIRST): lost()})
    verdict = gated(sides)
    one = next(one for one in verdict.cases if one.name == FIRST and one.metric == "step_time")
    assert (one.blocks, one.discarded, one.verdict) == (9, 1, "no change")
    assert verdict.lost_blocks == 1
    assert sides.events.count(f"end 0 {FIRST}") == sum(event.endswith(f" 0 {FIRST}") for event in sides.events) / 2


@pytest.mark.parametrize("error", ["PartnerLost", "OtherGone"], ids=["", "in older revisions"])
def test_the_side_that_failed_is_named_and_not_the_one_that_missed_it(gated, error):
    missed = WorkerFailed(f"{error}: the other worker of the pair has ended")
    sides = FakeSides(raises={(block, 0, FIRST): missed for block in range(1, 20)})
    sides.raises.update({(block, 1, FIRST): WorkerFailed("ValueError: mine") for block in range(1, 20)})
    verdict = gated(sides)
    assert [(one.side, one.reason) for one in verdict.left_out] == [("candidate", "ValueError: mine")]


def test_a_case_whose_workers_are_always_ended_is_inconclusive_and_says_why(gated):
    sides = FakeSides(raises={(block, 1, FIRST): lost() for block in range(200)})
    verdict = gated(sides, budget_s=1.0)
    one = next(one for one in verdict.cases if one.name == FIRST and one.metric == "step_time")
    assert one.verdict == "inconclusive"
    assert "a worker was killed in" in one.reason
    assert verdict.exit_code == 11


def test_a_peak_of_memory_that_grew_is_read_three_times_and_a_regression(gated, tmp_path):
    verdict = gated(FakeSides(memory={(1, FIRST): 5e6}))
    assert of(verdict, "peak_memory")[FIRST] == "regression"
    assert [len(reading.found) for reading in read_gate(tmp_path / "gate").readings] == [4, 1, 1]
    assert verdict.exit_code == 10
    assert set(of(verdict, "allocations").values()) == {"no change"}


def test_a_peak_of_memory_that_shrank_is_an_improvement(gated):
    verdict = gated(FakeSides(memory={(0, FIRST): 5e6}))
    assert of(verdict, "peak_memory")[FIRST] == "improvement"
    assert verdict.exit_code == 0


def test_one_value_more_that_a_step_reads_is_a_regression_however_many_it_reads(gated):
    second = CASES[1].id
    verdict = gated(FakeSides(reads={(1, FIRST): 1, (0, second): 99, (1, second): 100}))
    assert of(verdict, "host_reads") == {FIRST: "regression", second: "regression"} | dict.fromkeys(
        (case.id for case in CASES[2:]), "no change"
    )
    assert set(of(verdict).values()) == {"no change"}
    assert verdict.exit_code == 10
    assert f"{FIRST} has regressed from 0 to 1 in host_reads, {second} by 1.0 %" in sentence(verdict)
    assert "2 of 4 cases are larger in host_reads" in sentence(verdict)


def test_a_value_less_that_a_step_reads_is_an_improvement(gated):
    verdict = gated(FakeSides(reads={(0, FIRST): 1}))
    assert of(verdict, "host_reads")[FIRST] == "improvement"
    assert verdict.exit_code == 0


def test_a_metric_that_one_side_does_not_have_is_reported_once_and_compared_in_no_case(gated):
    verdict = gated(FakeSides(reads={(0, case.id): None for case in CASES}))
    assert of(verdict, "host_reads") == {}
    assert [(one.name, one.reason) for one in verdict.left_out] == [
        ("host_reads of all cases", "not reported by the baseline")
    ]
    assert verdict.exit_code == 0


def test_memory_alone_can_be_gated(gated, tmp_path):
    verdict = gated(FakeSides(memory={(1, FIRST): 5e6}), metrics=("peak_memory",))
    assert of(verdict) == {}
    assert {block.kind for block in read_gate(tmp_path / "gate").blocks} <= {"trial"}
    assert verdict.exit_code == 10


@pytest.mark.parametrize("metrics", [("peak_memory",), ("step_time", "peak_memory")])
def test_a_case_whose_worker_is_killed_in_every_reading_of_memory_is_inconclusive(metrics, gated):
    """By the kernel for want of memory, say, which the candidate takes more of."""
    killed = {(reading, 1, FIRST) for reading in range(3)}
    verdict = gated(FakeSides(killed=killed), metrics=metrics)
    assert of(verdict, "peak_memory") == {row.id: "inconclusive" if row.id == FIRST else "no change" for row in ROWS}
    assert verdict.exit_code == 11
    assert "a worker was killed in each of 3 readings" in render(verdict, "table")


def test_a_case_whose_worker_is_killed_in_one_reading_of_memory_is_read_again(gated):
    verdict = gated(FakeSides(killed={(0, 1, FIRST)}), metrics=("peak_memory",))
    assert of(verdict, "peak_memory") == dict.fromkeys((row.id for row in ROWS), "no change")
    assert verdict.exit_code == 0


def test_a_machine_that_favours_one_side_voids_all_step_times(gated):
    verdict = gated(FakeSides(second_place=0.05), budget_s=3600.0)
    assert "differs from itself by +5." in verdict.control_alarm
    assert set(of(verdict).values()) == {"inconclusive"}
    assert verdict.culprits == ()
    assert verdict.exit_code == 11


def test_a_control_that_differs_by_chance_is_measured_again_and_voids_no_verdict(gated, tmp_path):
    """Trial, reading of memory, four comparisons and the control: blocks 6 and 11 are the first controls."""
    verdict = gated(FakeSides(off={(6, 1, FIRST): 0.052, (11, 1, FIRST): 0.048}, slower={CASES[1].id: 0.05}))
    again = [block for block in read_gate(tmp_path / "gate").blocks if block.kind == "recheck"]
    assert len(again) == EARLY, "so many refute it"
    assert all(FIRST in block.results for block in again)
    assert verdict.control_alarm == ""
    assert verdict.exit_code == 10


def test_a_suspicion_that_there_was_no_time_to_measure_again_leaves_the_verdict_open(gated, tmp_path):
    def stop(block: int) -> None:
        if block == 12:  # the first block that would measure it again
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gated(FakeSides(off={(6, 1, FIRST): 0.052, (11, 1, FIRST): 0.048}, before_block=stop))
    so_far = read_gate(tmp_path / "gate")
    assert build_verdict(so_far).control_alarm == ""
    over = build_verdict(replace(so_far, finished=True))
    assert "there was no time to measure it again" in over.control_alarm
    assert over.exit_code == 11


def test_blocks_that_drift_void_the_step_times(gated):
    """Each block is slower by 0.4 % than the one before it, on the candidate's side alone."""
    drift = {(block, 1, case.id): 0.004 * (block - 9) for block in range(40) for case in CASES}
    verdict = gated(FakeSides(off=drift), budget_s=3600.0)
    assert "each block resembles the one before it: correlation +0." in verdict.dependence_alarm
    assert set(of(verdict).values()) == {"inconclusive"}
    assert verdict.exit_code == 11


def test_a_large_change_has_its_size_measured_in_turns_and_its_verdict_from_both_at_once(gated, tmp_path):
    verdict = gated(FakeSides(slower={FIRST: 0.3}))
    gate = read_gate(tmp_path / "gate")
    again = list(gate.of("size"))
    assert [list(block.results[FIRST]) for block in again] == [["alternating"]] * BLOCKS
    assert [list(block.results) for block in again] == [[FIRST]] * BLOCKS
    first = verdict.cases[0]
    assert (first.name, first.verdict, first.size) == (FIRST, "regression", "in turns")
    assert first.low < 0.3 < first.high
    assert first.judged_change == pytest.approx(0.3, abs=0.02)
    assert first.candidate_median / first.baseline_median == pytest.approx(1.3, abs=0.02)
    assert "regression, size measured in turns" in table.render(verdict)
    as_judged = build_verdict(replace(gate, blocks=[block for block in gate.blocks if block.kind != "size"])).cases[0]
    assert (as_judged.size, as_judged.change) == ("at once", first.judged_change)
    assert "which underestimates it by about a tenth" in table.render(replace(verdict, cases=(as_judged,)))


def test_a_budget_that_is_spent_leaves_cases_inconclusive_with_their_bound(gated):
    clock = FakeClock(block_s=10.0)
    verdict = gated(FakeSides(noise=0.1, before_block=clock.before_block), clock, budget_s=150.0)
    assert verdict.seconds == pytest.approx(150.0, abs=10.0)
    assert "inconclusive" in of(verdict).values()
    assert verdict.exit_code == 11


def test_a_gate_whose_blocks_take_too_long_to_show_anything_says_what_would_do_and_ends(gated, tmp_path):
    clock = FakeClock(block_s=10.0)
    verdict = gated(FakeSides(slower={FIRST: 0.5}, before_block=clock.before_block), clock, budget_s=70.0)
    assert len(list(read_gate(tmp_path / "gate").of("comparison"))) == 1
    assert verdict.exit_code == 11
    assert "but showing a regression of any size takes 7; allowed: --budget" in sentence(verdict)
    assert asdict(build_verdict(read_gate(tmp_path / "gate"))) == asdict(verdict)


def test_how_many_blocks_fit_and_what_they_can_find_is_said_before_the_first_one(tmp_path):
    said: list[str] = []
    wanted = planned()
    with GateWriter.create(tmp_path / "gate", wanted) as writer:
        GateRunner(FakeSides(), GateRecord(wanted), writer, said.append).run()
    first = next(place for place, text in enumerate(said) if text.startswith("block 1"))
    assert "blocks of all cases fit in the" in said[first - 1]
    assert "they find a slowdown of " in said[first - 1]
    assert said[first - 1].endswith("if blocks vary by 0.6 %, as is assumed before the first block")
    assert "as measured" in said[first + 4]


def test_the_few_cases_that_are_left_are_measured_longer_in_each_block(gated, tmp_path):
    def stop(_: int) -> None:
        if compared(tmp_path) == 12:  # the first look is over
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gated(FakeSides(slower={FIRST: 0.016}, noise=0.01, before_block=stop), budget_s=150.0)
    blocks = [block for block in read_gate(tmp_path / "gate").blocks if block.kind == "comparison"]
    pieces = [len(told.paired.orders) for block in blocks for told in block.results[FIRST].values()]
    assert len(blocks[-1].results) < len(blocks[0].results) == len(ROWS)
    assert pieces[-1] > 1.5 * pieces[0]


def test_cases_of_all_threads_take_turns(gated, tmp_path):
    rows = tuple(replace(row, concurrent=False) for row in ROWS)
    verdict = gated(FakeSides(), rows=rows)
    gate = read_gate(tmp_path / "gate")
    assert not list(gate.of("trial")), "there is nothing to choose"
    assert {mode for block in gate.blocks for told in block.results.values() for mode in told} == {"alternating"}
    assert verdict.exit_code == 0


def test_half_of_the_pieces_of_a_case_have_either_order(gated, tmp_path):
    gated(FakeSides())
    for block in read_gate(tmp_path / "gate").blocks:
        for by_mode in block.results.values():
            for told in by_mode.values():
                assert abs(2 * sum(told.paired.orders) - len(told.paired.orders)) <= 1


def test_identical_arms_are_not_measured(gated, tmp_path):
    sides = FakeSides()
    verdict = gated(sides, rows=(), levels={}, identical=True)
    assert sides.events == []
    assert verdict.identical
    assert verdict.exit_code == 0


def test_every_block_and_reading_takes_the_machine_lock_anew(tmp_path):
    turns: list[str] = []

    @contextmanager
    def turn():
        turns.append("taken")
        yield
        turns.append("given back")

    def measured(_: int) -> None:
        turns.append("measured")

    wanted = planned()
    with GateWriter.create(tmp_path / "gate", wanted) as writer:
        GateRunner(FakeSides(before_block=measured), GateRecord(wanted), writer, lambda _: None, turn).run()
    gate = read_gate(tmp_path / "gate")
    assert turns == ["taken", "measured", "given back"] * (len(gate.blocks) + len(gate.readings))


def test_a_folder_that_holds_a_gate_is_not_written_over(gated, tmp_path):
    gated(FakeSides())
    with pytest.raises(StepmarkError, match="holds a gate already"):
        GateWriter.create(tmp_path / "gate", planned())


def test_the_files_of_a_gate_keep_the_first_words_for_how_cases_are_measured(gated, tmp_path):
    rows = (ROWS[0], *(replace(row, concurrent=False) for row in ROWS[1:]))
    verdict = gated(FakeSides(), rows=rows)
    header, *lines = map(json.loads, (tmp_path / "gate" / RECORD_NAME).read_text().splitlines())
    assert [row["together"] for row in header["rows"]] == [True, *[False] * (len(ROWS) - 1)]
    results = [by_mode for line in lines for by_mode in line.get("told", {}).values()]
    assert {word for by_mode in results for word in by_mode} == {"together", "bursts"}
    assert all(pair["mode"] == word for by_mode in results for word, pair in by_mode.items())
    assert json.loads(render(verdict, "json"))["modes"][ROWS[1].id] == "bursts"
    read = read_gate(tmp_path / "gate")
    assert read.planned.rows == rows
    assert {mode for block in read.blocks for by_mode in block.results.values() for mode in by_mode} == {
        "concurrent",
        "alternating",
    }


def test_the_header_of_a_gate_has_worker_settings_among_those_of_a_run_for_other_revisions(tmp_path):
    wanted = planned(workers=WorkerSettings(threads=2, case_timeout=60.0))
    GateWriter.create(tmp_path, wanted).close()
    line = json.loads((tmp_path / RECORD_NAME).read_text())
    assert line["plan"] == {**asdict(RunPlan(order_seed=7)), **asdict(wanted.workers)}
    assert list(line["plan"]) == list(PLAN_KEYS)
    assert list(line)[10:13] == ["budget_s", "plan", "seed"]
    assert read_gate(tmp_path).planned == wanted


def test_hashes_of_loaded_modules_are_kept_for_a_gate_that_is_resumed(tmp_path):
    with GateWriter.create(tmp_path, planned()) as writer:
        writer.loaded({"/own/a.py": "1"})
        writer.loaded({"/own/b.py": "2"})
    assert read_gate(tmp_path).loaded == {"/own/a.py": "1", "/own/b.py": "2"}


@pytest.mark.parametrize(
    "text",
    ["", "{}\n", '{"kind": "header", "schema": 99, "arms": {}}\n', '{"kind": "header", "schema": 1, "arms": {}}\n'],
)
def test_a_file_that_is_no_record_of_a_gate_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / RECORD_NAME).write_text(text)
    with pytest.raises(StepmarkError, match="gate"):
        read_gate(tmp_path)
