"""Registries of the factors' levels, by name. A duplicate name is an error.

Plug-ins import the registries and the entries' classes from here. No torch at import.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from suite.contracts.entries import (
    ExecutionSpec,
    InputSpec,
    OptimizerSpec,
    ScheduleSpec,
    StructureBuilder,
    StructureSpec,
    TaskSpec,
    TuningSpec,
)
from suite.records import StepmarkError
from suite.records.factors import DEFAULT_TASK, FACTORS
from suite.records.failure_reason import one_line

if TYPE_CHECKING:
    from suite.contracts.task import StepMaker

__all__ = [
    "EXECUTIONS",
    "INPUTS",
    "LEVEL_MODULES",
    "OPTIMIZERS",
    "REGISTRIES",
    "SCHEDULES",
    "SHOWN_NAMES",
    "STRUCTURES",
    "TASKS",
    "TUNINGS",
    "ExecutionSpec",
    "InputSpec",
    "Level",
    "OptimizerSpec",
    "Registry",
    "ScheduleSpec",
    "StructureBuilder",
    "StructureRegistry",
    "StructureSpec",
    "TaskSpec",
    "TuningSpec",
    "load_levels",
]

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
        self,
        name: str,
        *,
        min_image_size: int = 1,
        task: str = DEFAULT_TASK,
        make_step: StepMaker | None = None,
        **attributes: Any,
    ) -> Callable[[StructureBuilder], StructureBuilder]:
        """Decorate a builder of networks.

        Args:
            name: of the level.
            min_image_size: pixels a side from which the network works.
            task: the task that it is for.
            make_step: makes its training step, if that has another order than the task's.
            attributes: recorded with the level.
        """

        def decorate(build: StructureBuilder) -> StructureBuilder:
            self.add(StructureSpec(name, build, attributes, min_image_size, task=task, make_step=make_step))
            return build

        return decorate


STRUCTURES = StructureRegistry("structure")
OPTIMIZERS: Registry[OptimizerSpec] = Registry("optimizer")
EXECUTIONS: Registry[ExecutionSpec] = Registry("execution")
TASKS: Registry[TaskSpec] = Registry("task")
TUNINGS: Registry[TuningSpec] = Registry("tuning")
INPUTS: Registry[InputSpec] = Registry("input")
SCHEDULES: Registry[ScheduleSpec] = Registry("schedule")

REGISTRIES: dict[str, Registry[Any]] = {
    registry.factor: registry for registry in (STRUCTURES, OPTIMIZERS, EXECUTIONS, TASKS, TUNINGS, INPUTS, SCHEDULES)
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
