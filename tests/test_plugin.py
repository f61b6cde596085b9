"""Real pytest runs over real workers, through the options that a user types."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from suite.analysis.estimates import estimate, kept_rounds
from suite.machine.affinity import affinity_cores
from suite.records.store import read_run
from tests.conftest import Desk, Finished
from tests.fakes.neighbours import BUSY, neighbour
from tests.fakes.schemas import faults_of_record


@pytest.mark.slow
def test_a_selected_case_is_measured_on_all_cores(desk: Desk) -> None:
    selected = ("-k", "tinier and adam", "--threads", str(affinity_cores()))
    done = desk.run("--profile", "tiny", *selected, "--record", "here")
    assert done.code == 0, done.out + done.err
    assert "3 deselected" in done.out
    (record,) = read_run(desk.folder / "here").cases
    assert record.case.id == "tinier-adam-cpu-b4-i8"
    assert record.measurement is not None
    assert record.measurement.values("queue_time")


def test_a_run_leaves_record_and_page_and_says_where(finished: Finished) -> None:
    folder, done = finished.folder, finished.done
    assert done.code == 0, done.out + done.err
    assert f"record  {Path('here') / 'record.jsonl'}" in done.out
    assert "report  " in done.out
    assert "Name (time in" in done.out, "an option of pytest-benchmark was given"
    assert "4 cases: 4 measured, 0 skipped, 0 failed." in done.out
    assert (folder / "here" / "report.html").stat().st_size > 10_000
    text = (folder / "here" / "record.jsonl").read_text()
    assert faults_of_record(text) == []
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["kind"] for line in lines] == ["header", "case", "case", "case", "case", "footer"]
    assert lines[-1]["counts"] == {"measured": 4, "skipped": 0, "failed": 0}
    assert not (folder / "here" / "visits.jsonl").exists()
    run = read_run(folder / "here")
    assert {record.case.id for record in run.cases} == set(run.header.planned)
    for record in run.cases:
        assert record.measurement is not None
        assert [visit.index for visit in record.measurement.visits] == [0, 1]
        assert all(visit.warmup_rounds >= 3 for visit in record.measurement.visits)
        assert all(value > 0 for value in record.measurement.values("step_time"))
    assert_benchmark_agrees(folder / "rounds.json", folder / "here")


@pytest.mark.slow
def test_a_measured_case_goes_through_its_surveys_and_the_page_shows_them(desk: Desk) -> None:
    done = desk.run("--profile", "tiny", "-k", "tiny-adam", "--surveys", "all", "--record", "here")
    assert done.code == 0, done.out + done.err
    (record,) = read_run(desk.folder / "here").cases
    assert record.measurement is not None
    assert [text for text in record.measurement.warnings if "was not steady" not in text] == []
    found = {series.metric.name for series in record.measurement.surveyed}
    assert {"memory_peak_steady", "part_forward", "utilization", "flops_forward", "ceiling_flops"} <= found
    assert "Where the time and the memory of a step go" in (desk.folder / "here" / "report.html").read_text()
    assert re.search(r"he measured case was (not )?disturbed from outside, and it is (not )?steady", done.out)
    assert "peak memory" in done.out
    assert "allocator" not in " ".join(found), "workers have the steady one"


@pytest.mark.alone
@pytest.mark.slow
def test_each_visit_records_the_load_of_other_processes(desk: Desk) -> None:
    with neighbour(BUSY):
        done = desk.run("--profile", "tiny", "-k", "tiny-adam", "--record", "here")
    assert done.code == 0, done.out + done.err
    (record,) = read_run(desk.folder / "here").cases
    assert record.measurement is not None
    assert all(used > 0.1 for used in record.measurement.visit_values("others_cores"))
    assert {visit.neighbour[:6] for visit in record.measurement.visits} == {"python"}
    assert "loaded 1" in done.out


def assert_benchmark_agrees(file: Path, folder: Path) -> None:
    """pytest-benchmark's figures are those of our rounds, to the last digit."""
    theirs = {one["params"]["case_id"]: one["stats"] for one in json.loads(file.read_text())["benchmarks"]}
    for record in read_run(folder).cases:
        assert record.measurement is not None
        rounds = [value for turn in kept_rounds(record.measurement) for value in turn]
        stats = theirs[record.case.id]
        assert stats["data"] == rounds
        ours = estimate(kept_rounds(record.measurement))
        assert ours is not None
        assert stats["median"] == ours.median == statistics.median(rounds)


