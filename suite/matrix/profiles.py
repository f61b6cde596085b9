"""Profiles: tables of a TOML file with the levels to cross and the plan.

A profile of a name is searched in this order: tables of the configuration, its file of profiles, the project's own
profiles. A file that is named on the command line or in the environment is searched alone.

`[NAME.with_devices.1]` holds keys that replace those of the profile NAME where torch can use 1 CUDA device or more: a
process that uses a device takes seconds to start, and some executions need several devices (docs/decisions/0040).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from suite.configuration.decoding import nearest
from suite.configuration.files import NAMES, configuration_of, read_toml
from suite.configuration.values import NOTHING, Configuration, Value
from suite.machine.cuda import cuda_devices
from suite.matrix.designs import ALLOWED as ALLOWED_DESIGNS
from suite.matrix.designs import FULL, Design, is_design
from suite.matrix.structure_option import callables_in, names_in, search_first, words_of
from suite.options import DEFAULT_PROFILE, OPTIONS, PROFILES
from suite.provenance.installation import CASES_FOLDER
from suite.records import StepmarkError
from suite.records.factors import FACTORS

OWN_PROFILES = CASES_FOLDER / "profiles.toml"

FACTOR_KEYS = tuple(factor.key for factor in FACTORS if not factor.least)
SIZE_KEYS = {factor.key: factor.least for factor in FACTORS if factor.least}
"""Keys whose values are whole numbers, and the smallest of each."""
PLAN_KEYS = {
    name.replace("-", "_"): option for option in OPTIONS if option.in_profile for name in (option.name, *option.aliases)
}
"""Key of a profile -> option of the command line that it sets, in the same unit."""
COUNT = re.compile(r"[1-9]\d{0,3}")
WITH_DEVICES = "with_devices"
"""Key of the tables that hold from a number of CUDA devices on."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A table of a profiles file: levels to cross, and values of the plan.

    Options of the command line replace values of the plan.

    Attributes:
        file: the file that names it: of profiles, or of the configuration.
        folders: folders that are searched for plug-ins; empty for the folder of the file alone.
        levels: names or patterns by key (`structures`, ...); a missing key means all, or the default level.
        sizes: images per batch and pixels per side, by key.
        plan: fields of the plan and their values.
        design: which of the crossed cases are measured.
        structures: the words of `--structure`, which replace the structures among the levels.
    """

    name: str
    file: Path
    plugins: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    levels: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[str, list[int]] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    design: Design = FULL
    structures: tuple[str, ...] = ()


def profile_of(
    values: Mapping[str, Value], configuration: Configuration, command: str = "run", default: str = DEFAULT_PROFILE
) -> Profile:
    """The profile that a command's options name, with the structures that they name.

    Args:
        values: by name of option.
        configuration: of the folder.
        command: whose options they are.
        default: name where no option names a profile.

    Raises:
        StepmarkError: as `load_profile`, or `--structure` is of another form.
    """
    name, file = values.get("profile"), values.get("profiles")
    named = file.text if file and file.origin != "file" else None
    profile = load_profile(name.text if name else default, named, configuration, command)
    structure = values.get("structure")
    return with_structures(profile, words_of(structure.text, structure.folder) if structure else ())


def load_profile(
    name: str, file: str | Path | None = None, configuration: Configuration = NOTHING, command: str = "run"
) -> Profile:
    """Read one profile.

    Args:
        name: the table's name.
        file: a TOML file, of profiles or of a configuration, which is searched alone; None for all places.
        configuration: of the folder; its plug-ins are the profile's too.
        command: whose file of profiles is searched.

    Raises:
        StepmarkError: the file cannot be read, the profile is not in it, or one of its keys or values is not allowed.
    """
    if file is not None and Path(file).name in NAMES:
        configuration, file = configuration_of(Path(file).resolve()), None
    read: dict[Path, list[str]] = {}
    for source, tables in sources_of(file, configuration, command):
        if name in tables:
            profile = parse_profile(name, source, tables[name])
            return with_configuration(profile, configuration, is_named=file is not None)
        read[source] = list(tables)
    allowed = ", ".join(dict.fromkeys(known for names in read.values() for known in names))
    raise StepmarkError(f"profile {name!r} is not in {' or '.join(map(str, read))}; allowed: {allowed or 'none'}.")


def sources_of(
    file: str | Path | None, configuration: Configuration, command: str
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Files that may have a profile, and their tables, in the order of the search."""
    if file is not None:
        yield read_profiles(Path(file))
        return
    if configuration.file is not None and configuration.profiles:
        yield configuration.file, dict(configuration.profiles)
    if value := configuration.of_file(PROFILES, command):
        yield read_profiles(Path(value.text))
    yield read_profiles(OWN_PROFILES)


def read_profiles(file: Path) -> tuple[Path, dict[str, Any]]:
    """A file of profiles, and its tables.

    Raises:
        StepmarkError: it cannot be read, or has a key outside of a table.
    """
    file = file.resolve()
    tables = read_toml(file, "profiles")
    for key, table in tables.items():
        if not isinstance(table, dict):
            raise StepmarkError(
                f"{file} has a key {key!r} outside of a profile; allowed: tables such as [{DEFAULT_PROFILE}]."
            )
    return file, tables


