"""The pytest command line of `stepmark run`: our cases, our configuration."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from suite.matrix.profiles import CASES_FOLDER
from suite.options import OPTIONS

ROOT = CASES_FOLDER.parent
BECOME = str(Path(__file__).with_name("exec_pytest.py"))
OWN_CONFIGURATION = ("-c", "--config-file", "--rootdir")
"""Options of pytest with which its caller says where configuration comes from."""
WORDS_FOLLOW = {"-k", "-m", *OWN_CONFIGURATION, *(flag for option in OPTIONS for flag in option.flags)}
"""Options whose next argument is no test, though a file of that name may be there."""


def pytest_line(arguments: Sequence[str], here: Path) -> list[str]:
    """The command line that `stepmark run` becomes.

    The cases are added where no argument names one of them. pytest takes its configuration from the first folder above
    what it is given; ours is named, so that it is not that of a project which this checkout, or the profile, lies in.

    Args:
        arguments: as typed, pytest's and ours.
        here: the folder that it runs in.
    """
    named = [word for before, word in zip(("", *arguments), arguments, strict=False) if before not in WORDS_FOLLOW]
    cases = [] if any(is_case(here / word.partition("::")[0]) for word in named) else [str(CASES_FOLDER)]
    configured = any(word.partition("=")[0] in OWN_CONFIGURATION for word in arguments)
    configuration = [] if configured else ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    without_here = ["-P"] if hides_ours(here) else []
    return [sys.executable, *without_here, BECOME, *configuration, *cases, *arguments]


def is_case(path: Path) -> bool:
    """Whether a path is a file or folder of our cases."""
    try:
        is_test = path.is_dir() or (path.suffix == ".py" and path.is_file())
    except (OSError, ValueError):  # too long a name, or a null byte: the value of another option
        return False
    return is_test and path.resolve().is_relative_to(CASES_FOLDER)


def hides_ours(here: Path) -> bool:
    """Whether a package of our name lies in the folder that Python would search first."""
    return here.resolve() != ROOT and any((here / name).exists() for name in ("suite", "suite.py"))