@pytest.mark.slow
def test_every_way_to_fail_is_a_reason_and_the_others_go_on(desk: Desk) -> None:
    done = desk.run("--profile", "faulty", "--record", "here", "--case-timeout", "5")
    assert done.code == 1, done.out + done.err
    records = {record.case.structure: record for record in read_run(desk.folder / "here").cases}
    assert records["tiny"].outcome == "measured"
    reasons = {name: record.reason for name, record in records.items() if record.outcome == "failed"}
    assert reasons["raises"] == "RuntimeError: the forward broke"
    assert reasons["diverges"].startswith("the loss is nan")
    assert reasons["hungry"].startswith("out of memory: ")
    assert reasons["crashes"].startswith("the worker crashed with signal 6 (SIGABRT)")
    assert reasons["hangs"] == "the worker gave no answer for 5 s and was ended"
    assert "mat1 and mat2 shapes cannot be multiplied" in reasons["misshapen"]
    assert records["picky"].outcome == "skipped"
    assert records["picky"].reason == "picky needs images of at least 16 pixels a side, not 8"
    assert "1 passed, 1 skipped" in done.out.replace("6 failed, ", "")
    assert "the worker gave no answer for 5 s" in done.out
    assert re.search(r"^ *1  tiny-sgd-cpu-b4-i8  +[\d.]+ [mµ]s  +\[", done.out, re.MULTILINE)
    assert "8 cases: 1 measured, 1 skipped, 6 failed." in done.out
    assert "Name (time in" not in done.out, "pytest-benchmark's table is for those who give one of its options"


def test_collecting_measures_and_writes_nothing(desk: Desk) -> None:
    done = desk.run("--profile", "tiny", "--collect-only", "-q", "--record", "here")
    assert done.code == 0
    assert "test_training_step[tiny-adam-cpu-b4-i8]" in done.out
    assert not (desk.folder / "here").exists()


@pytest.mark.slow
def test_shards_part_the_cases(desk: Desk) -> None:
    parts = [desk.run("--profile", "tiny", "--collect-only", "-q", "--shard", f"{i}/3").out for i in (1, 2, 3)]
    found = [line for part in parts for line in part.splitlines() if "test_training_step[" in line]
    assert len(found) == len(set(found)) == 4


@pytest.mark.slow
def test_the_first_failure_ends_the_run_when_asked(desk: Desk) -> None:
    done = desk.run("--profile", "faulty", "-x", "-k", "raises or tiny", "--record", "here")
    assert done.code == 1
    assert "1 passed" in done.out
    assert "1 failed" in done.out


def test_a_pipe_gets_plain_lines(finished: Finished) -> None:
    assert "\x1b" not in finished.done.out
    assert "\r" not in finished.done.out
    assert "measuring: pass 1 of 2" in finished.done.out


@pytest.mark.slow
def test_benchmarks_of_others_keep_the_table_of_pytest_benchmark(desk: Desk) -> None:
    (desk.folder / "test_mine.py").write_text("def test_mine(benchmark):\n    benchmark.pedantic(str, rounds=3)\n")
    done = desk.run("--profile", "tiny", "-k", "tiny-sgd or mine", "--record", "here", "test_mine.py")
    assert done.code == 0, done.out + done.err
    theirs = done.out.partition("Name (time in")[2]
    assert "test_mine" in theirs
    assert "test_training_step" not in theirs
    assert re.search(r"^1  tiny-sgd_momentum-cpu-b4-i8  ", done.out, re.MULTILINE)


@pytest.mark.nightly
def test_saved_runs_compare_with_pytest_benchmark(desk: Desk) -> None:
    first = desk.run("--profile", "tiny", "-k", "tiny-sgd", "--benchmark-save=first", "--record", "one")
    again = ["--benchmark-compare", "--benchmark-histogram=drawn", "--record", "two"]
    second = desk.run("--profile", "tiny", "-k", "tiny-sgd", *again)
    assert (first.code, second.code) == (0, 0), first.out + second.out
    assert "(0001_first)" in second.out
    assert "(NOW)" in second.out
    assert any("<svg" in file.read_text() for file in desk.folder.glob("drawn*.svg"))


BAD_OPTIONS = [
    (["--profile", "huge"], "profile 'huge' is not in", "allowed: tiny, faulty"),
    (["--profiles", "missing.toml"], "cannot read profiles from", "No such file"),
    (["--profile", "tiny", "--passes", "0"], "--passes is '0'", "allowed: a whole number from 1"),
    (["--profile", "tiny", "--passes", "few"], "--passes is 'few'", "allowed: a whole number from 1"),
    (["--profile", "tiny", "--interleave", "0"], "--interleave is '0'", "allowed: a whole number from 1"),
    (["--profile", "tiny", "--abreast", "0"], "--interleave is '0'", "allowed: a whole number from 1"),
    (["--profile", "tiny", "--threads", "1.5"], "--threads is '1.5'", "allowed: a whole number from 1"),
    (["--profile", "tiny", "--target-precision", "-2"], "--target-precision is '-2'", "allowed: a percentage"),
    (["--profile", "tiny", "--case-seconds", "nan"], "--case-seconds is 'nan'", "allowed: a number of seconds"),
    (["--profile", "tiny", "--allocator", "fast"], "--allocator is 'fast'", "allowed: steady, default"),
    (["--profile", "tiny", "--priority", "low"], "--priority is 'low'", "allowed: high, normal"),
    (["--profile", "tiny", "--surveys", "some"], "--surveys is 'some'", "allowed: all, none"),
    (["--profile", "tiny", "--shard", "3/2"], "--shard is '3/2'", "allowed: I/N"),
    (["--resume", "nowhere"], "no record at", "No such file"),
    (["--resume", "profiles.toml"], "is no record of stepmark", ""),
    (["--resume", "nowhere", "--passes", "2"], "--passes cannot be given with --resume", ""),
]


