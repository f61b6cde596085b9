"""The place of this installation's cases, and the packages that it has.

A checkout keeps the cases next to the package. A wheel has them in the package, where `setup.py` copies them.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
"""Folder of the package `suite`."""
IS_CHECKOUT = not (PACKAGE / "cases").is_dir()
"""Whether this is a checkout or an installation in place, and not an installed wheel."""
CASES_FOLDER = (PACKAGE.parent if IS_CHECKOUT else PACKAGE) / "cases"
"""The benchmark cases and the project's own profiles."""


def refusal_without(package: str, level: str) -> str:
    """Reason why a level cannot do without a package; empty if it is installed."""
    if is_installed(package):
        return ""
    # no command of pip: it would replace torch where the newest release needs another one
    return f"{level} needs {package}, which is not installed; install the release that fits your torch"


@cache
def is_installed(package: str) -> bool:
    """Whether a package is installed. It is not imported."""
    return find_spec(package) is not None
