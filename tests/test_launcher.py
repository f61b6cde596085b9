"""Processes that measure, started and ended for real."""

import tempfile
from pathlib import Path

import pytest

from suite.forked import WorkerFailed
from suite.launcher import Launcher
from suite.records import Case, Plan
from suite.scratch import LONGEST

FED = Case("seed_cnn", "sgd", "cpu", input="loader_w2", batch_size=4)


@pytest.fixture
def temporary(monkeypatch):
    """An empty folder for temporary files, that of the processes started too."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        move_temporary_files(Path(folder), monkeypatch)
        yield Path(folder)


def move_temporary_files(folder: Path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_a_worker_takes_its_temporary_files_away_though_it_is_ended_by_a_signal(temporary):
    """Loader workers leave sockets in a folder of their own; compilation leaves a cache."""
    with Launcher(Plan()) as launcher:
        worker = launcher.fork(FED)
        worker.measure(seconds=0.0, steps_per_round=1, min_rounds=3)
        assert list(temporary.glob("stepmark-*/*")), "the step has made some"
        worker.end()
        assert list(temporary.glob("stepmark-*")) == []


def test_a_worker_that_cannot_make_its_step_leaves_no_temporary_files(temporary):
    with Launcher(Plan()) as launcher:
        with pytest.raises(WorkerFailed, match="nowhere"):
            launcher.fork(Case("nowhere", "sgd", "cpu"))
        assert list(temporary.glob("stepmark-*")) == []


def test_loader_workers_work_where_the_folder_for_temporary_files_has_a_long_path(tmp_path, monkeypatch):
    longer = tmp_path / ("long" * 20)
    longer.mkdir()
    assert len(str(longer)) > LONGEST
    move_temporary_files(longer, monkeypatch)
    with Launcher(Plan(case_timeout=30.0)) as launcher:
        worker = launcher.fork(FED)
        (step_time, *_) = worker.measure(seconds=0.0, steps_per_round=1, min_rounds=3)
        worker.end()
    assert len(step_time.values) == 3
