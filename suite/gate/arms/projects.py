"""The distributions that a checkout builds, and copies of it without git.

A container image often has a copy of the project without its repository, installed in place.
"""

from __future__ import annotations

import ast
import configparser
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from suite.provenance.git import GitFailed, git
from suite.runner.import_witness import normal

FILES = ("pyproject.toml", "setup.cfg", "setup.py")
"""Files that may name a distribution."""


def projects_of(top: Path) -> dict[str, Path]:
    """Names of a checkout's distributions -> their folders.

    By tracked files; without git, by those of the top folder.
    """
    found: dict[str, Path] = {}
    try:
        listed = git(top, "ls-files", "-z", "--", *(f"*{name}" for name in FILES)).split("\0")
        folders = dict.fromkeys(Path(file).parent for file in listed if Path(file).name in FILES)
        for folder in folders:
            for name in names_in(top / folder):
                found.setdefault(name, folder)
    except GitFailed:
        found = dict.fromkeys(names_in(top), Path())
    return found


def copy_of(top: Path, place: Path) -> Path | None:
    """The top folder of a copy of a checkout, for a folder of a distribution in it.

    The nearest project above decides. If it has another place in its tree than in the checkout, it is the top.

    Args:
        top: of the checkout.
        place: the folder.
    """
    above = next((one for one in (place, *place.parents) if any((one / name).is_file() for name in FILES)), None)
    if above is None:
        return None
    own = projects_of(top)
    for name in names_in(above):
        if name in own:
            within = own[name].parts
            is_alike = bool(within) and above.parts[-len(within) :] == within
            return above.parents[len(within) - 1] if is_alike else above
    return None


def names_in(folder: Path) -> Iterator[str]:
    """Names of the distribution that files of a folder describe, normalised."""
    for file, read in ((FILES[0], of_toml), (FILES[1], of_configuration), (FILES[2], of_program)):
        with suppress(OSError, ValueError, SyntaxError, RecursionError, configparser.Error):
            yield from (normal(name) for name in read((folder / file).read_text(encoding="utf-8")) if name)


def of_toml(text: str) -> Iterator[str]:
    """Names in a `pyproject.toml`: the standard one, and that of Poetry before 2."""
    tree: dict[str, Any] = tomllib.loads(text)
    tools = tree.get("tool")
    for table in (tree.get("project"), tools.get("poetry") if isinstance(tools, dict) else None):
        if isinstance(table, dict) and isinstance(table.get("name"), str):
            yield table["name"]


def of_configuration(text: str) -> Iterator[str]:
    """The name in a `setup.cfg`."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    yield parser.get("metadata", "name", fallback="")


def of_program(text: str) -> Iterator[str]:
    """The name that a `setup.py` gives to `setup`, if it is written out."""
    for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name | ast.Attribute) and ast.unparse(call.func).split(".")[-1] == "setup":
            for word in call.keywords:
                if word.arg == "name" and isinstance(word.value, ast.Constant) and isinstance(word.value.value, str):
                    yield word.value.value
