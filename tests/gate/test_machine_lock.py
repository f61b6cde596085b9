"""Several gates on one machine: who measures, who waits, and what becomes of the turn when its holder is killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.gate.measuring.machine_lock import NAME, WAITS, turn

HOLDER = """
import os
import sys
from pathlib import Path
from suite.gate.measuring.machine_lock import turn

if sys.argv[2:]:
    os.umask(int(sys.argv[3]))
    os.setuid(int(sys.argv[2]))
with turn(lambda text: print(text, flush=True), print, Path(sys.argv[1])):
    print("has it", flush=True)
    sys.stdin.readline()
"""


def holder(folder: Path, *user_and_umask: int) -> subprocess.Popen[str]:
    """Another process that takes the lock, prints so, and keeps it until it reads a line or is killed."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), *map(str, user_and_umask)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_process_says_that_it_waits_and_has_the_turn_once_the_first_is_done(tmp_path):
    texts: list[str] = []
    with turn(texts.append, texts.append, tmp_path):
        second = holder(tmp_path)
        assert second.stdout.readline() == f"{WAITS}\n"
    assert second.stdout.readline() == "has it\n"
    second.communicate("\n", timeout=30)
    assert second.returncode == 0
    assert texts == [], "the first had nobody to wait for"


def test_the_turn_of_a_process_that_is_killed_is_free(tmp_path):
    first = holder(tmp_path)
    assert first.stdout.readline() == "has it\n"
    first.kill()
    first.communicate(timeout=30)
    texts: list[str] = []
    with turn(texts.append, texts.append, tmp_path):
        assert texts == []


def test_a_gate_that_cannot_make_its_lock_measures_with_a_warning(tmp_path):
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    texts: list[str] = []
    with turn(print, texts.append, tmp_path), turn(print, texts.append, tmp_path / "gone"):
        assert not (tmp_path / "elsewhere").exists(), "a link that somebody laid is not followed"
    assert ["does not take turns with others" in text for text in texts] == [True, True]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be two other users")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_users_take_turns_with_each_other_whatever_their_umask(open_folder, umask):
    shared = open_folder / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    first = holder(shared, 4321, umask)
    assert first.stdout.readline() == "has it\n"
    second = holder(shared, 4322, umask)
    assert second.stdout.readline() == f"{WAITS}\n"
    first.communicate("\n", timeout=30)
    assert second.stdout.readline() == "has it\n"
    second.communicate("\n", timeout=30)