@pytest.mark.parametrize(("arguments", "found", "allowed"), BAD_OPTIONS)
def test_a_wrong_option_is_one_sentence_and_writes_nothing(
    desk: Desk, arguments: list[str], found: str, allowed: str
) -> None:
    before = files_in(desk.folder)
    done = desk.run(*arguments)
    assert done.code == 2
    sentence = done.err.strip()
    assert found in sentence
    assert allowed in sentence
    assert len(sentence.splitlines()) == 1
    assert files_in(desk.folder) == before


def files_in(folder: Path) -> list[Path]:
    """Files and folders in a folder, without the byte code that Python writes next to a plug-in."""
    return sorted(path for path in folder.iterdir() if path.name != "__pycache__")


BAD_PROFILES = [
    ('structures = ["nope"]', "structure 'nope' is not known; allowed: "),
    ('optimizers = ["sgdd"]', "optimizer 'sgdd' is not known; allowed: sgd, "),
    ('executions = ["tpu"]', "execution 'tpu' is not known; allowed: "),
    ('modes = ["dream"]', "mode 'dream' is not known; allowed: train"),
    ("batch_sizes = [0]", "batch_sizes is [0]; allowed: a list of whole numbers from 1"),
    ('design = "some"', "design is 'some'; allowed: full"),
    ("colour = 3", "has a key 'colour'; allowed: plugins, structures"),
    ('plugins = ["not_there"]', "plug-in 'not_there' does not import: ModuleNotFoundError"),
    ("structures = [", "is not valid TOML"),
]


def test_a_plugin_that_starts_a_thread_when_it_is_imported_is_one_sentence(desk: Desk) -> None:
    started = "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n"
    with (desk.folder / "my_levels.py").open("a") as file:
        file.write(started)
    done = desk.run("--profile", "tiny", "--record", "here")
    assert done.code == 2
    assert "plug-in 'my_levels' leaves 1 thread running when it is imported" in done.out + done.err
    assert not (desk.folder / "here").exists()


@pytest.mark.parametrize(("table", "sentence"), BAD_PROFILES)
def test_a_wrong_profile_is_one_sentence(desk: Desk, table: str, sentence: str) -> None:
    (desk.folder / "profiles.toml").write_text(f"[mine]\n{table}\n")
    done = desk.run("--profile", "mine")
    assert done.code == 2
    assert sentence in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_record_is_never_written_over(desk: Desk) -> None:
    (desk.folder / "here").mkdir()
    (desk.folder / "here" / "record.jsonl").write_text("precious\n")
    done = desk.run("--profile", "tiny", "--record", "here")
    assert done.code == 2
    assert "here holds a record already" in done.out + done.err
    assert (desk.folder / "here" / "record.jsonl").read_text() == "precious\n"


def test_a_folder_that_cannot_be_written_is_one_sentence(desk: Desk) -> None:
    done = desk.run("--profile", "tiny", "--record", "profiles.toml/below")
    assert done.code == 2
    assert "cannot write profiles.toml/below: Not a directory" in done.out + done.err


@pytest.mark.slow
@pytest.mark.parametrize("kibibytes", [4, 32])
def test_a_full_disk_is_one_sentence_and_leaves_whole_lines(desk: Desk, kibibytes: int) -> None:
    disk = desk.folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        one = ["-k", "tinier and adam"] if kibibytes == 4 else ["--case-seconds", "2"]
        done = desk.run("--profile", "tiny", *one, "--record", str(disk / "run"))
        assert done.code == 2, done.out + done.err
        assert "No space left on device" in done.out + done.err
        record = disk / "run" / "record.jsonl"
        assert all(json.loads(line) for line in record.read_text().splitlines()) if record.exists() else True
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_plugin_level_needs_no_file_of_the_project(desk: Desk) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "suite.cli", "list", "--profiles", "profiles.toml", "--profile", "tiny"],
        cwd=desk.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "tinier-adam-cpu-b4-i8          runs here" in listed.stdout
