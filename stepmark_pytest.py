"""Stepmark's entry into pytest: every session of the environment loads it.

It adds no option, fixture or marker, and imports nothing, until the arguments name Stepmark's cases; then it loads
`suite.plugin`, which does. The door has a name that no other project has; `suite` may be taken
(docs/decisions/0021-a-door-into-pytest.md).
"""

from __future__ import annotations

import argparse
import copy
import glob
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
IN_WHEEL = HERE / "suite" / "cases"
CASES_FOLDER = IN_WHEEL if IN_WHEEL.is_dir() else HERE / "cases"
"""As in `suite.provenance.installation`, which may not be imported yet."""
PLUGIN = "suite.plugin"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Iterator[None]:
    """Load the plug-in before any conftest where the arguments name our cases.

    Raises:
        UsageError: `another plug-in has the option --profile here ...`, or another package hides ours.
    """
    if not names_cases(early_config, args) or early_config.pluginmanager.hasplugin(PLUGIN):
        return (yield)
    refuse_foreign_package()
    try:
        early_config.pluginmanager.register(importlib.import_module(PLUGIN), PLUGIN)
        known = parser.parse_known_args(args, namespace=copy.copy(early_config.option))
        known.confcutdir = early_config.known_args_namespace.confcutdir
        early_config.known_args_namespace = known  # the values of our options are no paths whose conftests to load
        return (yield)
    except (argparse.ArgumentError, ValueError) as error:
        taken = re.search(r"(--[\w-]+).*already added|conflicting option strings?: (--[\w-]+)", str(error))
        if taken is None:
            raise
        raise pytest.UsageError(clash(early_config, taken[1] or taken[2])) from None


def names_cases(config: pytest.Config, args: list[str]) -> bool:
    """Whether a session names our cases, by an argument or by its folder."""
    here = config.invocation_params.dir
    if here.resolve().is_relative_to(CASES_FOLDER):
        return True
    words = [word for word in (*args, *config.known_args_namespace.file_or_dir) if not word.startswith("-")]
    paths = [path for word in words if is_there(path := here / word.partition("::")[0])]
    if not paths and here == config.rootpath:
        paths = [here / found for word in config.getini("testpaths") for found in found_by(word, here)]
    return any(path.resolve().is_relative_to(CASES_FOLDER) for path in paths)


def found_by(pattern: str, here: Path) -> list[str]:
    """Paths that a pattern of `testpaths` finds, as pytest looks for them.

    `Path.glob` refuses absolute ones, and a dot in Python 3.11.
    """
    return glob.glob(pattern, root_dir=here, recursive=True)  # noqa: PTH207 - see above


def is_there(path: Path) -> bool:
    """Whether a path exists; a text that cannot be a path does not."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name, or a null byte: the value of another option
        return False


def refuse_foreign_package() -> None:
    """Refuse where another package hides ours.

    Raises:
        UsageError: `/a/suite.py hides stepmark's package suite; ...`
    """
    found = importlib.util.find_spec("suite")
    origin = Path(found.origin).resolve() if found and found.origin else None
    if origin != HERE / "suite" / "__init__.py":
        raise pytest.UsageError(
            f"{origin or 'another package'} hides stepmark's package `suite`; "
            "start `pytest` instead of `python -m pytest`, start it in another folder, or clear PYTHONPATH."
        )


def clash(config: pytest.Config, option: str) -> str:
    """A sentence about an option that another plug-in has too, with its name if known."""
    others = [name for name, plugin in config.pluginmanager.list_name_plugin() if plugin and adds(plugin, option)]
    name = next((name for name in others if name != PLUGIN), "")
    who = f"the pytest plug-in {name!r}" if name else "another pytest plug-in or a conftest.py"
    return f"{who} has the option {option} as well; leave it out with -p no:{name or 'NAME'}."


def adds(plugin: object, option: str) -> bool:
    """Whether a plug-in's source adds an option of that name."""
    hook = getattr(plugin, "pytest_addoption", None)
    try:
        return hook is not None and re.search(f"[\"']{option}[\"']", inspect.getsource(hook)) is not None
    except (OSError, TypeError):
        return False
