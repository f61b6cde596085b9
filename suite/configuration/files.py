"""The configuration file of a folder: found upwards, and read."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from suite.configuration.decoding import decoded
from suite.configuration.values import Configuration
from suite.records import StepmarkError

ALONE = "stepmark.toml"
SHARED = "pyproject.toml"
NAMES = (ALONE, SHARED)
WORD = b"stepmark"
"""Occurs in every `pyproject.toml` that configures Stepmark; the others need not be parsed."""


def configuration_here(here: Path | None = None) -> Configuration:
    """The configuration of a folder, by default the current one, and the environment.

    Raises:
        StepmarkError: two files configure one folder, or the file cannot be read or has a value that is not allowed.
    """
    file = file_for(here or Path.cwd())
    return replace(configuration_of(file) if file else Configuration(), variables=dict(os.environ))


def file_for(here: Path) -> Path | None:
    """The configuration file of a folder, or the nearest one above in its repository.

    Raises:
        StepmarkError: a folder has both kinds of file.
    """
    for folder in searched(here.resolve()):
        files = [file for file in (folder / ALONE, folder / SHARED) if configures(file)]
        if len(files) > 1:
            raise StepmarkError(
                f"{folder} has both {ALONE} and a table [tool.stepmark] in {SHARED}; allowed: one of them; remove one."
            )
        if files:
            return files[0]
    return None


def searched(here: Path) -> Iterator[Path]:
    """A folder and those above it, up to the top of its repository."""
    for folder in (here, *here.parents):
        yield folder
        if is_top(folder):
            return


def is_top(folder: Path) -> bool:
    """Whether a folder is the top of a repository, a work tree or a submodule of git."""
    with suppress(OSError):
        return (folder / ".git").exists()
    return False


def configures(file: Path) -> bool:
    """Whether a file is there and configures Stepmark.

    Raises:
        StepmarkError: a `pyproject.toml` about Stepmark is not valid TOML.
    """
    with suppress(OSError):  # a folder that may not be read holds no configuration
        if file.name == ALONE:
            return file.is_file()
        if file.is_file() and WORD in file.read_bytes():
            return "stepmark" in tables_of_tools(read_toml(file, "the configuration"))
    return False


def configuration_of(file: Path) -> Configuration:
    """The configuration that a file contains.

    Raises:
        StepmarkError: it cannot be read, has no configuration, or a key or value is not allowed.
    """
    tree = read_toml(file, "the configuration")
    if file.name == ALONE:
        return decoded(file, "", tree)
    tools = tables_of_tools(tree)
    if "stepmark" not in tools:
        raise StepmarkError(f"{file} has no table [tool.stepmark]; allowed: a file with one; add it.")
    return decoded(file, "tool.stepmark.", tools["stepmark"])


def tables_of_tools(tree: dict[str, Any]) -> dict[str, Any]:
    """The tables below `[tool]`."""
    tools = tree.get("tool")
    return tools if isinstance(tools, dict) else {}


def read_toml(file: Path, purpose: str) -> dict[str, Any]:
    """The tables of a file of TOML.

    Raises:
        StepmarkError: `cannot read profiles from /a/b.toml: No such file or directory.`
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise StepmarkError(f"cannot read {purpose} from {file}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # TOML, its encoding, too many digits or brackets
        raise StepmarkError(f"{file} is not valid TOML: {error}.") from error
