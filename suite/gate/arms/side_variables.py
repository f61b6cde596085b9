"""Variables and folders that would lead one side to the other side's code.

PYTHONPATH              the user's is moved to the side's checkout; that of an arm replaces it
TORCH_EXTENSIONS_DIR    torch builds extensions in one folder of the user, by name; each side gets another folder
the folder of a start   a step may read files of its checkout by relative paths
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from suite.gate.arms import checkouts
from suite.gate.arms.checkouts import SHORT
from suite.runner.import_witness import Territory

SEARCHED = "PYTHONPATH"
EXTENSIONS = "TORCH_EXTENSIONS_DIR"
"""Folder in which `torch.utils.cpp_extension` builds.

Source: PyTorch, `torch.utils.cpp_extension.load`, "build_directory".
"""
CACHE = "XDG_CACHE_HOME"


def start_of(here: Path, top: Path | None, folder: Path) -> Path:
    """The folder in which a side starts: the current one, in its checkout.

    Args:
        here: the current folder.
        top: of its repository; None if there is none.
        folder: the side's checkout, in which a folder that is newer may be missing.
    """
    start = checkouts.moved(here, top, folder) if top else folder
    return start if start.is_dir() else folder


def searched(variables: Mapping[str, str], start: Path) -> list[str]:
    """Folders that an arm's `PYTHONPATH` names, seen from where its side starts."""
    return [str(start / entry) for entry in entries(variables)]


def kept_path(path: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """A search path without the user's `PYTHONPATH`, where an arm has one."""
    replaced = {Path.cwd() / entry for entry in entries(os.environ)} if SEARCHED in variables else set()
    return [entry for entry in path if Path.cwd() / entry not in replaced]


def entries(variables: Mapping[str, str]) -> list[str]:
    """The folders that `PYTHONPATH` names."""
    return [entry for entry in variables.get(SEARCHED, "").split(os.pathsep) if entry]


def moved_variables(territory: Territory, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of an arm, with the user's `PYTHONPATH` moved to its checkout.

    Processes that a step starts search that path.
    """
    own = entries(os.environ)
    if not own or SEARCHED in variables:
        return dict(variables)
    return {**variables, SEARCHED: os.pathsep.join(territory.moved(str(Path.cwd() / path)) for path in own)}


def with_extensions(
    variables: Mapping[str, str], folder: Path, python: str, root: Path | None = None
) -> dict[str, str]:
    """The variables of a side that builds its extensions apart from the other side.

    They would replace each other's builds. With older torch, a process that waits for another's build loads it.

    Args:
        variables: of the arm, one of which may name the folder.
        folder: with the side's code.
        python: its interpreter.
        root: in which to build; the user's folder for extensions by default.
    """
    if EXTENSIONS in variables:
        return dict(variables)
    words = [str(folder), python, *(f"{name}={variables[name]}" for name in sorted(variables))]
    name = hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()[:SHORT]
    return {**variables, EXTENSIONS: str((root or extensions_of_user()) / f"stepmark-{name}")}


def extensions_of_user() -> Path:
    """The folder in which the user's extensions are built."""
    cache = os.environ.get(CACHE) or os.path.expanduser("~/.cache")  # noqa: PTH111 - without a home it stays as written
    return Path(os.environ.get(EXTENSIONS) or f"{cache}/torch_extensions")
