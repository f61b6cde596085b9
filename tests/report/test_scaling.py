"""The page's section about scaling over ranks, from made records."""

from dataclasses import replace

import pytest

from suite import report, units
from suite.analysis.case_figures import figures_of
from suite.analysis.intervals import estimates
from suite.records import Case, Run, RunRecord
from suite.report.table import DIGITS
from suite.report.views.scaling import scaling
from tests.fakes.made_runs import measured, quick_run, run


def shared(execution: str, step_s: float, ranks: int, threads: int, structure: str = "seed_cnn", **facts) -> RunRecord:
    """A case whose batch so many ranks share, each with so many threads; its step time does not vary."""
    record = measured(Case(structure, "sgd", execution), step_s, noise=0.0)
    told = {"device": "cpu", "ranks": ranks, "threads_per_rank": threads, "backend": "gloo", **facts}
    return replace(record, attributes={**record.attributes, "execution": told})


def rows(made: Run) -> list[dict[str, str]]:
    """Each row of the table, its cells by the titles of their columns."""
    table = scaling(made, list(figures_of(made.cases).values()))
    return [dict(zip((column.title for column in table.columns), row, strict=True)) for row in table.rows]


def test_speed_up_and_efficiency_are_against_the_fewest_ranks():
    made = run([shared("distributed_r4", 0.004, 4, 1), shared("distributed_r1", 0.012, 1, 1)])
    first, last = rows(replace(made, header=replace(made.header, environment={"machine": {"cores_usable": 8}})))
    assert (first["Case"], first["Ranks"]) == ("seed_cnn-sgd-distributed_r1", "1")
    assert (first["Speed-up"], first["Between"], first["Efficiency"]) == ("1.00", "", "100 %")
    assert (last["Ranks"], last["On"]) == ("4", "4 cores")
    assert (last["Speed-up"], last["Efficiency"]) == ("3.00", "75.0 %")
    known = estimates(made.cases)
    one, four = (known[record.case.id] for record in reversed(made.cases))
    assert last["Between"] == units.interval(one.low / four.high, one.high / four.low, "1", DIGITS)


def test_threads_beyond_the_cores_are_no_more_cores():
    alone, shares = rows(run([shared("distributed_r1", 0.012, 1, 2), shared("distributed_r4", 0.016, 4, 1)]))
    assert (alone["On"], shares["On"]) == ("2 cores", "2 cores")
    assert shares["Efficiency"] == "75.0 %"


def test_on_accelerators_devices_are_counted():
    told = {"device": "cuda", "backend": "nccl"}
    alone, shares = rows(
        run([shared("one", 0.01, 1, 2, devices=1, **told), shared("four", 0.004, 4, 2, devices=4, **told)])
    )
    assert (alone["On"], shares["On"], shares["Efficiency"]) == ("1 device", "4 devices", "62.5 %")


@pytest.mark.parametrize("other", [{"structure": "mlp_d2w128"}, {"backend": "nccl"}])
def test_cases_that_differ_in_anything_else_are_not_compared(other):
    assert rows(run([shared("distributed_r1", 0.012, 1, 2), shared("distributed", 0.01, 2, 1, **other)])) == []


def test_the_page_has_the_section_where_ranks_were_compared_and_not_otherwise():
    page = report.render(run([shared("distributed_r1", 0.012, 1, 2), shared("distributed", 0.01, 2, 1)]))
    assert '<a href="#scaling">Scaling</a>' in page
    assert "Scaling over ranks" in page
    assert "1.20" in page
    assert "scaling" not in report.render(quick_run()).split("<main>")[1].split("<script")[0]
