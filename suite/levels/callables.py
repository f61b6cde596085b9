"""Structures made by a user's callable, for the option `--structure`.

A text is `LEVEL=FILE.py:CALLABLE` or `LEVEL=MODULE:CALLABLE`. The callable takes `num_classes` and `image_size` by
name, one of them, or nothing, and returns a network.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import wraps
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from suite.records import StepmarkError
from suite.records.failure_reason import one_line
from suite.registry import STRUCTURES, StructureBuilder, StructureSpec

if TYPE_CHECKING:
    from torch import nn

SIZES = ("num_classes", "image_size")
"""Arguments that a callable may have."""
ALLOWED = "a callable that takes num_classes and image_size, or nothing, and returns a torch.nn.Module"
IMAGES = 2
"""Images with which a new network is tried: a flattened batch of one could pass for logits."""
ADDED: dict[str, str] = {}
"""Level -> the text after its name, of the callables that this process has added."""


def add(text: str) -> None:
    """Add the structure of a text, once per process.

    Raises:
        StepmarkError: the file, module or callable does not exist or does not fit, or the level's name is taken.
    """
    level, _, source = text.partition("=")
    if ADDED.get(level) == source:
        return
    place, _, name = source.rpartition(":")
    short = f"{Path(place).name if is_file(place) else place}:{name}"
    make = callable_of(module_of(place, source), name, source)
    build = builder(make, sizes_taken(make, source), short)
    try:
        STRUCTURES.add(StructureSpec(level, build, {"callable": short}))
    except StepmarkError as error:
        raise StepmarkError(
            f"--structure {source} makes the level {level!r}, which is registered already; give it another name, such "
            f"as --structure my_{level}={source}."
        ) from error
    ADDED[level] = source


def is_file(place: str) -> bool:
    """Whether a place is a file's path, and not a module's name."""
    return place.endswith(".py") or "/" in place


def module_of(place: str, source: str) -> ModuleType:
    """Import a file or a module.

    Raises:
        StepmarkError: it does not exist, or its import raises.
    """
    try:
        return from_file(Path(place)) if is_file(place) else importlib.import_module(place)
    except StepmarkError as error:
        raise StepmarkError(f"--structure {source}: {error}") from error
    except (Exception, SystemExit) as error:  # any error of the user's module is the user's to mend
        raise StepmarkError(f"--structure {source}: {place} does not import: {one_line(error).rstrip('.')}.") from error


def from_file(path: Path) -> ModuleType:
    """Import a file, as a module of its package if it is in one.

    The folder above the package, or the file's folder, comes first on the search path. A file outside of a package gets
    a name that no other module has.

    Raises:
        StepmarkError: the file does not exist, or its package is loaded from another folder.
    """
    if not path.is_file():
        raise StepmarkError(f"there is no file {path}; allowed: a Python file; correct the path.")
    folder, name = path.parent, path.stem
    while (folder / "__init__.py").is_file():
        name, folder = f"{folder.name}.{name}", folder.parent
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    if folder == path.parent:
        return alone(path)
    module = importlib.import_module(name.removesuffix(".__init__"))
    loaded = Path(str(module.__file__))
    if loaded.resolve() != path.resolve():
        raise StepmarkError(f"module {module.__name__} is loaded from {loaded}; name that file, or uninstall it.")
    return module


def alone(path: Path) -> ModuleType:
    """Import a file that is in no package, once per process."""
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StepmarkError(f"{path} is no Python file; allowed: a file whose name ends with .py; rename it.")
    module = module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses and pickle look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def callable_of(module: ModuleType, name: str, source: str) -> Callable[..., Any]:
    """The callable of a name, such as `make` or `Nets.small`.

    Raises:
        StepmarkError: the module has none.
    """
    found: Any = module
    for word in name.split("."):
        if not hasattr(found, word):
            public = [one for one in vars(found) if not one.startswith("_")] if hasattr(found, "__dict__") else []
            near = get_close_matches(word, public)
            hint = f"; did you mean {' or '.join(near)}?" if near else "; correct the name."
            raise StepmarkError(f"--structure {source}: there is no {word!r}; allowed: {ALLOWED}{hint}")
        found = getattr(found, word)
    if is_network(found):
        raise StepmarkError(f"--structure {source}: {name} is a network; allowed: {ALLOWED}; name its class.")
    if not callable(found):
        raise StepmarkError(f"--structure {source}: {name} is of type {type(found).__name__}; allowed: {ALLOWED}.")
    made: Callable[..., Any] = found
    return made


def is_network(found: Any) -> bool:
    """Whether an object is a network. Nobody can have one without torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(found, torch.nn.Module)


def sizes_taken(make: Callable[..., Any], source: str) -> tuple[str, ...]:
    """Names in `SIZES` that a callable takes.

    Raises:
        StepmarkError: it needs other arguments.
    """
    try:
        parameters = list(inspect.signature(make).parameters.values())
    except (TypeError, ValueError):  # a callable that is written in C
        return ()
    named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    taken = tuple(one.name for one in named if one.name in SIZES)
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [one.name for one in parameters if one.default is one.empty and one.kind not in variable]
    if others := [name for name in needed if name not in taken]:
        raise StepmarkError(
            f"--structure {source} needs {', '.join(others)}; allowed: {ALLOWED}; give each a default, or wrap the "
            "callable in a function."
        )
    return taken


def builder(make: Callable[..., Any], sizes: Sequence[str], name: str) -> StructureBuilder:
    """The builder of a structure from a callable.

    Args:
        make: the callable.
        sizes: the arguments that it takes.
        name: of the callable, for errors.
    """

    @wraps(make, updated=())
    def build(num_classes: int, image_size: int) -> nn.Module:
        given = {"num_classes": num_classes, "image_size": image_size}
        network = make(**{one: given[one] for one in sizes})
        if not is_network(network):
            raise TypeError(f"{name} returns {type(network).__name__}; allowed: a torch.nn.Module")
        check_logits(network, name, num_classes, image_size)
        made: nn.Module = network
        return made

    return build


def check_logits(network: nn.Module, name: str, num_classes: int, image_size: int) -> None:
    """Try a network on two images; no weight, statistic or random number moves.

    Raises:
        TypeError: its output is no tensor.
        ValueError: its output has another shape than logits.
    """
    import torch

    network.eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        logits = network(torch.zeros(IMAGES, 3, image_size, image_size))
    network.train()
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"the network of {name} returns {type(logits).__name__}; allowed: a tensor of logits")
    if tuple(logits.shape) != (IMAGES, num_classes):
        raise ValueError(
            f"the network of {name} returns logits of shape {tuple(logits.shape)} for {IMAGES} images; allowed: "
            f"{(IMAGES, num_classes)}; let {name} take num_classes"
        )
