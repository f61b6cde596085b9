"""Two stored runs: a slower case is found, the machine's common change is removed, and unknowns are named."""

import json
import math
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from suite.analysis.thresholds import Thresholds, thresholds_of
from suite.cli import main
from suite.comparison import page
from suite.comparison.changes import BETWEEN_RUNS, FEWEST, Comparison, compare
from suite.comparison.formats import as_json, as_table, exit_code
from suite.comparison.pairing import pair_up
from suite.machine.interference import Interference
from suite.measuring.instruments.allocator import STEADY_FAULTS, STEADY_TIME, USUAL_FAULTS, USUAL_TIME
from suite.records import Case, Metric, Run, RunRecord, Series, StepmarkError
from suite.records.store import RunWriter
from tests.conftest import TESTS
from tests.fakes.made_runs import measured, measurement, run, visit

CASES = [
    Case(structure, optimizer, "cpu")
    for structure in ("seed_cnn", "plain_d4w32", "residual_d4w32", "residual_d8w32", "resnet18", "mobilenet_v3_small")
    for optimizer in ("sgd_momentum", "adam", "adamw", "rmsprop")
]
LIMITS = Thresholds()
GOLDEN = TESTS / "golden" / "record_schema_5"


def made(
    source: random.Random,
    changes: dict[str, float] | None = None,
    *,
    shift: float = 0.0,
    noise: float = 0.015,
    cases: list[Case] = CASES,
) -> Run:
    """A run whose machine changed all cases by `shift`, each also by `noise`, and some by `changes`; all are logs."""
    return run(
        [
            measured(
                case,
                0.01 * (1 + place) * math.exp(shift + source.gauss(0, noise) + (changes or {}).get(case.id, 0.0)),
                seed=source.randrange(10**6),
                rounds=20,
            )
            for place, case in enumerate(cases)
        ]
    )


def verdicts(found: Comparison) -> dict[str, str]:
    return {one.name: one.verdict for one in found.cases}


def test_a_run_compared_with_itself_is_no_slower():
    same = made(random.Random(1))
    found = compare(same, same, LIMITS)
    assert set(verdicts(found).values()) == {"no change"}
    assert exit_code(found, LIMITS) == 0
    assert (found.shift, found.noise) == (0.0, 0.0)


@pytest.mark.slow
def test_identical_code_hardly_ever_alarms_whatever_the_machine_did_to_all():
    """Wanted: one in a hundred pairs of runs at most has a false alarm."""
    source, alarms = random.Random(2), 0
    for _ in range(100):
        pair = made(source), made(source, shift=source.gauss(0, 0.05), noise=source.choice((0.005, 0.02)))
        found = compare(*pair, LIMITS)
        alarms += bool(found.count("regression") + found.count("improvement"))
    assert alarms <= 4, "of 100: 1 expected, 5 in two of a thousand tries"


def test_a_large_slowdown_of_one_case_is_found_apart_from_the_common_change():
    source = random.Random(3)
    slow = CASES[5].id
    found = compare(made(source), made(source, {slow: math.log(1.2)}, shift=0.04), LIMITS)
    assert found.cases[0].name == slow, "the largest slowdown comes first"
    assert found.cases[0].change == pytest.approx(0.2, abs=0.07)
    assert [case_id for case_id, verdict in verdicts(found).items() if verdict == "regression"] == [slow]
    assert found.shift == pytest.approx(0.04, abs=0.02)
    assert exit_code(found, LIMITS) == 10


def test_an_improvement_is_no_regression():
    source = random.Random(4)
    found = compare(made(source), made(source, {CASES[5].id: math.log(0.8)}), LIMITS)
    assert verdicts(found)[CASES[5].id] == "improvement"
    assert exit_code(found, LIMITS) in (0, 11)


def test_a_slowdown_of_all_alike_is_open_since_it_may_be_the_machine_s():
    source = random.Random(5)
    found = compare(made(source, noise=0.003), made(source, shift=math.log(1.3), noise=0.003), LIMITS)
    assert found.count("regression") == 0
    assert exit_code(found, LIMITS) == 11
    assert "common change of all cases: +" in as_table(found, LIMITS)


def with_memory(run: Run, changes: dict[str, float] | None = None, host_reads: float = 0.0) -> Run:
    """Every case with memory: 200 MB at its peak, 150 of them imports; `changes` apply to the other 50."""

    def surveyed(record: RunRecord) -> RunRecord:
        own = 50e6 * (1 + (changes or {}).get(record.case.id, 0.0))
        found = {"memory_before_made": 150e6, "memory_peak_steady": 150e6 + own, "allocations": 40.0}
        found["host_reads"] = host_reads
        series = tuple(Series(Metric(name, "B", "lower", "Made."), (value,)) for name, value in found.items())
        return replace(record, measurement=replace(record.measurement, surveyed=series))

    return replace(run, cases=tuple(map(surveyed, run.cases)))


