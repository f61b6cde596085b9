"""A configuration file's table as values; a wrong key or value is one sentence.

The keys of options come from `suite.options.COMMANDS`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from suite.configuration.values import ALL_COMMANDS, Configuration, Value
from suite.options import COMMANDS, RECORDS, Option
from suite.records import StepmarkError
from suite.records.decoding import WrongValue, convert

T = TypeVar("T")
SHARED_OPTIONS = tuple({one.name: one for options in (*COMMANDS.values(), (RECORDS,)) for one in options}.values())
"""Options that the outermost table may set, each once: for every command that has it."""
OTHER_KEYS = ("plugins", "profiles", *COMMANDS)
"""Keys of the outermost table that are no option, or a table as well."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a configuration file.

    Attributes:
        prefix: of its keys: empty, `run.`, `tool.stepmark.run.`.
    """

    file: Path
    prefix: str

    def place(self, key: str) -> str:
        """A key of it, as a sentence names it."""
        return f"{self.prefix}{key} of {self.file}"

    def typed(self, key: str, kind: type[T], value: Any) -> T:
        """A value, if it is of a type.

        Raises:
            StepmarkError: `run.passes of /a/stepmark.toml is 'x'; allowed: a whole number.`
        """
        try:
            return convert(kind, value, self.place(key))
        except WrongValue as error:
            raise StepmarkError(str(error)) from None

    def table(self, key: str, value: Any) -> dict[str, Any]:
        """A value, if it is a table.

        Raises:
            StepmarkError: `run of /a/stepmark.toml is 3; allowed: a table.`
        """
        if not isinstance(value, dict):
            raise StepmarkError(f"{self.place(key)} is {value!r}; allowed: a table.")
        return value

    def unknown(self, key: str, known: Collection[str]) -> StepmarkError:
        """The sentence about a key that is not known."""
        return StepmarkError(f"{self.file} has the unknown key {self.prefix}{key}; {nearest(key, known)}.")


def nearest(key: str, known: Collection[str]) -> str:
    """The remedy for an unknown key: the nearest known one first, then all."""
    close = get_close_matches(key.replace("-", "_"), known, n=1)
    return f"{f'the nearest known key is {close[0]}; ' if close else ''}allowed: {', '.join(known)}"


def decoded(file: Path, prefix: str, found: Any) -> Configuration:
    """The configuration in a file's outermost table.

    Args:
        file: for sentences, and as the start of relative paths.
        prefix: of the table's keys: empty, or `tool.stepmark.`.
        found: plain values.

    Raises:
        StepmarkError: a key or a value is not allowed.
    """
    top = Table(file, prefix)
    if not isinstance(found, dict):
        raise StepmarkError(f"{prefix.rstrip('.')} of {file} is {found!r}; allowed: a table.")
    tables = {name: top.table(name, found[name]) for name in COMMANDS if name in found}
    inline = found["profiles"] if isinstance(found.get("profiles"), dict) else {}
    profiles = {name: Table(file, f"{prefix}profiles.").table(name, one) for name, one in inline.items()}
    options = {
        key: value
        for key, value in found.items()
        if key not in ("plugins", *COMMANDS) and not (key == "profiles" and isinstance(value, dict))
    }
    values = {ALL_COMMANDS: values_in(top, options, SHARED_OPTIONS, OTHER_KEYS)}
    for name, table in tables.items():
        values[name] = values_in(Table(file, f"{prefix}{name}."), table, COMMANDS[name])
    plugins = top.typed("plugins", tuple[str, ...], found.get("plugins", []))
    return Configuration(file, plugins, profiles, values)


def values_in(
    table: Table, found: Mapping[str, Any], options: Iterable[Option], others: Iterable[str] = ()
) -> dict[str, Value]:
    """The values of options in a table.

    Args:
        table: its file and place.
        found: plain values by key.
        options: those that it may set.
        others: further keys, named in the sentence about an unknown one.

    Raises:
        StepmarkError: a key or a value is not allowed, or one option is set twice.
    """
    by_key = {key_of(name): option for option in options if not option.is_once for name in option.names}
    values: dict[str, Value] = {}
    for key, value in found.items():
        option = by_key.get(key_of(key))
        if option is None:
            raise table.unknown(key, dict.fromkeys((*by_key, *others)))
        if option.name in values:
            raise StepmarkError(f"{table.file} sets {option.name} twice, once as {table.prefix}{key}; leave one out.")
        text = text_of(table, key, option, value)
        values[option.name] = Value(text, "file", table.place(key), table.file.parent)
    return values


def key_of(name: str) -> str:
    """The key of an option's name, by which both spellings are found."""
    return name.replace("-", "_")


def text_of(table: Table, key: str, option: Option, value: Any) -> str:
    """The text of a value, as on a command line; a path from the file's folder.

    Raises:
        StepmarkError: the value is not allowed.
    """
    typed: Any = table.typed(key, option.kind.in_file if option.kind else option.in_file, value)
    text = ",".join(typed) if isinstance(typed, list) else typed if isinstance(typed, str) else repr(typed)
    try:
        if option.kind:
            option.kind.read(text)
    except ValueError:
        allowed = option.kind.allowed if option.kind else ""
        raise StepmarkError(f"{table.place(key)} is {value!r}; allowed: {allowed}.") from None
    if "\0" in text:
        raise StepmarkError(f"{table.place(key)} is {value!r}; allowed: a text without null characters.")
    return str(table.file.parent / text) if option.is_path else text
