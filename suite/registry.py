"""Registries of the factors' levels, by name. A duplicate name is an error.

No torch at import: entries name their builders, and a worker calls them.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from suite.records import StepmarkError
from suite.records.factors import FACTORS
from suite.records.failure_reason import one_line
from suite.records.json_values import name_of, plain

if TYPE_CHECKING:
    import torch
    from torch import nn

    from suite.contracts.execution import Execution
    from suite.contracts.input_pipeline import InputPipeline
    from suite.contracts.tuning import Tuning

LEVEL_NAME = re.compile(r"[a-z0-9_]+")
SHOWN_NAMES = 12  # names listed in the message about an unknown level; more would bury the message


class Level(Protocol):
    """The attributes of every entry of a registry."""

    @property
    def name(self) -> str:
        """Its name in profiles and case ids."""

    @property
    def attributes(self) -> dict[str, Any]:
        """Its properties as plain values, so that effects of each can be separated."""


L = TypeVar("L", bound=Level)


class Registry(Generic[L]):
    """The levels of one factor, in the order in which they were added."""

    def __init__(self, factor: str) -> None:
        self.factor = factor
        self._levels: dict[str, L] = {}

    def add(self, level: L) -> L:
        """Add a level under its own name.

        Raises:
            StepmarkError: the name is taken, or is not made of `a-z`, `0-9` and `_`.
        """
        if not LEVEL_NAME.fullmatch(level.name):
            raise StepmarkError(f"{self.factor} {level.name!r}: a level's name is made of a-z, 0-9 and _ only.")
        if level.name in self._levels:
            raise StepmarkError(f"{self.factor} {level.name!r} is registered already; choose another name.")
        self._levels[level.name] = level
        return level

    def __getitem__(self, name: str) -> L:
        try:
            return self._levels[name]
        except KeyError:
            raise StepmarkError(self._unknown(name)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._levels)

    def __len__(self) -> int:
        return len(self._levels)

    def matching(self, patterns: list[str]) -> list[str]:
        """Names that match one of the patterns (`residual_*`), by pattern, each once.

        Raises:
            StepmarkError: a pattern matches no level.
        """
        matches: dict[str, None] = {}
        for pattern in patterns:
            names = [name for name in self._levels if fnmatchcase(name, pattern)]
            if not names:
                raise StepmarkError(self._unknown(pattern))
            matches.update(dict.fromkeys(names))
        return list(matches)

    def all_names(self) -> list[str]:
        """Names by which a level can be looked up."""
        return list(self._levels)

    def _unknown(self, name: str) -> str:
        allowed = self.all_names()
        names = list(dict.fromkeys([*get_close_matches(name, allowed, n=SHOWN_NAMES), *allowed]))
        more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
        shown = ", ".join(names[:SHOWN_NAMES]) + more
        return f"{self.factor} {name!r} is not known; allowed: {shown or 'none is registered'}."


StructureBuilder = Callable[[int, int], "nn.Module"]


@dataclass(frozen=True, slots=True)
class StructureSpec:
    """A network structure: `build(num_classes, image_size)`, fresh from torch's seed.

    Images (N, 3, image_size, image_size) -> logits (N, num_classes).
    """

    name: str
    build: StructureBuilder
    attributes: dict[str, Any] = field(default_factory=dict)
    min_image_size: int = 1
    reference: str = ""
    """The structure's source, if one builder makes structures of several sources."""
    min_image_size_alone: int = 1
    """Pixels a side from which one image trains alone: a batch norm over a map of one pixel needs a second image."""
    needs: str = ""  # the package that it needs in addition to torch, if any

    @property
    def source(self) -> str:
        """The docstring of the builder, and the structure's reference if it has one."""
        docstring = inspect.getdoc(self.build.func if isinstance(self.build, partial) else self.build) or ""
        return f"{docstring}\n\nSource: {self.reference}" if self.reference else docstring


class StructureRegistry(Registry[StructureSpec]):
    """The registry of structures, with a decorator for builders.

    Families have more members than a matrix needs. A member that is not listed is found by its exact name only: no
    pattern matches it, and "all structures" leaves it out.
    """

    def __init__(self, factor: str) -> None:
        super().__init__(factor)
        self._unlisted: dict[str, StructureSpec] = {}

    def add(self, level: StructureSpec, *, listed: bool = True) -> StructureSpec:
        """Add a structure, as `Registry.add` does.

        Raises:
            StepmarkError: the name is taken, listed or not, or is not made of `a-z`, `0-9` and `_`.
        """
        if level.name in self._unlisted:
            raise StepmarkError(f"{self.factor} {level.name!r} is registered already; choose another name.")
        super().add(level)
        if not listed:
            self._unlisted[level.name] = self._levels.pop(level.name)
        return level

    def __getitem__(self, name: str) -> StructureSpec:
        return self._unlisted[name] if name in self._unlisted else super().__getitem__(name)

    def matching(self, patterns: list[str]) -> list[str]:
        """As `Registry.matching`; an exact name may be one that is not listed."""
        matches: dict[str, None] = {}
        for pattern in patterns:
            matches.update(dict.fromkeys([pattern] if pattern in self._unlisted else super().matching([pattern])))
        return list(matches)

    def all_names(self) -> list[str]:
        """As `Registry.all_names`, with members that are not listed."""
        return [*self._levels, *self._unlisted]

    def register(
        self, name: str, *, min_image_size: int = 1, **attributes: Any
    ) -> Callable[[StructureBuilder], StructureBuilder]:
        """Decorate a builder of networks; the attributes are recorded with the level."""

        def decorate(build: StructureBuilder) -> StructureBuilder:
            self.add(StructureSpec(name, build, attributes, min_image_size))
            return build

        return decorate


