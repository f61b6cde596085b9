"""Views about the cases and the machine: two step times, learning, skipped cases, readings, environment, method."""

from dataclasses import replace

from suite.records import Case, Metric, Run, RunRecord, Series
from suite.report.facts import Facts
from suite.report.machine_readings import course, course_reading, readings
from suite.report.views import anatomy, environment, learning, method, modes, quality, skipped
from tests.fakes.made_runs import ENVIRONMENT, attributes_of, measured, measurement, quick_run, run, visit
from tests.report.test_instrument_section import surveyed

FAST, SLOW = 0.0058, 0.0069


def bimodal(*visits: list[float]) -> Run:
    """A run of one case with one round a turn."""
    case = Case("resnet18", "sgd", "cpu")
    steps = [step for turns in visits for step in turns]
    made = measurement(steps, [visit(number, (1,) * len(turns)) for number, turns in enumerate(visits)])
    return run([RunRecord(case, "measured", "", attributes_of(case), made)])


def test_a_case_with_two_step_times_has_both_and_their_shares():
    found = modes.view(Facts(bimodal([FAST] * 31 + [SLOW] * 19, [FAST] * 31 + [SLOW] * 19)))
    assert found is not None
    assert found.values["sentences"] == ["resnet18-sgd-cpu: 5.80 ms in 62 % of turns, 6.90 ms in 38 %."]
    (row,) = found.values["table"].rows
    assert row[0] == "resnet18-sgd-cpu"
    assert row[2:] == ("5.80 ms", "62 %", "6.90 ms", "38 %", "19.0 %", "19 of 50, 19 of 50", modes.WITHIN)


def test_the_view_says_where_to_look_if_each_process_keeps_one_step_time():
    found = modes.view(Facts(bimodal([FAST] * 30, [SLOW] * 30)))
    assert found is not None
    assert found.values["table"].rows[0][-2:] == ("0 of 30, 30 of 30", modes.BY_PROCESS)
    assert modes.view(Facts(quick_run())) is None


def learner(optimizer: str, accuracy: tuple[float, ...], step_s: float) -> RunRecord:
    """A case that trained for as many epochs of 10 steps, in one visit."""
    case = Case("seed_cnn", optimizer, "cpu", mode="learn", epochs=len(accuracy))
    one = replace(visit(0, (len(accuracy) - 1,)), warmup_rounds=1, steps_per_round=10, stopped_by="epochs")
    known = measurement([step_s] * (len(accuracy) - 1), [one])
    metric = Metric("accuracy", "ratio", "higher", "")
    warmup = (Series(known.series[0].metric, (step_s,)), Series(metric, accuracy[:1]))
    known = replace(known, series=(*known.series, Series(metric, accuracy[1:])), warmup=warmup)
    return RunRecord(case, "measured", "", attributes_of(case), known)


def test_learning_curves_name_the_first_case_at_the_target_and_the_most_accurate():
    slow = learner("adam", (0.5, 0.9, 0.96, 0.99), 0.02)
    quick = learner("sgd", (0.6, 0.951, 0.952, 0.953), 0.01)
    never = learner("rmsprop", (0.1, 0.1, 0.1, 0.2), 0.001)
    found = learning.view(Facts(run([slow, quick, never])))
    assert found is not None
    time, steps = found.charts
    sgd, adam = quick.case.id, slow.case.id
    assert time.reading == f"{sgd} reaches 95 %, the dashed line, first: after 200 ms. 2 of 3 cases reach it."
    assert steps.reading == f"{adam} ends highest, at 99.0 %. {sgd} needs the fewest steps to 95 %: 20."
    assert [one["steps"] for one in steps.specification["layer"][0]["data"]["values"]][-4:] == [10, 20, 30, 40]
    points = time.specification["layer"][0]["data"]["values"]
    assert [one["seconds"] for one in points if one["id"] == adam] == [0.2, 0.4, 0.6, 0.8]
    assert [one["accuracy"] for one in points if one["id"] == sgd] == [0.6, 0.951, 0.952, 0.953]