def test_a_case_whose_memory_grew_is_a_regression_though_its_step_time_is_not():
    same = made(random.Random(8))
    grown = CASES[3].id
    found = compare(with_memory(same), with_memory(same, {grown: 0.06, CASES[4].id: 0.04, CASES[5].id: -0.2}), LIMITS)
    assert found.count("regression") == 0
    by_metric = {(one.name, one.metric): one.verdict for one in found.memory}
    assert [key for key, verdict in by_metric.items() if verdict == "regression"] == [(grown, "peak_memory")]
    assert by_metric[CASES[5].id, "peak_memory"] == "improvement"
    assert exit_code(found, LIMITS) == 10
    text = as_table(found, LIMITS)
    assert f"peak_memory regression: {grown} 47.68 MiB to 50.54 MiB, +6.0 %" in text
    assert "peak_memory: no change in 22 of 24 cases" in text
    assert "allocations: no change in 24 of 24 cases" in text
    assert exit_code(compare(with_memory(same), with_memory(same, {grown: 0.06}), LIMITS, 0.1), LIMITS) == 0


def test_a_value_more_that_a_step_reads_is_a_regression_from_nothing_on():
    same = made(random.Random(8))
    found = compare(with_memory(same, host_reads=0.0), with_memory(same, host_reads=1.0), LIMITS)
    assert exit_code(found, LIMITS) == 10
    assert f"host_reads regression: {CASES[3].id} 0 to 1\n" in as_table(found, LIMITS)
    assert "host_reads: no change in 0 of 24 cases (regression: growth above 0 %" in as_table(found, LIMITS)
    memory = json.loads(as_json(found, LIMITS), parse_constant=pytest.fail)["memory"]
    assert {one["change"] for one in memory if one["metric"] == "host_reads"} == {None}
    assert list(memory[0]) == ["id", "metric", "unit", "baseline", "candidate", "change", "verdict"]


def test_runs_of_which_one_has_not_read_memory_say_so():
    same = made(random.Random(9))
    found = compare(same, with_memory(same), LIMITS)
    assert found.memory == ()
    assert "memory is not compared: one of the runs did not measure it" in as_table(found, LIMITS)


def test_few_cases_are_judged_by_what_machines_do_between_runs():
    source = random.Random(6)
    few = CASES[: FEWEST - 1]
    found = compare(made(source, cases=few), made(source, cases=few), LIMITS)
    assert set(verdicts(found).values()) == {"inconclusive"}
    assert found.noise == pytest.approx(math.expm1(BETWEEN_RUNS))
    assert "fewer than 5 cases" in as_table(found, LIMITS)
    tripled = made(source, {few[0].id: math.log(3)}, cases=few)
    assert verdicts(compare(made(source, cases=few), tripled, LIMITS))[few[0].id] == "regression"


def disturbed(record: RunRecord) -> RunRecord:
    """The case with another process on the cores."""
    seen = Interference(0.9, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0, ())
    return replace(record, measurement=replace(record.measurement, per_visit=seen.series()))


def test_a_case_that_was_disturbed_in_one_of_the_runs_is_open_however_much_it_changed():
    source = random.Random(7)
    before, after = made(source), made(source, {CASES[5].id: math.log(2)})
    cases = tuple(disturbed(one) if one.case == CASES[5] else one for one in after.cases)
    found = compare(before, replace(after, cases=cases), LIMITS)
    (one,) = (one for one in found.cases if one.name == CASES[5].id)
    assert (one.verdict, one.reason) == ("inconclusive", "loaded in the candidate")
    assert "inconclusive: loaded in the candidate" in as_table(found, LIMITS)


def test_a_case_that_its_own_allocator_slows_in_both_runs_is_compared():
    same = made(random.Random(12))
    columns = {USUAL_TIME: 0.013, USUAL_FAULTS: 1700.0, STEADY_TIME: 0.010, STEADY_FAULTS: 1.0}
    found = tuple(Series(metric, (value,)) for metric, value in columns.items())
    cases = tuple(replace(one, measurement=replace(one.measurement, surveyed=found)) for one in same.cases)
    slowed = replace(same, cases=cases)
    assert set(verdicts(compare(slowed, slowed, LIMITS)).values()) == {"no change"}


def test_cases_that_cannot_be_compared_are_listed_with_the_reason():
    source = random.Random(8)
    before, after = made(source, cases=CASES[:-1]), made(source, cases=CASES[1:])
    failed = RunRecord(CASES[3], "failed", "it broke")
    found = compare(before, replace(after, cases=(*after.cases[:2], failed, *after.cases[3:])), LIMITS)
    assert dict(found.left_out) == {
        CASES[0].id: "it is not in the candidate",
        CASES[-1].id: "it is not in the baseline",
        CASES[3].id: "it failed in the candidate: it broke",
    }
    assert len(found.cases) == len(CASES) - 3
    assert f"not compared: {CASES[3].id}: it failed in the candidate: it broke" in as_table(found, LIMITS)


