"""The sections about phases, memory, utilization and roofline, from values of which the answer is known."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from suite import report
from suite.analysis.case_figures import CaseFigures, figures_of
from suite.records import Case, Metric, RunRecord, Series
from suite.report.facts import Facts
from suite.report.instruments import MOST_ROWS, has_memory, rows_of
from suite.report.table import Drawing, Table
from suite.report.views import anatomy, utilization
from tests.fakes.html_page import Page
from tests.fakes.made_runs import measured, run

MIB = 2**20
FOUND: dict[str, tuple[str, tuple[float, ...]]] = {
    "part_data_wait": ("s", (0.0009, 0.0009, 0.0009)),
    "part_copy": ("s", (0.0001, 0.0001, 0.0001)),
    "part_zero_grad": ("s", (0.0, 0.0, 0.0)),
    "part_forward": ("s", (0.002, 0.003, 0.010)),
    "part_loss": ("s", (0.0, 0.0, 0.0)),
    "part_backward": ("s", (0.004, 0.004, 0.004)),
    "part_update": ("s", (0.001, 0.001, 0.001)),
    "watched_step_time": ("s", (0.010, 0.010, 0.020)),
    "bare_step_time": ("s", (0.0098, 0.0098, 0.010)),
    "memory_before_made": ("B", (400 * MIB,)),
    "memory_peak_made": ("B", (410 * MIB,)),
    "memory_peak_first_forward": ("B", (430 * MIB,)),
    "memory_peak_first_backward": ("B", (470 * MIB,)),
    "memory_peak_first_update": ("B", (460 * MIB,)),
    "memory_before_steady": ("B", (440 * MIB,)),
    "memory_peak_steady": ("B", (465 * MIB,)),
    "parameter_bytes": ("B", (2 * MIB,)),
    "gradient_bytes": ("B", (2 * MIB,)),
    "optimizer_state_bytes": ("B", (4 * MIB,)),
    "saved_bytes": ("B", (10 * MIB,)),
    "utilization": ("ratio", (0.49,)),
    "sample_time": ("s", (0.1, 0.4)),
    "cores_used": ("1", (0.9, 1.0)),
    "core_busy": ("ratio", (1.0, 0.25)),
    "resident_memory": ("B", (460 * MIB, 470 * MIB)),
    "context_switches": ("count", (1.5,)),
    "forced_switches": ("count", (0.25,)),
    "storage_read": ("B", (0.0,)),
    "storage_written": ("B", (2048.0,)),
    "throttled_time": ("s", (0.0,)),
    "energy_of_step": ("J", (1.5,)),
    "flops_forward": ("FLOP", (2e8,)),
    "flops_backward": ("FLOP", (3e8,)),
    "flops_update": ("FLOP", (1e6,)),
    "bytes_moved": ("B", (5.01e7,)),
    "unknown_operators": ("count", (0.0,)),
    "ceiling_flops": ("FLOP/s", (0.9e11, 1e11, 0.95e11)),
    "ceiling_bandwidth": ("B/s", (2e10, 1e10)),
}


def surveyed(record: RunRecord, **others: tuple[float, ...] | None) -> RunRecord:
    """A record whose surveys found what stands above, or other values, or, with None, nothing of a metric."""
    found = {name: (unit, others.get(name, values)) for name, (unit, values) in FOUND.items()}
    series = tuple(
        Series(Metric(name, unit, "lower", "A survey's."), values) for name, (unit, values) in found.items() if values
    )
    assert record.measurement
    return replace(record, measurement=replace(record.measurement, surveyed=series))


def case(**others: tuple[float, ...] | None) -> CaseFigures:
    record = surveyed(measured(Case("seed_cnn", "adam", "cpu"), 0.01, noise=0.0), **others)
    return figures_of([record])[record.case.id]


def tables(*cases: CaseFigures) -> SimpleNamespace:
    """The tables of the two views, with their own columns and conditions."""
    return SimpleNamespace(
        breakdown=rows_of("Step breakdown", anatomy.BREAKDOWN, filter(anatomy.has_breakdown, cases)),
        memory=rows_of("Memory", anatomy.MEMORY, filter(has_memory, cases)),
        utilization=rows_of("Utilization", utilization.UTILIZATION, filter(utilization.has_utilization, cases)),
        roofline=rows_of("Roofline", utilization.ROOFLINE, filter(utilization.has_roofline, cases)),
    )


def only(table: Table) -> tuple[str, ...]:
    """The cells of text of a table's only row, without the id."""
    (row,) = table.rows
    return tuple(cell for cell in row[1:] if not isinstance(cell, Drawing))


def test_phases_are_medians_and_their_sum_is_a_share_of_the_whole():
    cells = only(tables(case()).breakdown)
    assert cells[:7] == ("900 µs", "100 µs", "0 s", "3.00 ms", "0 s", "4.00 ms", "1.00 ms")
    assert cells[7:] == ("80.0 %", "+2.0 %"), "of each step, then the median: 80, 90 and 80 %; 2, 2 and 100 % more"


def test_a_phase_that_a_case_does_not_have_is_left_empty():
    facts = case(part_backward=None, part_update=None, part_zero_grad=None, part_loss=None)
    assert only(tables(facts).breakdown)[2:7] == ("", "3.00 ms", "", "", "")


def test_memory_is_shown_beyond_imports_and_between_steps():
    assert only(tables(case()).memory) == (
        *("470 MiB", "400 MiB", "70.0 MiB", "25.0 MiB"),
        *("430 MiB", "470 MiB", "460 MiB"),
        *("16.0 MiB", "4.00 MiB", "10.0 MiB", "", ""),
    )