def test_learning_says_so_if_no_case_reaches_the_target():
    found = learning.view(Facts(run([learner("adam", (0.5, 0.6), 0.02)])))
    assert found is not None
    assert found.charts[0].reading == "No case reaches 95 %, the dashed line."


def test_skipped_cases_name_the_levels_that_no_measured_case_has():
    groups = {group.reason: group.scope for group in skipped.skipped(quick_run(), Facts(quick_run()).figures)}
    assert groups["execution cuda: no CUDA device is visible"] == "execution cuda"
    assert groups["the loss is nan: the step does not train"] == "optimizer lbfgs"


def test_readings_of_the_machine_name_the_highest_visit_and_the_limit():
    loads = {"adam": (0.01, 0.02), "sgd": (0.03, 0.9)}
    records = []
    for name, load in loads.items():
        record = measured(Case("seed_cnn", name, "cpu"), 0.01)
        assert record.measurement
        series = Series(Metric("others_cores", "1", "lower", "Used by others."), load)
        records.append(replace(record, measurement=replace(record.measurement, per_visit=(series,))))
    (row,) = readings(Facts(run(records)).ranked).rows
    assert row == ("Others cores", "0.0250", "0.900", "0.10", "seed_cnn-sgd-cpu", "Used by others.")


def test_the_speed_of_the_machine_is_a_chart_with_its_slowest_spell_in_words():
    found = quality.view(Facts(quick_run()))
    (chart,) = found.charts
    assert chart.twin == "course-table"
    assert len(chart.specification["data"]["values"]) == len(found.values["course"].rows) > 1
    assert chart.reading.startswith("Compared with the median of the run, the machine was at most ")
    assert quality.view(Facts(run([]))).charts == ()


def test_a_run_that_was_never_slower_says_zero():
    spells = [replace(one, slower=-0.01) for one in course(Facts(quick_run()))]
    assert "at most 0.0 % slower" in course_reading(spells)
    assert course_reading(spells).endswith("and at most 1.0 % faster.")


def test_the_environment_at_a_glance_has_what_a_reader_asks_first():
    image = {"name": "stepmark", "config_digest": "sha256:" + 64 * "a"}
    facts = {
        **ENVIRONMENT,
        "machine": {**ENVIRONMENT["machine"], "devices": {"0": {"name": "H100"}, "1": {"name": "H100"}}},
        "container": {"inside": True, "kind": "docker", "image": image},
        "commit": {"revision": 40 * "b", "dirty": True},
        "allocator": {"name": "steady", "effective": "steady"},
    }
    entries = {one.label: one.text for one in environment.glance(facts)}
    assert entries["Accelerators"] == "2 × H100"
    assert entries["Container"] == "stepmark aaaaaaaaaaaa"
    assert entries["Commit"] == "bbbbbbbbbbbb, with changes"
    assert (entries["Memory"], entries["Allocator"], entries["Threads"]) == ("16.0 GiB", "steady", "1")
    assert environment.glance({"container": {"inside": False}}) == [environment.Entry("Container", "none")]
    odd = {"machine": None, "software": [], "container": "?", "commit": 3, "threads": None, "allocator": None}
    assert environment.glance({}) == environment.glance(odd) == []


def test_the_plan_of_the_run_is_a_sentence():
    words = method.plan_sentences(quick_run().header)
    assert words.startswith("This run made 3 passes. A case had 4.00 s for its rounds after warm-up, or less once its ")
    assert "within 2 % of the median" in words
    assert words.endswith("Instruments measured each case after that.")


def test_charts_of_phases_and_memory_show_the_fastest_cases_that_the_filter_leaves():
    records = [surveyed(one) for one in quick_run().cases if one.outcome == "measured"]
    found = anatomy.view(Facts(run(records)))
    assert found is not None
    phases, memory = found.charts
    assert (phases.twin, memory.twin) == ("phases-table", "memory-table")
    for chart in found.charts:
        assert chart.specification["data"] == {"name": "cases"}
        assert any("place <= 25" in str(one.get("filter")) for one in chart.specification["transform"])
    assert memory.reading.startswith("Beyond imports, the peaks reach from 70.0 MiB in ")
