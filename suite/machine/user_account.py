"""This process's user, who may have no name and no home: `docker run --user 1234`.

Libraries ask for both when they are imported, and end where neither the system's list of users nor the environment
says: torch 2.11 for the name, altair for the home.
"""

from __future__ import annotations

import getpass
import os
import tempfile
from pathlib import Path


def missing_variables() -> dict[str, str]:
    """Environment variables that replace a missing name or home; usually none."""
    found = {}
    try:
        getpass.getuser()
    except (KeyError, OSError):  # the latter from Python 3.13
        found["LOGNAME"] = f"uid{os.getuid()}"
    try:
        Path.home()
    except RuntimeError:
        found["HOME"] = tempfile.gettempdir()
    return found
