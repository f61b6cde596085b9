"""A process between a program and whoever started it: `python -I -S guard.py FD COMMAND...`.

It runs the command and ends with its exit code. When the pipe that FD reads from is closed, because the process at its
other end wants so or was killed, it ends itself with the command and all that the command has started.
It imports nothing of Stepmark.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

POLL_S = 0.05
"""Seconds between two looks at the command, on a kernel that has no descriptor of a process (before Linux 5.3)."""
NOT_FOUND = 127
"""A shell's exit code for a command that is not there."""


def main() -> int:
    """Run the command, which leads no session: this process does, and everything below it is in the same group."""
    alive, command = int(sys.argv[1]), sys.argv[2:]
    try:
        running = subprocess.Popen(command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return NOT_FOUND
    try:
        watched, wait_s = [alive, os.pidfd_open(running.pid)], None
    except (AttributeError, OSError):
        watched, wait_s = [alive], POLL_S
    while running.poll() is None:
        if alive in select.select(watched, [], [], wait_s)[0]:
            os.killpg(0, signal.SIGKILL)
    return running.returncode if running.returncode >= 0 else 128 - running.returncode


if __name__ == "__main__":
    sys.exit(main())
