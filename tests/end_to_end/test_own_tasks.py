"""Real runs of a user's own tasks and of the transformer: record, page, table, and a gate."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from statistics import fmean

import pytest

from suite.errors import ExitCode
from suite.exports.formats import export
from suite.machine.affinity import allowed_cores
from suite.records import Run
from suite.records.store import read_run
from tests.conftest import MY_TASKS, Desk
from tests.fakes.repositories import repository, write

PLAN = """
optimizers = ["adam"]
executions = ["cpu"]
batch_sizes = [8]
passes = 1
case_seconds = 0.2
warmup_seconds = 0.2
"""
PROFILES = f"""
[own]
plugins = ["my_tasks"]
structures = ["two_towers", "two_players", "module", "mlp_d1w64"]
tasks = ["pairs", "adversarial", "lightning", "accumulate"]
image_sizes = [8]
{PLAN}
[infers]
plugins = ["my_tasks"]
structures = ["two_towers", "module"]
tasks = ["pairs", "lightning"]
modes = ["infer"]
{PLAN}
[tokens]
structures = ["transformer_d1w64h2"]
tasks = ["next_token"]
{PLAN}
"""


@pytest.fixture
def own(desk: Desk) -> Desk:
    """A user's folder with a module of tasks."""
    (desk.folder / "my_tasks.py").write_text(MY_TASKS.read_text())
    (desk.folder / "profiles.toml").write_text(PROFILES)
    return desk


def run_of(desk: Desk, *arguments: str) -> Run:
    """The record of a run that fails nothing."""
    done = desk.run(*arguments, "--record", "here")
    assert done.code == 0, done.out + done.err
    return read_run(desk.folder / "here")


def metrics_of(run: Run) -> set[str]:
    """Names of what the instruments measured of the first case."""
    measurement = run.cases[0].measurement
    assert measurement is not None
    return {one.metric.name for one in measurement.surveyed}


@pytest.mark.slow
def test_a_plug_in_s_tasks_are_measured_with_dictionaries_two_optimizers_and_steps_in_another_order(own):
    run = run_of(own, "--profile", "own")
    assert {record.case.id: record.outcome for record in run.cases} == {
        "two_towers-adam-cpu-pairs-b8": "measured",
        "two_players-adam-cpu-adversarial-b8": "measured",
        "module-adam-cpu-lightning-b8": "measured",
        "mlp_d1w64-adam-cpu-accumulate-b8-i8": "measured",
    }
    by_task = {record.case.task: record for record in run.cases}
    assert by_task["accumulate"].attributes["task"] == {"parts": 4}
    (row,) = [one for one in csv.DictReader(io.StringIO(export(run, "csv"))) if one["task"] == "pairs"]
    assert float(row["throughput_examples_per_s"]) > 0
    assert "examples/s" in (own.folder / "here" / "report.html").read_text()


@pytest.mark.slow
def test_a_task_infers_if_forward_alone_is_a_use_of_it_and_is_skipped_with_the_reason_if_not(own):
    skipped, measured = sorted(run_of(own, "--profile", "infers").cases, key=lambda record: record.case.task)
    assert (measured.case.task, measured.outcome) == ("pairs", "measured")
    assert (skipped.case.task, skipped.outcome) == ("lightning", "skipped")
    assert skipped.reason == "lightning has no forward pass without targets, which mode infer repeats"


@pytest.mark.slow
def test_memory_phases_and_operations_of_a_transformer_are_in_its_record_and_on_its_page(own):
    run = run_of(own, "--profile", "tokens", "--surveys", "all")
    (record,) = run.cases
    assert record.attributes["task"] == {"loss": "cross_entropy", "vocabulary": 1024, "length": 64}
    found = metrics_of(run)
    assert {"memory_peak_first_backward", "saved_bytes", "optimizer_state_bytes"} <= found
    assert {"part_forward", "part_loss", "part_backward", "part_update"} <= found
    assert {"flops_forward", "flops_backward", "bytes_moved", "utilization"} <= found
    assert record.measurement.instrument_values("unknown_operators") == (0.0,)
    page = (own.folder / "here" / "report.html").read_text()
    assert page.count("transformer_d1w64h2-adam-cpu-next_token-b8") > 4, "in the ranking and in each table below it"


LEVELS = """
from functools import partial

from suite.levels.structures.transformer import transformer
from suite.registry import STRUCTURES

PRODUCTS = {products}


@STRUCTURES.register("slowed", task="next_token")
def slowed(vocabulary, length):
    import torch

    network = transformer(vocabulary, length, depth=2, width=64, heads=4)
    side = torch.rand(64, 64)
    network.register_forward_pre_hook(partial(work, torch, side))
    return network


def work(torch, side, *_):
    for _ in range(PRODUCTS):
        torch.mm(side, side)
"""
PROFILE = """
[planted]
plugins = ["levels"]
structures = ["slowed", "transformer_d1w64h2", "transformer_d2w64h4"]
tasks = ["next_token"]
optimizers = ["sgd_momentum"]
executions = ["cpu"]
batch_sizes = [16]
"""
PLANTED = 0.03
PRODUCTS = 100
CALIBRATION = """
import json, sys, torch
from statistics import median
from time import perf_counter
from suite.measuring.modes import make_step
from suite.records import Case
from suite.registry import load_levels
load_levels(("levels",))
torch.set_num_threads(1)
side = torch.rand(64, 64)
def timed(products):
    started_s = perf_counter()
    for _ in range(products):
        torch.mm(side, side)
    step()
    return perf_counter() - started_s
products = int(sys.argv[1])
with make_step(Case("slowed", "sgd_momentum", "cpu", task="next_token", batch_size=16)) as step:
    for _ in range(20):
        step()
    fours = [[timed(count) for count in (0, products, products, 0)] for _ in range(80)]
print(json.dumps(median((b + c) / (a + d) for a, b, c, d in fours) - 1))
"""


@pytest.mark.nightly
@pytest.mark.alone
@pytest.mark.skipif(len(allowed_cores()) < 2, reason="each side needs a core")
def test_a_gate_finds_three_percent_planted_in_a_transformer(tmp_path):
    folder = repository(tmp_path / "own", {"levels.py": LEVELS.format(products=0), "planted.toml": PROFILE})
    plain = {**os.environ, "GITHUB_ACTIONS": ""}
    calibrating = [
        subprocess.Popen(
            [sys.executable, "-c", CALIBRATION, str(PRODUCTS)], cwd=folder, stdout=subprocess.PIPE, env=plain
        )
        for _ in ("baseline", "candidate")  # as the gate's sides run: a step takes longer while the other core works
    ]
    slower_by = fmean(json.loads(process.communicate()[0]) for process in calibrating)
    write(folder, {"levels.py": LEVELS.format(products=round(PRODUCTS * PLANTED / slower_by))})
    arms = ("--baseline", "rev:HEAD", "--candidate", "dir:.", "--profiles", "planted.toml", "--profile", "planted")
    done = subprocess.run(
        [sys.executable, "-m", "suite.cli", "gate", *arms, "--metric", "step_time", "--budget", "10m", "--out", "out"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
        env=plain,
    )
    assert done.returncode == ExitCode.REGRESSION, done.stdout + done.stderr
    cases = {one["name"]: one for one in json.loads((folder / "out" / "verdict.json").read_text())["cases"]}
    assert [name for name, one in cases.items() if one["verdict"] == "regression"] == [
        "slowed-sgd_momentum-cpu-next_token-b16"
    ]
    assert "slowed-sgd_momentum-cpu-next_token-b16 has regressed by" in done.stdout
