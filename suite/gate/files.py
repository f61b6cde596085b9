"""Where a verdict goes: files beside the ledger, GitHub's job summary and annotations where those are wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from suite.environment import now
from suite.gate.formats import FORMATS
from suite.gate.verdict import GateVerdict
from suite.store import cannot_write

ROOT = Path("reports/gates")
FILES = {"verdict.json": "json", "junit.xml": "junit", "gate.md": "markdown", "gate.html": "page"}
"""Name of a file beside the ledger -> its format."""
MOST = 1000
"""Gates of one second that find a folder."""
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
ACTIONS_VARIABLE = "GITHUB_ACTIONS"
"""Source: GitHub, "Workflow commands for GitHub Actions" and "Variables reference"."""


def fresh_folder() -> Path:
    """A folder of the present second, with a number behind it where that is taken."""
    folder = ROOT / now()[:19].replace(":", "-")
    names = (folder, *(folder.with_name(f"{folder.name}-{number}") for number in range(2, MOST)))
    return next(path for path in names if not path.exists())


def write(verdict: GateVerdict, folder: Path) -> Iterator[str]:
    """Write every file, then give what is to be printed.

    Raises:
        StepmarkError: a file cannot be written.
    """
    for name, form in FILES.items():
        put(folder / name, FORMATS[form](verdict))
    summary = os.environ.get(SUMMARY_VARIABLE)
    if summary:
        put(Path(summary), FORMATS["markdown"](verdict) + "\n", mode="a")
    if os.environ.get(ACTIONS_VARIABLE) == "true":
        yield FORMATS["github"](verdict)
    yield FORMATS["table"](verdict)
    yield str(folder / "gate.html")


def put(path: Path, text: str, mode: str = "w") -> None:
    """Write or append text.

    Raises:
        StepmarkError: the disk refuses.
    """
    try:
        with path.open(mode, encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        raise cannot_write(path, error) from error
