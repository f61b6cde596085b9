"""Limits of control groups, from files of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.machine import cgroups
from suite.runner import settings

GIB = 1 << 30


def made(folder: Path, **files: str) -> None:
    """A group with these files; `__` stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mount point of the groups, in place of the kernel's."""
    monkeypatch.setattr(cgroups, "ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(cgroups, "MEMBERSHIP", tmp_path / "membership")
    return tmp_path / "cgroup"


def test_the_room_of_a_group_is_what_others_in_it_have_left(root: Path, tmp_path: Path) -> None:
    """Pages of files that the kernel gives up first are no hindrance."""
    (tmp_path / "membership").write_text("0::/job/step\n")
    used = {"memory__current": str(3 * GIB), "memory__stat": f"anon 1\ninactive_file {GIB}\nactive_file 5"}
    made(root / "job", memory__max=str(4 * GIB), memory__high="max", **used)
    made(root / "job" / "step", memory__max="max", memory__current="0")
    assert cgroups.memory_limit() == 4 * GIB
    assert cgroups.memory_room() == 2 * GIB
    made(root / "job" / "step", memory__high=str(GIB), memory__current=str(GIB // 4))
    assert cgroups.memory_room() == GIB - GIB // 4, "the kernel slows a group above that"


def test_the_room_of_a_group_of_the_first_version_is_read_as_well(root: Path, tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("4:memory:/job\n0::/\n")
    stat = f"inactive_file 7\ntotal_inactive_file {GIB}"
    made(
        root / "memory" / "job",
        memory__limit_in_bytes=str(4 * GIB),
        memory__usage_in_bytes=str(4 * GIB),
        memory__stat=stat,
    )
    assert cgroups.memory_room() == GIB


@pytest.mark.parametrize("text", ["max", "", "nonsense"])
def test_a_group_without_a_limit_has_no_room_to_speak_of(root: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "membership").write_text("0::/job\n")
    made(root / "job", memory__max=text, memory__current="5")
    assert cgroups.memory_room() is None


def test_no_more_workers_take_turns_than_the_rest_of_a_group_s_memory_holds(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "membership").write_text("0::/job\n")
    monkeypatch.setattr(settings, "available_bytes", lambda: 1 << 40)
    made(root / "job", memory__max=str(8 * settings.WORKER_BYTES), memory__current=str(5 * settings.WORKER_BYTES))
    assert settings.workers_in_memory() == 3
    made(root / "job", memory__current=str(9 * settings.WORKER_BYTES))
    assert settings.workers_in_memory() == 1
