"""Folders for the results of runs and gates, if no option names one."""

from __future__ import annotations

from pathlib import Path


def runs_folder(records: Path) -> Path:
    """The folder in which each run gets a new folder for its record and page.

    Args:
        records: the configured folder, `reports` by default.
    """
    return records / "runs"


def gates_folder(records: Path) -> Path:
    """The folder in which each gate gets a new folder for its record and verdict.

    Args:
        records: the configured folder, `reports` by default.
    """
    return records / "gates"
