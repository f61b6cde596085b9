"""The study of the gate: its texts say what its raw data say."""

import json
import os
import subprocess
import sys
from importlib import import_module

import pytest

from tests.conftest import PROJECT

STUDY = PROJECT / "docs" / "studies" / "gate"


@pytest.fixture
def module(monkeypatch):
    """Imports a script of the study, whose paths are those of the checkout."""
    monkeypatch.syspath_prepend(str(STUDY))
    monkeypatch.chdir(PROJECT)
    return import_module


def test_the_tables_of_the_documents_are_those_of_the_raw_data():
    done = subprocess.run(
        [sys.executable, str(STUDY / "page.py"), "--check"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_document_of_results_has_the_marks_of_each_table_that_is_put_there(module):
    page = module("page")
    marks = page.MARKED.findall(page.DOCUMENT.read_text(encoding="utf-8"))
    assert [name for _, name, _ in marks] == ["live", "errors", "rivals", "denied"]


@pytest.mark.parametrize(
    ("count", "total", "said"),
    [
        (0, 40, "0 of 40 (at most 7.2 %)"),
        (20, 20, "20 of 20 (at least 86 %)"),
        (4, 5, "4 of 5 (28 to 99.5 %)"),
        (0, 0, "none measured"),
    ],
)
def test_a_share_has_its_limits_and_none_or_all_have_a_one_sided_bound(module, count, total, said):
    assert module("shares").of(count, total) == said


def test_each_rule_of_a_tool_has_the_error_of_the_statistic_that_it_judges(module):
    tables, gathered = module("rivals_tables"), module("gathered")
    found = {rule: gathered.error_of(changes) for (_, rule), changes in tables.errors(gathered.study(1)).items()}
    assert found["min:5%"] == found["min:10%"] == pytest.approx(0.057, abs=0.001)
    assert found["mean:5%"] == pytest.approx(0.116, abs=0.001)
    assert found["median:5%"] == pytest.approx(0.128, abs=0.001)


def test_the_error_of_the_gate_is_of_identical_arms_alone(module):
    tables, gathered = module("rivals_tables"), module("gathered")
    changes = tables.errors(gathered.study(1))[tables.GATE, tables.GATE_RULE]
    identical = [one for one in gathered.study(1).gates if one["condition"] == "identical, 8 cases"]
    assert len(changes) == 8 * len(identical) == 320


@pytest.mark.parametrize(("said", "count"), [("*=0", 0), ("*sgd*=3;*adam*=5", 5), ("*sgd*=3", 0), ("", 0)])
def test_a_plug_in_adds_the_work_that_its_arm_asks_for(module, monkeypatch, said, count):
    changes = module("changes")
    monkeypatch.setenv("WORK", said)
    assert changes.wanted("WORK", "mlp_d2w128-adam-cpu-b32") == count


def test_both_arms_of_every_condition_have_the_plug_in(module):
    live, changes = module("live"), module("changes")
    for condition in live.CONDITIONS:
        arms = live.arms_of(condition, {"mlp_d2w128-adam-cpu-b32": 7} if condition.victims else {})
        assert all(any(f"env:{variable}=" in arm for variable in changes.VARIABLES) for arm in arms)
    for change in module("organic").CHANGES:
        assert len({any(f"env:{variable}=" in arm for variable in changes.VARIABLES) for arm in change.arms}) == 1


@pytest.mark.nightly
def test_the_dose_of_a_step_with_much_more_work_is_measured_above_nothing():
    """The dose as the study measures it, in a separate process that no variable changes."""
    case, work = "mlp_d2w128-adam-cpu-b32", "5000"
    done = subprocess.run(
        [sys.executable, str(STUDY / "dose.py"), "measure", case, "1", "0.5", work],
        env={**os.environ, "WORK": "*=0"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert 0 < found["low"] <= found["share"] <= found["high"]
    assert found["count"] == int(work)


def test_the_procedure_finds_in_the_stored_blocks_of_live_gates_what_was_slowed_and_nothing_else(module):
    rows = module("replayed").table(module("gathered").study(1))
    slowed = {one.name for one in module("live").CONDITIONS if one.victims}
    assert sum(gates for _, gates, _, _ in rows) == 121
    assert all(hits == gates for name, gates, hits, _ in rows if name in slowed)
    assert not any(falsely for _, _, _, falsely in rows)
