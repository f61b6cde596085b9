"""The pytest command line of `stepmark run`: our cases, our configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from suite.options import OPTIONS
from suite.provenance.installation import CASES_FOLDER, PACKAGE

ROOT = CASES_FOLDER.parent
"""pytest's root folder, so that a case has the same name in a checkout and from a wheel."""
CONFIGURATION = Path(__file__).with_name("pytest.ini")
BECOME = str(Path(__file__).with_name("exec_pytest.py"))
OWN_CONFIGURATION = ("-c", "--config-file", "--rootdir")
"""Options of pytest with which its caller says where configuration comes from."""
WORDS_FOLLOW = {"-k", "-m", *OWN_CONFIGURATION, *(flag for option in OPTIONS for flag in option.flags)}
"""Options whose next argument is no test, though a file of that name may be there."""
NO_CACHE = "no:cacheprovider"
"""Argument of pytest's `-p` without which pytest writes a cache."""
NO_AUTOLOAD = ("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "--disable-plugin-autoload")
"""Variable and option with which pytest loads no plug-in of the environment.

Source: pytest, "How to install and use plugins".
"""
NEEDED_PLUGINS = ("-p", "pytest_benchmark.plugin", "-p", "stepmark_pytest")


def pytest_line(arguments: Sequence[str], here: Path, variables: Mapping[str, str] = os.environ) -> list[str]:
    """The command line that `stepmark run` becomes.

    The cases are added if no argument names one of them. pytest takes its configuration from the first folder above its
    arguments; ours is named, so that a project around the checkout or the profile does not configure the run.

    Args:
        arguments: as typed, pytest's and ours.
        here: the folder that it runs in.
        variables: of the environment.
    """
    befores = ("", *arguments)
    words = [
        word if before in WORDS_FOLLOW else found(word, here) for before, word in zip(befores, arguments, strict=False)
    ]
    named = [word for before, word in zip(befores, words, strict=False) if before not in WORDS_FOLLOW]
    cases = [] if any(is_case(here / word.partition("::")[0]) for word in named) else [str(CASES_FOLDER)]
    is_configured = any(word.partition("=")[0] in OWN_CONFIGURATION for word in arguments)
    configuration = [] if is_configured else own_configuration(arguments, here, variables)
    without_here = ["-P"] if hides_ours(here) else []
    return [sys.executable, *without_here, BECOME, *configuration, *cases, *words]


def own_configuration(arguments: Sequence[str], here: Path, variables: Mapping[str, str]) -> list[str]:
    """Options for our configuration, a cache in this folder, and plug-ins."""
    given = [*arguments, variables.get("PYTEST_ADDOPTS", "")]
    cache = [] if any(NO_CACHE in word for word in given) else ["-o", f"cache_dir={here / '.pytest_cache'}"]
    loads_none = variables.get(NO_AUTOLOAD[0]) or any(NO_AUTOLOAD[1] in word for word in given)
    plugins = NEEDED_PLUGINS if loads_none else ()
    return ["-c", str(CONFIGURATION), "--rootdir", str(ROOT), *cache, *plugins]


def found(word: str, here: Path) -> str:
    """Make `cases/...` an absolute path if this folder has no such file."""
    path, mark, rest = word.partition("::")
    is_ours = path.startswith("cases/") and is_case(ROOT / path) and not (here / path).exists()
    return f"{ROOT / path}{mark}{rest}" if is_ours else word


def is_case(path: Path) -> bool:
    """Whether a path is a file or folder of our cases."""
    try:
        is_test = path.is_dir() or (path.suffix == ".py" and path.is_file())
    except (OSError, ValueError):  # too long a name, or a null byte: the value of another option
        return False
    return is_test and path.resolve().is_relative_to(CASES_FOLDER)


def hides_ours(here: Path) -> bool:
    """Whether a package of our name lies in the folder that Python would search first."""
    return here.resolve() != PACKAGE.parent and any((here / name).exists() for name in ("suite", "suite.py"))
