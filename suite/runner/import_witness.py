"""Sees from where the modules of a side's process are loaded.

It is started as `python -P import_witness.py WATCHED ZYGOTE ...`.

It runs before the arm's zygote, which may be of any revision, and is the controller's own file: it imports nothing of
the package. It asks the other finders in turn and takes the first module that lies in this side's checkout or in no
checkout. Where a module is only to be had from another checkout, it writes that down, and the gate ends.

watched: every import, also in forks, whenever it happens; modules made from a file's path; modules that were there
    before, and at each fork; code of files that is run without a module; files that Python's `open` reads; the same
    in Python processes that a worker starts anew.
not watched: files that a library reads without Python, and what programs other than Python do.
"""

from __future__ import annotations

import builtins
import ctypes
import fcntl
import functools
import hashlib
import importlib.util
import io
import json
import os
import re
import runpy
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from importlib.metadata import distributions
from types import ModuleType
from typing import Any
from urllib.parse import unquote

INSTALLED = ("site-packages", "dist-packages")
"""Folders in which packages are installed, wherever they are: those of an environment within a repository too."""
SURROUNDINGS = "surroundings"
"""First argument with which it only says what the interpreter has."""
SEARCHED, CHILDREN = "PYTHONPATH", os.path.join(os.path.dirname(os.path.abspath(__file__)), "watched_children")
"""Variable by which a process that is started anew finds the module that watches it, and the folder of that module."""
WATCHED = "STEPMARK_WATCHED"
"""Variable with what that process is to know."""
CODE = (".py", ".pyc")
"""Ends of the names of files whose contents run, whoever reads them."""
EDITABLE = "__editable__"
"""Beginning of the names of the modules by which setuptools finds what is installed in place."""


class Territory:
    """Whose file is whose: the deepest of the known folders that holds it decides.

    Args:
        roots: checkouts of the repository, and other folders that either side may be; real paths.
        own: this side's checkout, or empty where it has none.
        free: folders, or files, within those that belong to no checkout.
        copies: folders or files elsewhere that were installed from a checkout.
    """

    def __init__(self, roots: Sequence[str], own: str, free: Sequence[str], copies: Sequence[str]) -> None:
        self.own = own
        self._owners = {**dict.fromkeys(free, ""), **{root: root for root in (*roots, own) if root}}
        self._owners |= dict.fromkeys(copies, "a copy")
        self._folders: dict[str, str] = {}

    def real(self, path: str) -> str:
        """A path without links; that of its folder is looked up once."""
        folder, name = os.path.split(os.path.abspath(path))
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = os.path.realpath(folder)
        path = os.path.join(known, name)
        return os.path.realpath(path) if os.path.islink(path) else path

    def owner(self, path: str) -> str:
        """The checkout to which a real path belongs; empty where it belongs to none."""
        above = path
        while above not in self._owners:
            shorter = os.path.dirname(above)
            if shorter == above:
                return ""
            above = shorter
        owner = self._owners[above]
        within = path[len(above) :].split(os.sep)
        return "" if owner == above and any(name in INSTALLED for name in within) else owner

    def is_stray(self, path: str) -> bool:
        """Whether a file belongs to a checkout that is not this side's."""
        return self.owner(self.real(path)) not in ("", self.own)

    def counterpart(self, path: str) -> str:
        """The path in this side's checkout, there or not, of a path in another one."""
        real = self.real(path)
        owner = self.owner(real)
        if not self.own or owner in ("", self.own) or not real.startswith(owner):
            return path
        return os.path.normpath(os.path.join(self.own, os.path.relpath(real, owner)))

    def moved(self, path: str) -> str:
        """The counterpart of a path; the path itself where that is missing."""
        there = self.counterpart(path)
        return there if os.path.exists(there) else path


