"""Run a program that ends when its starter ends.

Usage: `python -I -S lifetime_guard.py FD COMMAND...`. It ends with the exit code of the command. When the other end of
the pipe FD closes, since its process was killed or wants so, it kills itself, the command and all that the command has
started. It imports nothing of Stepmark.
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
    """Run the command. This process leads the session and the group of all below it."""
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