def with_configuration(profile: Profile, configuration: Configuration, *, is_named: bool) -> Profile:
    """A profile with the plug-ins of a configuration.

    Its file becomes that of the configuration, from which the same profile can be read again with its plug-ins.

    Args:
        profile: as read.
        configuration: of the folder.
        is_named: whether the command names the profile's file.
    """
    changes_nothing = not configuration.plugins and (is_named or profile.file == OWN_PROFILES)
    if configuration.file is None or changes_nothing:
        return profile
    plugins = tuple(dict.fromkeys((*configuration.plugins, *profile.plugins)))
    own = (profile.file.parent,) if profile.plugins else ()
    folders = tuple(dict.fromkeys((configuration.file.parent, *own)))
    return replace(profile, file=profile.file if is_named else configuration.file, plugins=plugins, folders=folders)


def with_structures(profile: Profile, words: Sequence[str]) -> Profile:
    """The profile with these structures in place of those it has, if there are any.

    Args:
        profile: as read.
        words: of `--structure` (`suite.matrix.structure_option.words_of`).
    """
    if not words:
        return profile
    plugins = (*profile.plugins, *callables_in(words))
    levels = {**profile.levels, "structures": names_in(words)}
    return replace(profile, structures=tuple(words), plugins=plugins, levels=levels)


def search_plugins(profile: Profile) -> None:
    """Put folders first on the search path: those of plug-ins, then the current one."""
    if profile.plugins:
        has_modules = len(callables_in(profile.plugins)) < len(profile.plugins)
        folders = (profile.folders or (profile.file.parent,)) if has_modules else ()
        search_first(list(dict.fromkeys((*folders, Path.cwd()))))


def parse_profile(name: str, file: Path, table: dict[str, Any]) -> Profile:
    """The profile that a table makes on this machine; raises as `load_profile` does."""
    keys = {key: value for key, value in table.items() if key != WITH_DEVICES}
    profile, places = parse_table(name, name, file, keys), tables_by_devices(name, table.get(WITH_DEVICES, {}))
    for count, replaced in places:  # all of them, so that a wrong key is found on every machine
        keys |= replaced
        place = f"{name}.{WITH_DEVICES}.{count}"
        on_more = parse_table(name, place, file, keys)
        if count <= cuda_devices():
            profile = on_more
    return profile


def tables_by_devices(name: str, tables: Any) -> list[tuple[int, dict[str, Any]]]:
    """The tables under `with_devices` and their numbers, the smallest first.

    Raises:
        StepmarkError: they are of another form.
    """
    form = isinstance(tables, dict) and all(
        COUNT.fullmatch(count) and isinstance(table, dict) for count, table in tables.items()
    )
    if not form:
        raise StepmarkError(
            f"profile {name!r}: {WITH_DEVICES} is {tables!r}; allowed: tables by a number of CUDA devices from 1, such "
            f"as [{name}.{WITH_DEVICES}.1]."
        )
    return sorted((int(count), table) for count, table in tables.items())


def parse_table(name: str, place: str, file: Path, table: dict[str, Any]) -> Profile:
    """A profile from keys.

    Args:
        name: of the profile.
        place: of the keys, as a sentence names it.
        file: the file that they are in.
        table: the keys and their values.

    Raises:
        StepmarkError: a key or a value is not allowed.
    """
    allowed = ("plugins", *FACTOR_KEYS, *SIZE_KEYS, "design", *PLAN_KEYS)
    for key in table:
        if key not in allowed:
            known = (*allowed, WITH_DEVICES) if place == name else allowed
            raise StepmarkError(f"profile {place!r} has a key {key!r}; {nearest(key, known)}.")
    for key in ("plugins", *FACTOR_KEYS):
        check_list(place, key, table.get(key, ["any"]), "names", lambda value: isinstance(value, str) and value != "")
    for key, least in SIZE_KEYS.items():
        check_list(place, key, table.get(key, [least]), f"whole numbers from {least}", partial(is_size, least))
    if not is_design(table.get("design", FULL)):
        raise StepmarkError(f"profile {place!r}: design is {table['design']!r}; allowed: {ALLOWED_DESIGNS}.")
    return Profile(
        name=name,
        file=file,
        plugins=tuple(table.get("plugins", ())),
        levels={key: table[key] for key in FACTOR_KEYS if key in table},
        sizes={key: table[key] for key in SIZE_KEYS if key in table},
        plan=plan_values(place, table),
        design=table.get("design", FULL),
    )


def plan_values(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the plan that a profile sets, with their values.

    Raises:
        StepmarkError: a value is not allowed, or two names of one option are given.
    """
    found: dict[str, Any] = {}
    for key, option in PLAN_KEYS.items():
        if key not in table:
            continue
        if option.kind is None:
            raise AssertionError(f"{key} is no field of the plan")
        if option.field in found:
            raise StepmarkError(f"profile {name!r} sets {option.name} twice, once as {key}; leave {key} out.")
        value = table[key]
        try:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(value)
            found[option.field] = option.kind.read(repr(value))
        except ValueError as error:
            raise StepmarkError(f"profile {name!r}: {key} is {value!r}; allowed: {option.kind.allowed}.") from error
    return found


def check_list(name: str, key: str, value: object, allowed: str, right: Callable[[object], bool]) -> None:
    """Refuse what is not a list of the allowed values, or an empty one.

    Raises:
        StepmarkError: the value found and the values allowed.
    """
    if not isinstance(value, list) or not all(right(entry) for entry in value) or (not value and key != "plugins"):
        raise StepmarkError(f"profile {name!r}: {key} is {value!r}; allowed: a list of {allowed}.")


def is_size(least: int, value: object) -> bool:
    """Whether a value can be a number of images, pixels or epochs."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
