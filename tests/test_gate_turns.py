"""Several gates on one machine: who measures, who waits, and what becomes of the turn when its holder is killed."""

import subprocess
import sys
from pathlib import Path

from suite.gate.turns import NAME, WAITS, turn

HOLDER = """
import sys
from pathlib import Path
from suite.gate.turns import turn

with turn(lambda text: print(text, flush=True), Path(sys.argv[1])):
    print("has it", flush=True)
    sys.stdin.readline()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that takes the turn, says so, and keeps it until it is told to go on, or ended."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_process_says_that_it_waits_and_has_the_turn_once_the_first_is_done(tmp_path):
    told: list[str] = []
    with turn(told.append, tmp_path):
        second = holder(tmp_path)
        assert second.stdout.readline() == f"{WAITS}\n"
    assert second.stdout.readline() == "has it\n"
    second.communicate("\n", timeout=30)
    assert second.returncode == 0
    assert told == [], "the first had nobody to wait for"


def test_the_turn_of_a_process_that_is_killed_is_free(tmp_path):
    first = holder(tmp_path)
    assert first.stdout.readline() == "has it\n"
    first.kill()
    first.communicate(timeout=30)
    told: list[str] = []
    with turn(told.append, tmp_path):
        assert told == []


def test_where_no_lock_can_be_made_a_gate_measures_all_the_same(tmp_path):
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    with turn(lambda _: None, tmp_path), turn(lambda _: None, tmp_path / "gone"):
        assert not (tmp_path / "elsewhere").exists(), "a link that somebody laid is not followed"