class Witness:
    """Finder of modules that stands before all others.

    Args:
        territory: of this side.
        say: is called with a module's name and its file, where it is only to be had from another checkout.
        note: is called once with each file of this side's checkout from which a module is loaded, and with its hash.
    """

    def __init__(
        self, territory: Territory, say: Callable[[str, str], None], note: Callable[[str, str], object]
    ) -> None:
        self._territory = territory
        self._say = say
        self._note = note
        self._seen: set[str] = {"__main__"}
        self._noted: set[str] = set()
        self._opened: set[Any] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The first module that is not another checkout's; else a stray, reported."""
        stray: ModuleSpec | None = None
        for spec in self._found(name, path, target):
            if self.is_stray(spec):
                stray = stray or spec
            elif stray is None or spec.origin is not None:  # folders without code stand back behind a stray module
                self._note_own(spec.origin)
                return spec
        if stray is not None:
            self._say(name, files_of(stray)[0])
        return stray

    def _found(self, name: str, path: Sequence[str] | None, target: ModuleType | None) -> Iterator[ModuleSpec]:
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is not self and find is not None:
                spec = find(name, path, target)
                if spec is not None:
                    yield spec

    def is_stray(self, spec: ModuleSpec) -> bool:
        """Whether all that a module is made of belongs to another checkout."""
        files = files_of(spec)
        return bool(files) and all(map(self._territory.is_stray, files))

    def look(self) -> None:
        """Look at the modules that were loaded since the last look."""
        for name in [name for name in list(sys.modules) if name not in self._seen]:
            self._seen.add(name)
            file = getattr(sys.modules.get(name), "__dict__", {}).get("__file__")
            if not isinstance(file, str):
                continue
            self._note_own(file)
            if self._territory.is_stray(file):
                self._say(name, file)

    def _note_own(self, file: str | None) -> None:
        """Note a file once, if it is in this side's checkout, outside of environments.

        Of a module in an archive, that is the archive.
        """
        own, real = self._territory.own, self._territory.real(file) if file and os.path.isabs(file) else ""
        if real in self._noted or not own or not is_within(real, [own]) or is_within(real, [sys.prefix]):
            return
        if not set(real.split(os.sep)) & set(INSTALLED):
            self._noted.add(real)
            while not os.path.exists(real) and real != own:
                real = os.path.dirname(real)
            if os.path.isfile(real):
                self._note(real, hash_of(real))

    def made(self, make: Callable[[ModuleSpec], ModuleType]) -> Callable[[ModuleSpec], ModuleType]:
        """`module_from_spec` that reports a module from another checkout's file."""

        @functools.wraps(make)
        def watched(spec: ModuleSpec) -> ModuleType:
            self._note_own(spec.origin)
            if self.is_stray(spec):
                self._say(spec.name, files_of(spec)[0])
            return make(spec)

        return watched

    def opened(self, open_library: Callable[..., int]) -> Callable[..., int]:
        """`dlopen` of `ctypes` and `torch.ops` that reports a library of another checkout."""

        @functools.wraps(open_library)
        def watched(name: str | None, *mode: int) -> int:
            path = os.fsdecode(name) if name else ""
            is_ours = os.sep in path and not is_within(self._territory.real(path), [sys.prefix, sys.base_prefix])
            if is_ours and os.path.exists(path) and self._territory.is_stray(path):
                self._say(os.path.basename(path), path)
            return open_library(name, *mode)

        return watched

    def code_of(self, get_code: Callable[..., Any]) -> Callable[..., Any]:
        """`get_code` of a loader that reports a file of another checkout."""

        @functools.wraps(get_code)
        def watched(loader: Any, name: str) -> Any:
            self._look_at_code(name, loader.path)
            return get_code(loader, name)

        return watched

    def _look_at_code(self, name: str, path: Any) -> None:
        """Note or report a file whose code is about to run."""
        if isinstance(path, str) and os.path.isabs(path):
            self._note_own(path)
            if self._territory.is_stray(path):
                self._say(name, path)

    def look_at_file(self, file: Any, mode: Any = "r") -> None:
        """Report a file of another checkout that is opened for reading.

        It is code, or this side's checkout has the same file with other contents.
        """
        if file in self._opened or not isinstance(mode, str) or set(mode) & set("wax+"):
            return
        self._opened.add(file)
        path = os.path.abspath(os.fsdecode(file))
        if not self._territory.is_stray(path) or not os.path.isfile(path):
            return
        own = self._territory.counterpart(path)
        if path.endswith(CODE) or (os.path.isfile(own) and hash_of(own) != hash_of(path)):
            self._say(os.path.basename(path), path)


