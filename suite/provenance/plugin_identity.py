"""Identity of plug-ins: hashes of their files, and states of their repositories."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

from suite.provenance.code_identity import CODE, hash_of, is_known, of_checkout
from suite.provenance.git import GitFailed, git


def of_plugins(plugins: Iterable[str], path: Sequence[str] | None = None) -> dict[str, str | None]:
    """Hash of the files of each plug-in: its module, or all in its package.

    Args:
        plugins: modules as a profile names them, or callables, as `suite.levels.callables` reads them. Nothing is
            imported.
        path: folders in which modules are searched; None for those of this process.

    Returns:
        By name; None where no file is found.
    """
    return {name_of(plugin): of_files(files_of(plugin, path)) for plugin in plugins}


def of_projects(plugins: Iterable[str], known: Path) -> dict[str, str]:
    """Commit and changes of each repository that plug-ins lie in.

    They may import its other modules.

    Args:
        plugins: as for `of_plugins`.
        known: folder whose repository is left out.

    Returns:
        By `project` and the name of the repository's folder.
    """
    folders = {file.parent.resolve() for plugin in plugins for file in files_of(plugin, None)[:1]}
    found: dict[str, str] = {}
    for folder in sorted(folders):
        with suppress(GitFailed):
            top = Path(git(folder, "rev-parse", "--show-toplevel"))
            if is_known(folder) and top.resolve() != known.resolve():
                state = of_checkout(top)
                found[f"project {top.name}"] = f"{state['revision']} {state['diff_sha256'] or 'without changes'}"
    return found


def name_of(plugin: str) -> str:
    """The key of a plug-in: its module, or the option and level of a callable."""
    level, equals, _ = plugin.partition("=")
    return f"--structure {level}" if equals else plugin


def files_of(plugin: str, path: Sequence[str] | None) -> list[Path]:
    """Files of a module, or of all modules of a package, without importing it.

    A callable has the files of its module, or its file.
    """
    module = plugin.partition("=")[2].rpartition(":")[0] or plugin
    if module.endswith(".py"):
        return [file for file in [Path(module)] if file.is_file()]
    where, spec = path, None
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        spec = find_module(".".join(parts[:depth]), where)
        if spec is None:
            return []
        where = list(spec.submodule_search_locations or ())
    if where:
        return sorted(one for folder in where for one in Path(folder).rglob("*") if one.name.endswith(CODE))
    return [Path(spec.origin)] if spec and spec.origin else []


def find_module(module: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """The location of a module, in these folders or on this process's path."""
    if path is not None:
        return PathFinder.find_spec(module, list(path))
    with suppress(ValueError):  # a module that was made by hand
        return find_spec(module)
    return None


def of_files(files: Sequence[Path]) -> str | None:
    """Hash of files and of their paths from their common folder; None for no files."""
    if not files:
        return None
    above = Path(os.path.commonpath([file.parent for file in files]))
    return hash_of(above, [str(file.relative_to(above)) for file in files])