@dataclass(frozen=True, slots=True)
class OptimizerSpec:
    """An optimizer setting: `factory(parameters, **kwargs)`.

    Attributes:
        factory: the optimizer's class, or its dotted path (`torch.optim.SGD`), which is looked up by the worker.
        kwargs: keyword arguments, pinned; the learning rate and the implementation are recorded as attributes.
        source: the paper or documentation that the setting follows.
        closure: whether its step evaluates loss and gradients through a closure, as often as it wants.
        flattens: whether it takes each gradient as a flat view, which a gradient in channels-last order does not have.
        full_batch: whether each of its steps takes the whole training set.
    """

    name: str
    factory: str | Callable[..., torch.optim.Optimizer]
    kwargs: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    closure: bool = False
    flattens: bool = False
    full_batch: bool = False

    @property
    def attributes(self) -> dict[str, Any]:
        """`family`, `implementation`, and every keyword argument as a plain value."""
        path = self.factory if isinstance(self.factory, str) else name_of(self.factory)
        chosen = [name for name in ("fused", "foreach") if self.kwargs.get(name)]
        pinned = "foreach" in self.kwargs or "fused" in self.kwargs
        implementation = chosen[0] if chosen else "forloop" if pinned else "default"
        others = {key: plain(value) for key, value in self.kwargs.items() if key not in ("fused", "foreach")}
        attributes = {"family": path.rsplit(".", 1)[-1].lower(), "implementation": implementation, **others}
        return {**attributes, "full_batch": True} if self.full_batch else attributes

    def build(self, parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimizer over a network's parameters."""
        factory = self.factory
        if isinstance(factory, str):
            module, _, attribute = factory.rpartition(".")
            factory = getattr(importlib.import_module(module), attribute)
        optimizer: torch.optim.Optimizer = factory(parameters, **self.kwargs)
        return optimizer


@dataclass(frozen=True, slots=True)
class ExecutionSpec:
    """The device and the processes that run a step; only workers make a `strategy`."""

    name: str
    strategy: type[Execution]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TuningSpec:
    """A way of running the same step; `eager` changes nothing."""

    name: str
    strategy: type[Tuning]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InputSpec:
    """An input pipeline: yields the batches that the steps train on."""

    name: str
    pipeline: type[InputPipeline]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """How the learning rate changes over the steps of a learning case.

    Attributes:
        make: (optimizer, steps of the whole training) -> the schedule, whose `step` is called after each step; None if
            the rate is constant.
    """

    name: str
    make: Callable[[torch.optim.Optimizer, int], torch.optim.lr_scheduler.LRScheduler | None]
    attributes: dict[str, Any] = field(default_factory=dict)
    source: str = ""


STRUCTURES = StructureRegistry("structure")
OPTIMIZERS: Registry[OptimizerSpec] = Registry("optimizer")
EXECUTIONS: Registry[ExecutionSpec] = Registry("execution")
TUNINGS: Registry[TuningSpec] = Registry("tuning")
INPUTS: Registry[InputSpec] = Registry("input")
SCHEDULES: Registry[ScheduleSpec] = Registry("schedule")

REGISTRIES: dict[str, Registry[Any]] = {
    registry.factor: registry for registry in (STRUCTURES, OPTIMIZERS, EXECUTIONS, TUNINGS, INPUTS, SCHEDULES)
}
"""Factor -> its registered levels. Modes are words without a registry, and sizes are numbers."""
LEVEL_MODULES = tuple(f"suite.levels.{factor.key}" for factor in FACTORS if factor.name in REGISTRIES)
"""Modules of the project's levels; importing one registers its levels."""


def load_levels(plugins: tuple[str, ...] = ()) -> None:
    """Import the project's levels, then the plug-ins, each once per process.

    A plug-in is a module, or a text with `=` for `suite.levels.callables`. Raises StepmarkError if one does not import.
    """
    for module in LEVEL_MODULES:
        importlib.import_module(module)
    for plugin in plugins:
        try:
            if "=" in plugin:
                importlib.import_module("suite.levels.callables").add(plugin)
            else:
                importlib.import_module(plugin)
        except StepmarkError:
            raise
        except (Exception, SystemExit) as error:  # any error of the user's module is the user's to mend
            raise StepmarkError(f"plug-in {plugin!r} does not import: {one_line(error).rstrip('.')}.") from error