class Opener:
    """`open` that lets a witness look at files that are read.

    It is no function, so that it becomes no method of a class that keeps it.
    """

    def __init__(self, witness: Witness, original: Callable[..., Any]) -> None:
        self._witness = witness
        self._original = original
        self.__doc__ = original.__doc__
        self.__name__, self.__module__ = original.__name__, "io"

    def __reduce__(self) -> str:
        """A pickle names it, as it does the original."""
        return self.__name__

    def __call__(self, file: Any, *arguments: Any, **keywords: Any) -> Any:
        """Open a file."""
        if isinstance(file, str | bytes | os.PathLike):
            mode = arguments[0] if arguments else keywords.get("mode", "r")
            self._witness.look_at_file(os.fspath(file), mode)
        return self._original(file, *arguments, **keywords)


def hash_of(file: str) -> str:
    """Hash of a file's contents; empty where it cannot be read."""
    try:
        with io.FileIO(file) as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""


def files_of(spec: ModuleSpec) -> list[str]:
    """The file of a module, or the folders of a package without code.

    Empty where the module is built in.
    """
    if spec.origin is not None and os.path.isabs(spec.origin):
        return [spec.origin]
    return [one for one in spec.submodule_search_locations or () if os.path.isabs(one)] if spec.origin is None else []


def finders() -> Iterator[ModuleType]:
    """The modules by which setuptools finds what is installed in place."""
    for name, module in list(sys.modules.items()):
        if name.startswith(EDITABLE) and isinstance(getattr(module, "MAPPING", None), dict):
            yield module


def move_finders(territory: Territory) -> None:
    """Let what is installed in place from another checkout be found in this side's."""
    for module in finders():
        mapping, spaces = module.MAPPING, getattr(module, "NAMESPACES", {})
        mapping.update({name: territory.moved(path) for name, path in mapping.items()})
        spaces.update({name: [territory.moved(one) for one in paths] for name, paths in spaces.items()})


def surroundings(projects: Sequence[str] = ()) -> dict[str, Any]:
    """Facts about this interpreter, as plain values.

    Args:
        projects: names of distributions that are the repository's.

    Returns:
        `path`: folders in which it searches modules; `roots`: more of them, in which it finds what is installed in
        place by other ways; `free`: folders of its library and packages; `copies`: for each folder from which
        packages were installed by copying, the top folders and files of the copies; `software`: the version of Python,
        and a hash of the names and versions of all packages.
    """
    own = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    free = sorted({os.path.realpath(one) for one in (*own, *site.getsitepackages(), site.getusersitepackages())})
    return {
        "path": [one for one in sys.path if isinstance(one, str) and one],
        "roots": [one for one in dict.fromkeys((*mapped_roots(), *loaded_roots())) if not is_within(one, free)],
        "free": free,
        "copies": copies({normal(name) for name in projects}),
        "software": {"python": sys.version, "packages_sha256": packages()},
    }


def packages() -> str:
    """Hash of the names and versions of the installed distributions."""
    names = (os.listdir(folder) for folder in sys.path if os.path.isdir(folder))
    described = {name for listed in names for name in listed if name.endswith((".dist-info", ".egg-info"))}
    return hashlib.sha256("\n".join(sorted(described)).encode()).hexdigest()


def is_within(path: str, folders: Sequence[str]) -> bool:
    """Whether a path is one of these folders, or below one."""
    return f"{path}{os.sep}".startswith(tuple(f"{folder}{os.sep}" for folder in folders))


def mapped_roots() -> Iterator[str]:
    """Folders in which what is installed in place could be found by its name."""
    for module in finders():
        for name, place in module.MAPPING.items():
            if os.path.basename(place).partition(".")[0] == name.rpartition(".")[2]:
                yield os.path.dirname(os.path.realpath(place))


def loaded_roots() -> Iterator[str]:
    """Folders from which modules were loaded, whatever found them."""
    for name, module in list(sys.modules.items()):
        held = getattr(module, "__dict__", {})
        file = held.get("__file__")
        if "." in name or name == "__main__" or not isinstance(file, str):
            continue
        place = os.path.realpath(os.path.dirname(file) if "__path__" in held else file)
        if os.path.basename(place).partition(".")[0] == name:
            yield os.path.dirname(place)


