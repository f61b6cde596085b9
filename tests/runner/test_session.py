"""A run that has nowhere to write its record is refused before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Desk

LOGGED = """
import os
with open({log!r}, "a") as file:
    print(os.getpid(), file=file)
"""


@pytest.fixture
def logged(desk: Desk) -> Path:
    """A file with a line for each process that has imported the plug-in of the desk's profile."""
    log = desk.folder / "imports.txt"
    levels = desk.folder / "my_levels.py"
    levels.write_text(levels.read_text(encoding="utf-8") + LOGGED.format(log=str(log)), encoding="utf-8")
    return log


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("taken", "taken holds a record already; choose another folder, or continue that run with --resume taken."),
        ("file/run", "cannot write file/run: Not a directory."),
    ],
)
def test_a_record_that_cannot_be_begun_is_refused_before_a_worker_s_process_starts(
    desk: Desk, logged: Path, record: str, why: str
) -> None:
    (desk.folder / "file").touch()
    (desk.folder / "taken").mkdir()
    (desk.folder / "taken" / "record.jsonl").write_text('{"kind": "header"}\n', encoding="utf-8")
    done = desk.run("--profile", "tiny", "--record", record)
    assert done.code == 2
    assert why in done.out + done.err
    assert len(logged.read_text(encoding="utf-8").splitlines()) == 1
