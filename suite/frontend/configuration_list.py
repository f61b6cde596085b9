"""The values of options that hold in a folder, as `stepmark config` shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

from suite.configuration.values import Configuration, Value, naming_places, variable_of
from suite.matrix.profiles import Profile, load_profile, profile_of
from suite.options import COMMANDS, DEFAULT_PROFILE, RECORDS, Option, default_texts
from suite.runner.settings import machine_defaults

OF_PROFILES = ("run", "gate")
"""Commands that measure the cases of a profile."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of one option that holds.

    Attributes:
        command: `run` (also for `list` and `pytest cases`), `gate` or `compare`.
        option: its name.
        value: as on a command line; None where it has none.
        origin: `environment`, `file`, `profile`, `machine` or `default`.
        place: the place that sets it, in words.
    """

    command: str
    option: str
    value: str | None
    origin: str
    place: str


@dataclass(frozen=True, slots=True)
class ConfigurationList:
    """All that holds in a folder.

    Attributes:
        file: of the configuration; None without one.
        records: folder of new runs and gates.
        records_place: the place that sets it, in words.
        profiles: names of the file's profiles.
        notes: sentences about variables that set nothing.
    """

    file: str | None
    records: str
    records_place: str
    plugins: tuple[str, ...]
    profiles: tuple[str, ...]
    settings: tuple[Setting, ...]
    notes: tuple[str, ...]


def list_of(configuration: Configuration) -> ConfigurationList:
    """All that a configuration makes hold.

    Raises:
        StepmarkError: a profile or a value is not allowed.
    """
    for name in configuration.profiles:
        load_profile(name, None, configuration)
    records = configuration.value_of(RECORDS)
    return ConfigurationList(
        file=str(configuration.file) if configuration.file else None,
        records=str(Path.cwd() / configuration.records),
        records_place=records.place if records else "default",
        plugins=configuration.plugins,
        profiles=tuple(configuration.profiles),
        settings=tuple(setting for command in COMMANDS for setting in settings_of(command, configuration)),
        notes=tuple(map(note, configuration.unknown_variables())),
    )


def settings_of(command: str, configuration: Configuration) -> Iterator[Setting]:
    """The settings of a command, in the order of its options."""
    values = configuration.values_of(command)
    defaults = default_texts(COMMANDS[command])
    machine = machine_defaults() if command == "run" else {}
    with naming_places(values):
        profile = None
        if command in OF_PROFILES:
            profile = profile_of(values, configuration, command, defaults.get("profile", DEFAULT_PROFILE))
        for option in COMMANDS[command]:
            if not option.is_once:
                checked(option, values.get(option.name))
                yield setting_of(command, option, values.get(option.name), profile, machine)


def checked(option: Option, value: Value | None) -> None:
    """Raise StepmarkError for a value that its option does not take."""
    if option.kind and value:
        option.parse(value.text)


def setting_of(
    command: str, option: Option, value: Value | None, profile: Profile | None, machine: dict[str, int]
) -> Setting:
    """The value of an option that holds, and its origin.

    A gate takes levels and sizes of a profile, and none of its other values.
    """
    if value and value.origin != "file":
        return Setting(command, option.name, value.text, value.origin, value.place)
    if command == "run" and option.kind and profile and option.field in profile.plan:
        text = option.kind.write(profile.plan[option.field])
        return Setting(command, option.name, text, "profile", f"profile {profile.name}")
    if value:
        return Setting(command, option.name, value.text, value.origin, value.place)
    if option.field in machine:
        return Setting(command, option.name, str(machine[option.field]), "machine", option.default_note)
    return Setting(command, option.name, option.default or None, "default", option.default_note or "default")


def note(variable: str) -> str:
    """A sentence about a variable that looks like an option's."""
    known = {variable_of(name) for options in COMMANDS.values() for option in options for name in option.names}
    close = get_close_matches(variable, known, n=1)
    return f"{variable} sets no option{f'; the nearest variable is {close[0]}' if close else ''}."


def json_text(listing: ConfigurationList) -> str:
    """One object."""
    return json.dumps(asdict(listing), indent=2)


def table_lines(listing: ConfigurationList) -> Iterator[str]:
    """The file and its contents, then one line for each option."""
    yield f"file      {listing.file or 'none: no stepmark.toml, and no table [tool.stepmark] in a pyproject.toml'}"
    yield f"plugins   {', '.join(listing.plugins) or 'none'}"
    yield f"profiles  {', '.join(listing.profiles) or 'none'}"
    yield f"records   {listing.records}  ({listing.records_place})"
    names = max(len(f"{one.command} --{one.option}") for one in listing.settings)
    values = max(len(one.value or "") for one in listing.settings)
    for one in listing.settings:
        yield f"{f'{one.command} --{one.option}':<{names}}  {one.value or '-':<{values}}  {one.place}".rstrip()
    yield from (f"note: {text}" for text in listing.notes)