def copies(projects: set[str]) -> dict[str, list[str]]:
    """Source of each package that was installed by copying -> paths of the copies."""
    found: dict[str, list[str]] = {}
    for distribution in distributions():
        try:
            origin = json.loads(distribution.read_text("direct_url.json") or "{}")
            known = distribution.metadata  # without a name in it, `distribution.name` warns or raises
            name = normal(known["Name"] if "Name" in known else "")  # noqa: SIM401 - typed without `get`
        except (OSError, TypeError, ValueError):  # an installation that is damaged
            continue
        url = str(origin.get("url", ""))
        if origin.get("dir_info", {}).get("editable") or not (url.startswith("file://") or name in projects):
            continue
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}
        places = [os.path.realpath(str(distribution.locate_file(top))) for top in sorted(tops)]
        source = name if name in projects else os.path.realpath(unquote(url.removeprefix("file://")))
        found.setdefault(source, []).extend(one for one in places if set(one.split(os.sep)) & set(INSTALLED))
    return found


def normal(name: str) -> str:
    """A distribution's name as all its spellings are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def watch(settings: dict[str, Any]) -> None:
    """Watch this process and its forks, and write to the report's file.

    Args:
        settings: `roots`, `own`, `free`, `copies` of the territory; `report` and `loaded`, the numbers of the files.
    """
    territory = Territory(settings["roots"], settings["own"], settings["free"], settings["copies"])
    report = settings["report"]
    loaded = settings.get("loaded", report)
    for file in (report, loaded):
        os.set_inheritable(file, False)
        fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)

    def say(name: str, file: str) -> None:
        os.write(report, json.dumps([name, file]).encode() + b"\n")

    def note(file: str, contents: str) -> None:
        if loaded != report:
            os.write(loaded, os.fsencode(f"{contents} {file}\0"))

    move_finders(territory)
    witness = Witness(territory, say, note)
    witness.look()
    sys.meta_path.insert(0, witness)
    importlib.util.module_from_spec = witness.made(importlib.util.module_from_spec)  # type: ignore[assignment]
    ctypes._dlopen = witness.opened(ctypes._dlopen)  # type: ignore[attr-defined]
    for loader in (SourceFileLoader, SourcelessFileLoader):
        loader.get_code = witness.code_of(loader.get_code)  # type: ignore[method-assign]
    io.open_code = Opener(witness, io.open_code)  # type: ignore[assignment]  # as `runpy.run_path` reads a file
    builtins.open = io.open = Opener(witness, io.open)
    os.register_at_fork(before=witness.look)


def watch_later_processes(settings: dict[str, Any]) -> None:
    """Let the Python processes that this one starts be watched, too."""
    files = {name: f"/proc/{os.getpid()}/fd/{settings[name]}" for name in ("report", "loaded") if name in settings}
    os.environ[WATCHED] = json.dumps({**settings, **files})
    os.environ[SEARCHED] = os.pathsep.join(filter(None, (CHILDREN, os.environ.get(SEARCHED))))


def watch_child(settings: dict[str, Any]) -> None:
    """Watch a process that was started anew, and move its search path.

    Args:
        settings: as `watch` has them, with paths of the files.
    """
    territory = Territory(settings["roots"], settings["own"], settings["free"], settings["copies"])
    sys.path[:] = [territory.moved(place) if place else place for place in sys.path]
    try:
        files: dict[str, Any] = {
            name: os.open(settings[name], os.O_WRONLY) for name in ("report", "loaded") if name in settings
        }
    except OSError:  # the worker has ended
        return
    watch({**settings, **files})


def main() -> None:
    """Print what this interpreter has, or watch it and run another program in it."""
    if sys.argv[1] == SURROUNDINGS:
        sys.stdout.write(json.dumps(surroundings(sys.argv[2:])))
        return
    settings = json.loads(sys.argv[1])
    watch(settings)
    watch_later_processes(settings)
    del sys.argv[:2]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
