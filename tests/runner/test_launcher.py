"""Processes that measure, started and ended for real."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from suite.machine import temp_dirs
from suite.machine.affinity import allowed_cores
from suite.machine.temp_dirs import LONGEST
from suite.records import Case, StepmarkError, WorkerSettings
from suite.runner.launcher import Launcher
from suite.runner.worker_handle import WorkerFailed
from tests.conftest import move_temporary_files

OWNER = "import time; from suite.machine import temp_dirs; print(temp_dirs.create(), flush=True); time.sleep(600)"
FED = Case("seed_cnn", "sgd", "cpu", input="loader_w2", batch_size=4)


@pytest.mark.slow
def test_a_worker_takes_its_temporary_files_away_though_it_is_ended_by_a_signal(temporary):
    """Loader workers leave sockets in a separate folder; compilation leaves a cache."""
    with Launcher(WorkerSettings()) as launcher:
        worker = launcher.fork(FED)
        worker.measure(seconds=0.0, steps_per_round=1, min_rounds=3)
        assert list(temporary.glob("stepmark_*/*")), "the step has made some"
        worker.end()
        assert list(temporary.glob("stepmark_*")) == []


@pytest.mark.slow
def test_a_zygote_that_has_forked_is_replaced_by_a_fresh_one():
    """Its forks share its layout of memory; whatever that costs or saves would else stay for the whole run."""
    others = set(psutil.Process().children())

    def zygotes() -> set[psutil.Process]:
        return set(psutil.Process().children()) - others

    with Launcher(WorkerSettings()) as launcher:
        launcher.start()
        first = zygotes()
        assert len(first) == 1
        launcher.renew()
        assert zygotes() == first, "it has forked nothing"
        launcher.fork(Case("seed_cnn", "sgd", "cpu", batch_size=4)).end()
        launcher.renew()
        assert len(zygotes()) == 1
        assert zygotes().isdisjoint(first)
        launcher.fork(Case("seed_cnn", "sgd", "cpu", batch_size=4)).end()


def environment_of(process: psutil.Process) -> dict[str, str]:
    """Empty where the process has ended since it was listed: an ended one (a zombie, too) has none."""
    try:
        return process.environ()
    except psutil.NoSuchProcess:
        return {}


@pytest.mark.slow
def test_no_process_of_a_launcher_is_traced_where_coverage_measures_subprocesses(monkeypatch):
    monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", "{}")
    with Launcher(WorkerSettings()) as launcher:
        launcher.start()
        environments = [one for one in map(environment_of, psutil.Process().children(recursive=True)) if one]
    assert environments
    assert [one for one in environments if "COVERAGE_PROCESS_CONFIG" in one] == []


@pytest.mark.slow
def test_a_worker_that_cannot_make_its_step_leaves_no_temporary_files(temporary):
    with Launcher(WorkerSettings()) as launcher:
        with pytest.raises(WorkerFailed, match="nowhere"):
            launcher.fork(Case("nowhere", "sgd", "cpu"))
        assert list(temporary.glob("stepmark_*")) == []


def test_the_next_start_removes_files_of_killed_processes_and_no_others(temporary):
    killed, alive = (subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE) for _ in range(2))
    left, owned = (Path(os.fsdecode(one.stdout.readline().strip())) for one in (killed, alive))
    (left / "pymp-x").mkdir()
    killed.kill()
    killed.communicate()
    others = temporary / "stepmark-old"  # of a version that locked nothing
    others.mkdir()
    temp_dirs.remove_ownerless()
    assert sorted(temporary.iterdir()) == sorted([owned, others])
    alive.kill()
    alive.communicate()


@pytest.mark.slow
def test_loader_workers_work_where_the_folder_for_temporary_files_has_a_long_path(tmp_path, monkeypatch):
    longer = tmp_path / ("long" * 20)
    longer.mkdir()
    assert len(str(longer)) > LONGEST
    move_temporary_files(longer, monkeypatch)
    with Launcher(WorkerSettings(case_timeout=30.0)) as launcher:
        worker = launcher.fork(FED)
        rounds = worker.measure(seconds=0.0, steps_per_round=1, min_rounds=3)
        worker.end()
    assert len(rounds) == 3


PLUGINS = {
    "computes": "import torch; torch.set_num_threads(2); (torch.rand(600, 600) @ torch.rand(600, 600)).mean()",
    "starts_a_thread": "import threading, time; threading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
    "uses_numpy": "import numpy, scipy.linalg; numpy.ones((500, 500)) @ numpy.ones((500, 500))",
    "innocent": "from suite import registry",
    "in_furlongs": """
from suite.contracts.probes import Probe
from suite.levels.tunings.eager import Eager
from suite.records import Metric
from suite.registry import TUNINGS, TuningSpec


class Furlongs(Eager):
    def probes(self):
        return (Probe(Metric("speed", "furlong", "higher", "A unit that no reader knows."), float),)


TUNINGS.add(TuningSpec("furlongs", Furlongs, {"compiled": False, "dtype": "float32"}))
""",
}


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    for name, text in PLUGINS.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.skipif(len(allowed_cores()) < 2, reason="torch starts no threads on one core")
@pytest.mark.parametrize("guilty", [pytest.param("computes", marks=pytest.mark.slow), "starts_a_thread"])
def test_a_plugin_that_leaves_threads_running_is_named_before_any_worker_waits_for_one(plugins, guilty):
    sentence = (
        rf"^plug-in '{guilty}' leaves \d threads? running when it is imported, .* into the builder of the level\.$"
    )
    with (
        Launcher(WorkerSettings(threads=1), ("innocent", guilty)) as launcher,
        pytest.raises(StepmarkError, match=sentence),
    ):
        launcher.start()


@pytest.mark.slow
def test_a_plugin_may_use_libraries_that_end_their_threads_before_a_fork(plugins):
    with Launcher(WorkerSettings(threads=1), ("uses_numpy",)) as launcher:
        launcher.start()
        launcher.fork(Case("seed_cnn", "sgd", "cpu", batch_size=4)).end()


@pytest.mark.slow
def test_a_plugin_s_metric_in_an_unknown_unit_fails_its_case_and_never_reaches_a_record(plugins):
    sentence = "unit of metric speed is 'furlong'; allowed: s, "
    case = Case("seed_cnn", "sgd", "cpu", "furlongs", batch_size=4)
    with Launcher(WorkerSettings(threads=1), ("in_furlongs",)) as launcher, pytest.raises(WorkerFailed, match=sentence):
        launcher.fork(case)
