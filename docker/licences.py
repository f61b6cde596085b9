"""`make licences`: the packages of an image with their licences, as the installed packages name them.

    python docker/licences.py [VARIANT]

The image has the same list, as a bill of materials in CycloneDX's format: `/opt/stepmark/bom.json`.
"""

from __future__ import annotations

import platform
import sys
from importlib import metadata

from engines import ImageError
from lockfile import VARIANTS, Locked
from wheelhouse import packages

CLASSIFIER = "License :: "
LONGEST = 60
"""Characters of a licence; older packages put its whole text where its name belongs."""


def licence(name: str) -> str:
    """The licence of an installed package: its expression, else its classifiers, else the first line of its text."""
    try:
        known = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "not installed here"
    expression, text = (str((known.get_all(key) or [""])[0]) for key in ("License-Expression", "License"))
    classes = [str(one).rpartition(" :: ")[2] for one in known.get_all("Classifier") or [] if CLASSIFIER in str(one)]
    first_line = (text.strip().splitlines() or [""])[0][:LONGEST]
    return expression or ", ".join(classes) or first_line or "not named"


def line(package: Locked) -> str:
    """A package's line of the list."""
    return f"{package.name:28} {package.version:16} {licence(package.name)}"


def main(variant: str = VARIANTS[0]) -> int:
    """Print the list."""
    if variant not in VARIANTS:
        print(f"licences: there is no variant {variant!r}; allowed: {', '.join(VARIANTS)}.", file=sys.stderr)
        return 2
    try:
        found = packages(variant, f"{sys.version_info.major}.{sys.version_info.minor}", platform.machine())
    except ImageError as error:
        print(f"licences: {error}", file=sys.stderr)
        return 2
    print(*map(line, found), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