def test_cases_left_out_for_one_reason_are_one_line():
    source = random.Random(11)
    found = compare(made(source), made(source, cases=CASES[:20]), LIMITS)
    lines = [line for line in as_table(found, LIMITS).splitlines() if line.startswith("not compared")]
    assert lines == [f"not compared: {CASES[20].id}, {CASES[21].id} and 2 more: it is not in the candidate"]


def written(folder: Path, of: Run) -> Path:
    """The run as a record on disk."""
    writer = RunWriter.create(folder, of.header)
    for record in of.cases:
        writer.case(record)
    writer.finish(of.footer)
    writer.close()
    return folder


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    source = random.Random(9)
    slowed = made(source, {CASES[5].id: math.log(1.5)})
    return str(written(tmp_path / "before", made(source))), str(written(tmp_path / "after", slowed))


def test_the_command_prints_a_table_and_ends_with_the_verdict(pair, capsys):
    assert main(["compare", *pair]) == 10
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["case", "baseline", "candidate", "change", "interval", "verdict"]
    assert lines[1].startswith(CASES[5].id)
    assert lines[1].endswith("regression")
    assert lines[-1].startswith("1 regression")


def test_the_command_gives_all_of_it_as_json(pair, capsys):
    assert main(["compare", *pair, "--format", "json", "--margin", "9%"]) == 10
    printed = json.loads(capsys.readouterr().out)
    assert printed["limits"] == {"tolerance": 0.01, "margin": 0.09, "alpha": 0.01}
    assert [one["verdict"] for one in printed["cases"]].count("regression") == 1
    keys = ["id", "baseline", "candidate", "change", "low", "high", "ruled_out", "verdict", "why_open"]
    assert list(printed["cases"][0]) == keys
    assert list(printed) == [
        *("limits", "cases", "shift", "shift_low", "shift_high", "noise", "left_out", "memory", "memory_tolerance")
    ]


def test_runs_of_other_machines_are_not_comparable_and_the_difference_is_named(tmp_path, pair, capsys):
    lines = (Path(pair[1]) / "record.jsonl").read_text().splitlines()
    header = json.loads(lines[0])
    header["environment"]["machine"]["processor"] = "Another processor"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "record.jsonl").write_text("\n".join([json.dumps(header), *lines[1:]]) + "\n")
    assert main(["compare", pair[0], str(tmp_path / "other")]) == 12
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "machine.processor: A processor, 2 cores, now Another processor" in printed.err


def test_runs_without_a_case_in_common_are_not_comparable(tmp_path, capsys):
    source = random.Random(10)
    sides = [str(written(tmp_path / str(place), made(source, cases=[CASES[place]]))) for place in (0, 1)]
    assert main(["compare", *sides]) == 12
    assert "no case in common" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--margin", "much"], "--margin is 'much'; allowed: a percentage above 0 and below 100, such as 5%."),
        (["--alpha", "0"], "--alpha is '0'; allowed: a percentage above 0 and below 100, such as 5%."),
        (["--tolerance", "5%"], "--margin is 5%; allowed: more than the tolerance, which is 5%."),
    ],
)
def test_wrong_limits_are_one_sentence(pair, capsys, arguments, sentence):
    assert main(["compare", *pair, *arguments]) == 2
    assert capsys.readouterr().err == f"stepmark: {sentence}\n"


def test_a_file_that_is_no_record_is_one_sentence(tmp_path, capsys):
    (tmp_path / "record.jsonl").write_text("{}\n")
    assert main(["compare", str(GOLDEN), str(tmp_path)]) == 2
    assert "is no record of stepmark" in capsys.readouterr().err
    shutil.rmtree(tmp_path)


def test_percentages_are_read_with_and_without_their_sign():
    assert thresholds_of("1", "5%", "0.5 %") == Thresholds(0.01, 0.05, 0.005)
    with pytest.raises(StepmarkError, match="above 0"):
        thresholds_of("-1", "5", "1")


def test_step_times_that_differ_by_any_factor_are_compared_with_finite_numbers():
    """Nobody measures such rounds, but a damaged record may have them."""
    slow, fast = (run([measured(case, step_s) for case in CASES[:FEWEST]]) for step_s in (1e90, 1e-90))
    rounds = [step_s for step_s in (1e-95, 1e95, 1e-95) for _ in range(20)]
    torn = run([replace(slow.cases[0], measurement=measurement(rounds, [visit(at, (10, 10)) for at in range(3)]))])
    for pair in ((slow, fast), (fast, slow), (torn, slow), (slow, torn)):
        text = as_json(compare(*pair, LIMITS), LIMITS)
        assert "Infinity" not in text
        assert "NaN" not in text
        assert page.render(pair_up(pair, LIMITS, 0.05), LIMITS)
