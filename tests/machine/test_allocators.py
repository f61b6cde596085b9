"""The allocator of workers is what was asked for, whatever the user has set, and what it does is read back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.machine.allocators import ALLOCATORS, environment, without_malloc
from suite.records import WorkerSettings
from suite.runner.launcher import Launcher
from tests.conftest import PROJECT

ASKED = "from suite.machine.allocators import in_effect; print(in_effect())"
GIVES_BACK = "glibc.malloc.mmap_threshold=65536:glibc.malloc.mmap_max=65536:glibc.malloc.trim_threshold=131072"
FOLDERS = ("lib*", "lib*/*-linux-gnu")
OTHERS = [
    path
    for name in ("jemalloc", "mimalloc", "tcmalloc")
    for folder in FOLDERS
    for path in Path("/usr").glob(f"{folder}/lib{name}.so.*")
]


def in_effect(variables: dict[str, str]) -> str:
    """The allocator of a process with this environment."""
    command = [sys.executable, "-c", ASKED]
    done = subprocess.run(command, env=variables, cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("name", list(ALLOCATORS))
@pytest.mark.parametrize(
    "settings",
    [{}, {"GLIBC_TUNABLES": GIVES_BACK}, {"MALLOC_MMAP_THRESHOLD_": "1"}, {"MALLOC_TRIM_THRESHOLD_": str(2**40)}],
    ids=lambda settings: "".join(settings) or "nothing set",
)
def test_an_allocator_holds_whatever_is_set(monkeypatch, name, settings):
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    assert in_effect(environment(name)) == name


def test_settings_that_win_are_seen_by_what_they_do():
    assert in_effect({**environment("steady"), "GLIBC_TUNABLES": GIVES_BACK}) == "default"


@pytest.mark.slow
@pytest.mark.skipif(not OTHERS, reason="no other allocator is installed")
@pytest.mark.parametrize("library", OTHERS[:1])
def test_a_preloaded_allocator_is_named_by_the_process_that_forks_the_workers(monkeypatch, library):
    monkeypatch.setenv("LD_PRELOAD", str(library))
    with Launcher(WorkerSettings()) as launcher:
        launcher.start()
        assert launcher.allocator is not None
        assert launcher.allocator.startswith(library.name.split(".")[0])


def test_other_settings_of_glibc_stay(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", f"glibc.rtld.nns=5:{GIVES_BACK}:glibc.cpu.x86_ibt=on")
    assert environment("steady")["GLIBC_TUNABLES"] == "glibc.rtld.nns=5:glibc.cpu.x86_ibt=on"
    monkeypatch.setenv("GLIBC_TUNABLES", GIVES_BACK)
    assert "GLIBC_TUNABLES" not in environment("steady")
    assert os.environ["GLIBC_TUNABLES"] == GIVES_BACK


@pytest.mark.parametrize(("text", "left"), [("", ""), (":", ""), ("glibc.malloc.check=3", ""), ("a=1::b=2", "a=1:b=2")])
def test_settings_are_taken_apart_at_colons(text, left):
    assert without_malloc(text) == left
