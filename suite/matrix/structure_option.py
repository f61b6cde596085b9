"""The option `--structure`: other structures than a profile's, also by a callable.

resnet18, residual_*           a registered name, or a pattern
net.py:make_model              a callable in a file, relative to the current folder, or to that of the configuration
package.models:Net             a callable in a module
wide=net.py:make_wide          the same, with the level's name
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from suite.records import StepmarkError

CALLABLE = re.compile(r"(?:(?P<level>[a-z0-9_]+)=)?(?P<place>.+):(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)")
NAME = re.compile(r"[\w*?\[\]!-]+")
"""A registered name, or a pattern of `fnmatch`."""
ALLOWED = "a registered name, FILE.py:CALLABLE or MODULE:CALLABLE; LEVEL= before a callable names its level"


def words_of(text: str, folder: Path = Path()) -> tuple[str, ...]:
    """Words joined by commas, each callable with a level's name and an absolute path.

    Args:
        text: of the option.
        folder: start of relative paths.

    Raises:
        StepmarkError: a word is of another form.
    """
    words = [word.strip() for word in text.split(",")]
    is_list = all(CALLABLE.fullmatch(word) or NAME.fullmatch(word) for word in words)
    return tuple(whole(word, folder) for word in (words if is_list else [text.strip()]))  # a folder may have a comma


def whole(word: str, folder: Path) -> str:
    """A callable with its level and an absolute path; another word unchanged.

    Raises:
        StepmarkError: it is neither a callable nor a name or pattern.
    """
    match = CALLABLE.fullmatch(word)
    if match is None:
        if NAME.fullmatch(word):
            return word
        raise StepmarkError(f"--structure is {word!r}; allowed: {ALLOWED}.")
    place, name = match["place"], match["name"]
    if place.endswith(".py") or "/" in place:
        try:
            place = str((folder / Path(place).expanduser()).resolve())
        except (OSError, RuntimeError, ValueError) as error:  # no such user, links in a circle, a null byte
            raise StepmarkError(f"--structure is {word!r}: {error}; allowed: {ALLOWED}.") from error
    return f"{match['level'] or level_of(name)}={place}:{name}"


def level_of(name: str) -> str:
    """A level's name from a callable's: `ResNet` -> `resnet`."""
    return re.sub(r"[^a-z0-9_]", "_", name.rpartition(".")[2].lower())


def callables_in(words: Iterable[str]) -> tuple[str, ...]:
    """The callables among words."""
    return tuple(word for word in words if "=" in word)


def names_in(words: Iterable[str]) -> list[str]:
    """Names and patterns of levels, those of callables included."""
    return [word.partition("=")[0] for word in words]


def search_first(folders: Sequence[Path]) -> None:
    """Put folders first on the search path of modules."""
    first = [str(folder) for folder in folders]
    sys.path[:] = [*first, *(place for place in sys.path if place not in first)]
