"""Progress of a run on the screen: a live line at a terminal, plain lines elsewhere."""

import contextlib
import errno
import os
import pty
import re
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.records import Case, RunRecord
from suite.runner.events import CaseDone, Started
from suite.runner.progress import ProgressLine

CASE = Case("seed_cnn", "adam", "cpu")
FAILED = RunRecord(CASE, "failed", "the loss is nan: the step does not train")
SGR = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """Keeps what is written, in order: `("line", text)` and `("live", text)`."""

    def __init__(self):
        self.calls = []

    def write_line(self, text):
        self.calls.append(("line", text))

    def rewrite(self, text):
        self.calls.append(("live", text))

    def lines(self):
        return [text for kind, text in self.calls if kind == "line"]


def seconds_in(text):
    """The estimate in a line, in seconds."""
    found = re.search(r", about (?:(\d+) min )?(\d+) s left$", text)
    assert found, text
    return 60 * int(found[1] or 0) + int(found[2])


def test_the_live_line_has_pass_case_share_and_bar():
    screen = Screen()
    ProgressLine(3, screen.write_line, screen.rewrite).show(Started(CASE, 1, 0.5))
    [(kind, text)] = screen.calls
    assert kind == "live"
    assert "pass 2/3" in text
    assert CASE.id in text
    assert "50%" in text
    assert text.count("█") == text.count("░") == 10


@pytest.mark.parametrize("live", [True, False])
def test_the_estimate_is_the_pace_so_far_over_what_is_left(live):
    screen = Screen()
    before_s = time.monotonic()
    line = ProgressLine(2, screen.write_line, screen.rewrite if live else None)
    made_s = time.monotonic()
    time.sleep(0.1)
    asked_s = time.monotonic()
    line.show(Started(CASE, 0, 0.02))
    shown_s = time.monotonic()
    [(_, text)] = screen.calls
    assert 49 * (asked_s - made_s) - 1 <= seconds_in(text) <= 49 * (shown_s - before_s) + 1


def test_no_estimate_is_made_from_next_to_nothing():
    screen = Screen()
    ProgressLine(2, screen.write_line, screen.rewrite).show(Started(CASE, 0, 0.0))
    ProgressLine(2, screen.write_line).show(Started(CASE, 0, 0.019))
    assert [text for _, text in screen.calls if "left" in text] == []
    assert len(screen.calls) == 2


def test_the_live_line_is_not_drawn_at_every_step():
    screen = Screen()
    line = ProgressLine(2, screen.write_line, screen.rewrite)
    began_s = time.monotonic()
    for step in range(500):
        line.show(Started(CASE, 0, step / 500))
    assert 1 <= len(screen.calls) <= 2 + (time.monotonic() - began_s) / 0.1


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1)), max_size=20))
def test_a_pipe_gets_one_line_a_pass(steps):
    screen = Screen()
    line = ProgressLine(5, screen.write_line)
    for index, share in sorted(steps):
        line.show(Started(CASE, index, share))
    line.close()
    assert [text.partition(",")[0] for text in screen.lines()] == [
        f"measuring: pass {index + 1} of 5" for index in sorted({index for index, _ in steps})
    ]
    assert len(screen.calls) == len(screen.lines())


@given(st.floats(0, 1))
def test_every_share_fills_the_bar_and_no_more(share):
    screen = Screen()
    ProgressLine(1, screen.write_line, screen.rewrite).show(Started(CASE, 0, share))
    [(_, text)] = screen.calls
    assert len(text.partition(" ")[0]) == 20


def test_a_failure_is_a_line_that_stays_and_does_not_share_the_live_one():
    screen = Screen()
    line = ProgressLine(2, screen.write_line, screen.rewrite)
    line.show(Started(CASE, 0, 0.5))
    line.show(CaseDone(CASE, 0, 0.5, FAILED))
    kept = screen.calls.index(("line", f"failed: {CASE.id}: {FAILED.reason}"))
    assert screen.calls[kept - 1] == ("live", "")


def test_a_failure_is_printed_in_a_pipe_too():
    screen = Screen()
    line = ProgressLine(1, screen.write_line)
    line.show(CaseDone(CASE, 0, 1.0, FAILED))
    assert f"failed: {CASE.id}: {FAILED.reason}" in screen.lines()


@pytest.mark.parametrize("outcome", ["measured", "skipped"])
def test_a_case_that_did_not_fail_prints_no_line(outcome):
    screen = Screen()
    ProgressLine(1, screen.write_line, screen.rewrite).show(CaseDone(CASE, 0, 1.0, RunRecord(CASE, outcome)))
    assert screen.lines() == []


def test_closing_leaves_the_live_line_empty():
    screen = Screen()
    line = ProgressLine(1, screen.write_line, screen.rewrite)
    line.show(Started(CASE, 0, 0.5))
    line.close()
    assert screen.calls[-1] == ("live", "")


def test_nothing_is_written_but_through_what_was_given(capfd):
    screen = Screen()
    for rewrite in (screen.rewrite, None):
        line = ProgressLine(1, screen.write_line, rewrite)
        line.show(CaseDone(CASE, 0, 0.5, FAILED))
        line.close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("encoding", "drawn"), [("utf-8", "█" * 10 + "░" * 10), ("ascii", "#" * 10 + "." * 10)])
def test_the_bar_has_what_standard_output_can_write(encoding, drawn):
    code = "from suite.runner.progress import bar; print(bar(0.5))"
    own = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, check=True)
    assert done.stdout.decode(encoding) == f"{drawn}\n"


def test_an_output_that_cannot_be_written_does_not_end_the_measuring():
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    line = ProgressLine(2, full)
    line.show(CaseDone(CASE, 0, 0.5, FAILED))
    line.close()


def at_a_terminal(desk, *arguments, **variables):
    """Output of `pytest cases` at a terminal, and its exit code."""
    unset = ("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "CI", "COLUMNS")
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    ours, theirs = pty.openpty()
    drawn = b""
    try:
        with subprocess.Popen(
            desk.command(*arguments),
            cwd=desk.folder,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "TERM": "xterm-256color", **variables},
        ) as running:
            os.close(theirs)
            with contextlib.suppress(OSError):  # EIO: the other side has closed the terminal
                while part := os.read(ours, 4096):
                    drawn += part
            code = running.wait(timeout=60)
    finally:
        os.close(ours)
    return drawn.decode(), code


@pytest.mark.slow
def test_a_terminal_gets_a_live_line_and_no_colour_where_none_is_wanted(desk):
    arguments = ("--profile", "tiny", "-k", "tiny-adam", "--record", "here")
    drawn, code = at_a_terminal(desk, *arguments, NO_COLOR="1")
    assert code == 0, drawn
    assert "1 passed" in drawn
    live = [part for part in re.split(r"[\r\n]", drawn) if "pass 1/1" in part]
    assert live, drawn
    assert "tiny-adam-cpu-b4-i8" in live[0]
    assert SGR.findall(drawn) == []
    assert drawn.rfind("\x1b[?25h") > drawn.rfind("\x1b[?25l"), "the cursor is hidden"


def test_a_terminal_gets_colours_where_nothing_is_said(desk):
    drawn, _ = at_a_terminal(desk, "--profile", "tiny", "--collect-only", "-k", "nothing_matches")
    assert any(code.startswith(("\x1b[3", "\x1b[9")) for code in SGR.findall(drawn)), drawn
