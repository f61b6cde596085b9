"""Heat maps: every case with an outcome has its cell, and every empty cell its reason."""

from itertools import product

import pytest

from suite import units
from suite.records import Case, RunRecord
from suite.report.facts import Facts
from suite.report.views.heatmap import SHADES, maps_of, view
from tests.fakes.made_runs import OPTIMIZERS, measured, quick_run, run


def cells(found, name):
    """Cells of the first map by optimizer, of one row."""
    first = found.maps[0]
    return dict(zip(first.optimizers, dict(first.rows)[name], strict=True))


@pytest.fixture(scope="module")
def quick():
    return Facts(quick_run())


def test_a_cell_has_the_step_time_and_its_distance_to_the_fastest_of_the_row(quick):
    found = cells(maps_of(quick.run, quick.ranked), "resnet18")
    known = {one.case.optimizer: one.step_time for one in quick.ranked if one.case.structure == "resnet18"}
    best = min(known, key=lambda name: known[name].median)
    assert found[best].note == "best"
    for name, estimate in known.items():
        assert found[name].text == units.text(estimate.median, "s", 3)
        if name != best:
            change = units.percent(estimate.median / known[best].median - 1, sign=True)
            assert found[name].note in (change, f"{change} ?")
            assert found[name].note.endswith("?") == (estimate.low <= known[best].high)


def test_rows_and_columns_are_in_the_order_of_their_costs(quick):
    first = maps_of(quick.run, quick.ranked).maps[0]
    rows = [name for name, _ in first.rows]
    assert (rows[0], rows[-1]) == ("seed_cnn", "mobilenet_v3_small")
    assert first.optimizers == ("sgd", *OPTIMIZERS, "lbfgs"), "a level without any step time is the last"


def test_shades_go_from_the_fastest_to_the_slowest_case(quick):
    shades = [cell.shade for one in maps_of(quick.run, quick.ranked).maps for _, row in one.rows for cell in row]
    known = [shade for shade in shades if shade is not None]
    assert (min(known), max(known)) == (0, SHADES - 1)


def test_skipped_and_failed_cells_name_their_reason_once():
    cases = [measured(Case(name, "sgd", "cpu"), 0.01, seed) for seed, name in enumerate("ab")]
    cases += [RunRecord(Case(name, "lbfgs", "cpu"), "skipped", "lbfgs needs a closure") for name in "ab"]
    cases += [RunRecord(Case("a", "muon", "cpu"), "failed", "the loss is nan")]
    found = maps_of(run(cases), Facts(run(cases)).ranked)
    assert found.maps[0].reasons == ("skipped: lbfgs needs a closure", "failed: the loss is nan")
    row = cells(found, "a")
    assert (row["lbfgs"].text, row["lbfgs"].note, row["lbfgs"].shade) == ("skipped", "1", None)
    assert (row["muon"].text, row["muon"].note) == ("failed", "2")
    assert cells(found, "b")["muon"].kind == ""


def test_the_other_levels_name_a_map():
    cases = [measured(Case("a", name, "cpu", batch_size=16, tuning="bf16"), 0.01) for name in ("sgd", "adam")]
    assert maps_of(run(cases), Facts(run(cases)).ranked).maps[0].name == "execution cpu, tuning bf16, batch size 16"


def test_the_reading_names_the_largest_changes():
    steps = {("a", "sgd"): 0.010, ("a", "adam"): 0.012, ("b", "sgd"): 0.040, ("b", "adam"): 0.041}
    cases = [measured(Case(*levels, "cpu"), step_s, noise=0.0) for levels, step_s in steps.items()]
    assert maps_of(run(cases), Facts(run(cases)).ranked).maps[0].reading == (
        "The optimizer changes the step time by up to 20 % (structure a). "
        "The structure changes the step time by up to a factor of 4.0 (optimizer sgd)."
    )


def test_many_cases_leave_maps_and_rows_out_and_say_so():
    levels = product(range(10), ("sgd", "adam", "lion"), ("cpu", "data_parallel", "distributed"))
    cases = [
        measured(Case(f"s{row}", name, execution, seed=0), 0.01 + row, rounds=1) for row, name, execution in levels
    ]
    found = maps_of(run(cases), Facts(run(cases)).ranked, most_cells=42)
    assert [len(one.rows) * len(one.optimizers) for one in found.maps] == [30, 12]
    assert (found.maps[1].rows[-1][0], found.maps[1].hidden) == ("s3", 6)
    assert found.left_out == (
        "Not shown: 1 more map of 30 measured cases, for lack of room. The ranked table has all cases."
    )


def test_a_run_without_two_cases_that_share_their_other_levels_has_no_map():
    alone = [measured(Case("a", "sgd", "cpu", batch_size=size), 0.01) for size in (16, 32)]
    assert view(Facts(run(alone))) is None
    assert view(Facts(run([]))) is None