@pytest.mark.parametrize(("busy", "limited"), [((0.1, 0.3), True), ((0.9, 0.99), False)])
def test_a_device_that_is_idle_most_of_the_time_waits_for_the_host_and_the_section_says_so(busy, limited):
    with_it = on_device(case(), busy)
    table = rows_of("Utilization", utilization.utilization_columns([with_it]), [with_it])
    assert only(table)[0] == ("20.0 %" if limited else "94.5 %")
    assert utilization.utilization_columns([case()]) == utilization.UTILIZATION
    text = utilization.utilization_reading([with_it])
    assert ("On a device, a kernel runs" in text, "the host that launches the kernels is the limit" in text) == (
        True,
        limited,
    )
    assert "device" not in utilization.utilization_reading([case()])


def on_device(facts: CaseFigures, busy: tuple[float, ...]) -> CaseFigures:
    """The figures with a device's utilization."""
    series = Series(Metric("gpu0_utilization", "ratio", "higher", "A survey's."), busy)
    return replace(facts, measurement=replace(facts.measurement, surveyed=(*facts.measurement.surveyed, series)))


def test_many_cores_are_summed_up_and_a_few_have_a_number_each():
    few, many = (1.0, 0.25), (0.99, 0.02, 0.0, 0.5, *(0.1,) * 28)
    cells = [only(tables(case(core_busy=shares)).utilization) for shares in (few, many)]
    assert "100 % 25 %" in cells[0]
    assert "0 % to 99 %, median 10 %" in cells[1]


@pytest.mark.parametrize("way", ["process", "difference"])
def test_memory_of_devices_names_the_driver_s_reading(way):
    facts = case()
    with_it = replace(facts, readings={**facts.readings, f"device_memory_by_{way}": (700.0 * MIB,)})
    assert only(tables(with_it).memory)[-1] == f"700 MiB by {way}"


def test_gradients_larger_than_saved_tensors_are_the_least_memory_of_a_step():
    assert only(tables(case(saved_bytes=(1 * MIB,))).memory)[7] == "8.00 MiB"


def test_the_best_reading_is_the_ceiling_and_the_lower_roof_counts():
    """501 MFLOP in 10 ms are 50.1 GFLOP/s, half of the product; at 10 FLOP a byte memory allows more than it."""
    cells = only(tables(case()).roofline)
    assert cells[4:] == ("47.8 MiB", "10.0", "50.1 GFLOP/s", "50.1 %", "50.1 %", "compute")
    narrow = only(tables(case(ceiling_bandwidth=(8e9,))).roofline)
    assert narrow[7:] == ("50.1 %", "62.6 %", "memory")


def test_utilization_is_shown_for_each_core():
    cells = only(tables(case()).utilization)
    assert cells == (
        "49.0 %",
        "",
        "0.975",
        "100 % 25 %",
        "470 MiB",
        "1.50",
        "0.250",
        "0 B",
        "2.00 KiB",
        "0 s",
        "1.50 J",
    )


def test_operations_that_could_not_all_be_counted_are_a_lower_bound():
    assert only(tables(case(unknown_operators=(2.0,))).roofline)[0] == "at least 501 MFLOP"


def test_a_case_without_surveys_is_in_no_table():
    (facts,) = figures_of([measured(Case("seed_cnn", "adam", "cpu"), 0.01)]).values()
    assert [table.rows for table in vars(tables(facts)).values()] == [()] * 4
    assert anatomy.view(Facts(run([facts.record]))) is utilization.view(Facts(run([facts.record]))) is None
    assert facts.peak_memory_bytes is None


@pytest.mark.parametrize(
    "metric", ["watched_step_time", "part_forward", "memory_before_made", "utilization", "ceiling_flops"]
)
def test_a_record_that_lacks_a_series_lacks_a_row_and_no_more(metric: str):
    made = tables(case(**{metric: None}))
    assert sum(bool(table.rows) for table in vars(made).values()) == 3


@pytest.mark.slow
def test_rows_beyond_the_most_are_counted_under_the_table():
    made = tables(*[case()] * (MOST_ROWS + 3))
    assert (len(made.roofline.rows), made.roofline.hidden) == (MOST_ROWS, 3)
    assert "3 slower cases are not shown here" in report.render(
        run([surveyed(measured(Case("seed_cnn", "adam", "cpu", seed=seed), 0.01)) for seed in range(MOST_ROWS + 3)])
    )


def test_the_page_shows_the_section_where_something_was_found():
    record = measured(Case("seed_cnn", "adam", "cpu"), 0.01)
    with_it, without = (Page(report.render(run([one]))) for one in (surveyed(record), record))
    assert "Backward takes 40 % of a step, the optimizer 10 %" in with_it.words("anatomy")
    assert "A step adds most in seed_cnn-adam-cpu: 25.0 MiB" in with_it.words("anatomy")
    assert "The case uses 49 % of the granted cores" in with_it.words("utilization")
    assert "seed_cnn-adam-cpu comes nearest to its roof, with 50 % of it" in with_it.words("utilization")
    assert with_it.rows("ranked")[0][6] == "470.0 MiB"
    assert without.rows("ranked")[0][6] == "–"
    assert not {"anatomy", "utilization"} & {one.attributes.get("id") for one in without.all("section")}


@pytest.mark.slow
def test_a_page_of_1000_surveyed_cases_stays_within_2_megabytes():
    records = [surveyed(measured(Case("seed_cnn", "adam", "cpu", seed=seed), 0.01, seed)) for seed in range(1000)]
    assert len(report.render(run(records)).encode()) <= 2_000_000
