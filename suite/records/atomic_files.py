"""Files that are replaced whole, and folders with unused names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

from suite.records import StepmarkError

READABLE = 0o644
"""Anyone may read what is written; a temporary file is its owner's alone."""

DEVICES = ("/dev", "/proc")
"""Folders whose files are written to and never replaced."""


def cannot_write(path: Path, error: OSError) -> StepmarkError:
    """The sentence about a disk that refuses."""
    return StepmarkError(f"cannot write {path}: {error.strerror or error}.")


def refusal_of(error: OSError) -> str:
    """The sentence about a refusal of the system: the file, if any, and the reason."""
    why = error.strerror or str(error) or type(error).__name__
    return f"cannot use {error.filename}: {why}." if error.filename else f"the system refuses: {why}."


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader finds the old content or the new one.

    A text is written in UTF-8, with an escape for each half of a surrogate pair.

    A link to the file stays a link.

    A device or pipe is written to directly.

    Raises:
        StepmarkError: the disk refuses; what was there stays.
    """
    import tempfile  # not at the top: it takes 4 ms, and a command that only reads never needs it

    whole = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    temporary = None
    try:
        if is_device(path):
            with path.open("wb") as file:
                file.write(whole)
            return
        target = path.resolve()
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as made:
            temporary = Path(made.name)
            made.write(whole)
        temporary.chmod(READABLE)
        temporary.replace(target)
        temporary = None
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def is_device(path: Path) -> bool:
    """Whether a path leads to a device, a pipe, or a file such as `/dev/stdout`."""
    return any(path.absolute().is_relative_to(root) for root in DEVICES) or (path.exists() and not path.is_file())


@contextlib.contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Make a folder of that name, or with the next free number behind it.

    No other process gets the same folder.

    Where the context ends with an error, the folder is removed again if it is still empty.

    Raises:
        StepmarkError: it cannot be made.
    """
    folder = next(made for made in map(partial(numbered, path), count(1)) if make(made))
    try:
        yield folder
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise


def numbered(path: Path, number: int) -> Path:
    """A path, with a number from 2 on behind its name."""
    return path if number == 1 else path.with_name(f"{path.name}-{number}")


def make(folder: Path) -> bool:
    """Make a folder, and those above it; whether it was not there before.

    Raises:
        StepmarkError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    except OSError as error:
        raise cannot_write(folder, error) from error
    return True
