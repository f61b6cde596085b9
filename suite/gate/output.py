"""The files of a verdict, and GitHub's job summary and annotations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.gate.formats import render
from suite.gate.verdict import GateVerdict
from suite.records import StepmarkError
from suite.records.atomic_files import write_whole
from suite.records.failure_reason import unexpected

PAGE = "gate.html"
FILES = {"verdict.json": "json", "junit.xml": "junit", "gate.md": "markdown", PAGE: "page"}
"""Name of a file in the gate's folder -> its format."""
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
ACTIONS_VARIABLE = "GITHUB_ACTIONS"
"""Source: GitHub, "Workflow commands for GitHub Actions" and "Variables reference"."""


def write(verdict: GateVerdict, folder: Path, warn: Callable[[str], object]) -> Iterator[str]:
    """Give what is to be printed, and write every file.

    The verdict is what the gate was for: a file, summary or annotation that cannot be made costs one sentence.

    Args:
        verdict: as judged.
        folder: of the record.
        warn: is given each sentence.
    """
    if os.environ.get(ACTIONS_VARIABLE) == "true":
        with excused("the annotations of GitHub", warn):
            yield render(verdict, "github")
    yield render(verdict, "table")
    for name, form in FILES.items():
        with excused(str(folder / name), warn):
            write_whole(folder / name, render(verdict, form))
    summary = os.environ.get(SUMMARY_VARIABLE)
    if summary:
        with excused(summary, warn), Path(summary).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(render(verdict, "markdown") + "\n")
    if (folder / PAGE).is_file():
        yield str(folder / PAGE)


@contextmanager
def excused(what: str, warn: Callable[[str], object]) -> Iterator[None]:
    """Within it an error means that something was not written, and becomes a sentence."""
    try:
        yield
    except StepmarkError as error:
        warn(f"{error} The verdict stands.")
    except OSError as error:
        warn(f"cannot write {what}: {error.strerror or error}. The verdict stands.")
    except Exception as error:  # noqa: BLE001 - no fault of a page may cost the verdict
        warn(f"cannot make {what}: {unexpected(error)} The verdict stands.")
