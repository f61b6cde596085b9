"""Facts about the machine: whole, plain, and compared only where they must agree."""

import json
from pathlib import Path

import pytest

from suite.machine.allocators import ALLOCATORS
from suite.machine.cgroups import cpu_quota
from suite.provenance import environment
from suite.provenance.environment import facts
from suite.records import WorkerSettings
from tests.fakes.repositories import git, repository, write

PRIORITY = {"nice": 0}
TORCH = {"version": "2.11.0", "mkl": True, "threads": None}


def test_facts_are_plain_values_that_survive_json():
    found = facts(WorkerSettings(), 0, TORCH, PRIORITY)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_facts_have_every_part_that_a_reader_needs():
    found = facts(WorkerSettings(threads=3, allocator="default"), 7, TORCH, PRIORITY)
    parts = {"machine", "software", "container", "commit", "threads", "allocator", "priority", "seed", "load_before"}
    assert set(found) == {*parts, "torchrun", "not_read", "variables", "plugins"}
    assert found["not_read"] == {}
    assert found["software"]["torch_build"] == TORCH
    assert found["software"]["torch"]
    assert found["threads"]["torch"] == 3
    assert found["seed"] == 7
    assert found["allocator"] == {"name": "default", "effective": None}
    assert found["machine"]["memory_bytes"] > 0
    assert found["machine"]["processor"]
    assert 0 <= found["load_before"]["steal_since_boot_share"] <= 1


def test_the_allocators_variables_are_facts():
    found = facts(WorkerSettings(allocator="steady"), 0, TORCH, PRIORITY, "libjemalloc.so.2")["allocator"]
    assert found == {"name": "steady", "effective": "libjemalloc.so.2", **ALLOCATORS["steady"]}


def test_a_variable_that_changes_the_threads_is_a_fact_only_where_it_is_set(monkeypatch):
    monkeypatch.setenv("OMP_PROC_BIND", "close")
    monkeypatch.delenv("KMP_AFFINITY", raising=False)
    threads = facts(WorkerSettings(), 0, TORCH, PRIORITY)["threads"]
    assert threads["OMP_PROC_BIND"] == "close"
    assert "KMP_AFFINITY" not in threads


def test_the_quota_is_what_the_control_group_says():
    limits = [
        Path("/sys/fs/cgroup/cpu.max"),
        Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
    ]
    said = next((file.read_text().split() for file in limits if file.exists()), ["max"])
    quota = cpu_quota()
    if said[0] in ("max", "-1"):
        assert quota is None
    else:
        assert quota is not None
        assert quota > 0
        assert len(said) == 1 or quota == pytest.approx(int(said[0]) / int(said[1]))


def test_the_commit_is_that_of_the_project_with_a_reason_where_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "PROJECT", repository(tmp_path / "own", {"file.py": "A = 1"}))
    write(environment.PROJECT, {"file.py": "A = 2"})
    found = environment.commit()
    assert (found["revision"], found["dirty"]) == (git(environment.PROJECT, "rev-parse", "HEAD"), True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.commit()["reason"] == "there is no git on the PATH"


def test_the_commit_of_an_installed_stepmark_is_that_of_the_current_folder(monkeypatch, tmp_path):
    theirs = repository(tmp_path / "theirs", {"file.py": "A = 1"})
    monkeypatch.setattr(environment, "IS_CHECKOUT", False)
    monkeypatch.chdir(theirs)
    assert environment.commit()["revision"] == git(theirs, "rev-parse", "HEAD")


def test_a_package_that_is_not_installed_has_no_version():
    assert environment.version("stepmark-no-such-distribution") is None
    assert environment.version("pytest") == pytest.__version__
