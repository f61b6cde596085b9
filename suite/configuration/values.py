"""Values of options by their origin: command line, environment, file.

for each option:
    the command line's value, else that of STEPMARK_<OPTION>
    else the file's value for the command, else the file's value for all commands
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from suite.option_kinds import Kind
from suite.options import COMMANDS, RECORDS, Option
from suite.records import StepmarkError

PREFIX = "STEPMARK_"
OTHER_VARIABLES = ("STEPMARK_PRIVATE", "STEPMARK_PADDING")
"""Variables that set no option: the user's wish for private output, and a padding of the gate's workers."""
ALL_COMMANDS = ""
"""Key of the values that hold for every command."""
ABOUT_OPTION = re.compile(r"--([\w-]+) ")
"""Beginning of a sentence about the value of an option."""

Origin = Literal["option", "environment", "file"]


@dataclass(frozen=True, slots=True)
class Value:
    """The value of an option.

    Attributes:
        text: as on a command line.
        origin: the kind of place that sets it.
        place: the place, as a sentence names it: `--passes`, `STEPMARK_PASSES`, `run.passes of /a/stepmark.toml`.
        folder: start of the relative paths in the text.
    """

    text: str
    origin: Origin
    place: str
    folder: Path = Path()


@dataclass(frozen=True, slots=True)
class Configuration:
    """Values that hold in a folder, below those of the command line.

    Attributes:
        file: where it was read; None where no file configures the folder.
        plugins: modules that every profile imports; the file's folder is searched for them.
        profiles: tables by name, which stand in the file.
        values: command -> option -> value of the file; `ALL_COMMANDS` for every command that has the option.
        variables: the environment.
    """

    file: Path | None = None
    plugins: tuple[str, ...] = ()
    profiles: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def values_of(self, command: str, given: Mapping[str, str] | None = None) -> dict[str, Value]:
        """The value of each option of a command that something sets.

        Args:
            command: a key of `COMMANDS`.
            given: texts by name, as typed.
        """
        typed = given or {}
        return {name: value for name, value in self._each(command, typed) if value is not None}

    def _each(self, command: str, typed: Mapping[str, str]) -> Iterator[tuple[str, Value | None]]:
        for option in COMMANDS[command]:
            if option.name in typed:
                yield option.name, Value(typed[option.name], "option", f"--{option.name}")
            else:
                yield option.name, self.value_of(option, command)

    def value_of(self, option: Option, command: str = ALL_COMMANDS) -> Value | None:
        """The value that environment or file gives to an option; None where neither does."""
        return self._of_environment(option) or self.of_file(option, command)

    def _of_environment(self, option: Option) -> Value | None:
        for name in () if option.is_once else option.names:
            variable = variable_of(name)
            if text := self.variables.get(variable):  # an empty variable is as good as none, as CI systems set it
                return Value(text, "environment", variable)
        return None

    def of_file(self, option: Option, command: str) -> Value | None:
        """The file's value for an option of a command; None where it gives none."""
        tables = (self.values.get(command, {}), self.values.get(ALL_COMMANDS, {}))
        return next((table[option.name] for table in tables if option.name in table), None)

    @property
    def records(self) -> Path:
        """The folder of new runs and gates; relative where nothing sets it."""
        value = self.value_of(RECORDS)
        return Path(value.text if value else RECORDS.default)

    def unknown_variables(self) -> list[str]:
        """Variables of the environment that look like an option's and are none."""
        options = [RECORDS, *(option for options in COMMANDS.values() for option in options if not option.is_once)]
        known = {*OTHER_VARIABLES, *(variable_of(name) for option in options for name in option.names)}
        return sorted(name for name in self.variables if name.startswith(PREFIX) and name not in known)


NOTHING = Configuration()
"""No file, and an empty environment."""


def variable_of(name: str) -> str:
    """The environment variable of an option's name."""
    return PREFIX + name.upper().replace("-", "_")


def texts_of(values: Mapping[str, Value]) -> dict[str, str]:
    """Texts by name of option."""
    return {name: value.text for name, value in values.items()}


def parsed(values: Mapping[str, Value], options: Iterable[Option], *, of_file: bool) -> dict[str, Any]:
    """Fields and values of the options that have a kind.

    Args:
        values: by name of option.
        options: which.
        of_file: whether those of the file are wanted, or all others.

    Raises:
        StepmarkError: a value is not allowed.
    """
    return {
        option.field: option.parse(values[option.name].text)
        for option in options
        if isinstance(option.kind, Kind) and option.name in values
        if (values[option.name].origin == "file") is of_file
    }


@contextmanager
def naming_places(values: Mapping[str, Value]) -> Iterator[None]:
    """Within it, an error about the value of an option names the place that set it."""
    try:
        yield
    except StepmarkError as error:
        about = ABOUT_OPTION.match(str(error))
        value = values.get(about[1]) if about else None
        if about is None or value is None or value.origin == "option":
            raise
        raise type(error)(f"{value.place} {str(error)[about.end() :]}") from error
