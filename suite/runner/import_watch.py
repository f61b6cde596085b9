"""The controller's end of an import witness: its start and its report."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from suite.records import NotComparableError

WITNESS = Path(__file__).with_name("import_witness.py")
MOST_SEEN = 1 << 16
"""Bytes that are read of what a witness wrote: the first line of them is said."""


class Watch:
    """Watches what one side's processes load.

    Args:
        watched: what `suite.runner.import_witness` is to know of the side's checkout; None where nobody watches.
    """

    def __init__(self, watched: Mapping[str, Any] | None) -> None:
        self._watched = watched
        self._seen: IO[bytes] | None = None

    @property
    def open_files(self) -> list[int]:
        """Numbers of the files that the process has to have open."""
        if self._watched is None:
            return []
        if self._seen is None:
            self._seen = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        return [self._seen.fileno()]

    @property
    def command(self) -> list[str]:
        """The words before the program in the interpreter's command line."""
        if self._watched is None:
            return []
        return [str(WITNESS), json.dumps({**self._watched, "report": self.open_files[0]})]

    def refuse_strays(self) -> None:
        """Check that all that was loaded of the repository is this side's own.

        Raises:
            NotComparableError: a module comes from another checkout; the sentence names it and its file.
        """
        if self._seen is None or self._watched is None:
            return
        lines = os.pread(self._seen.fileno(), MOST_SEEN, 0).splitlines()
        if lines:
            module, file = json.loads(lines[0])
            raise NotComparableError(
                f"module {module!r} comes from {file}, and not from the checkout that is measured "
                f"({self._watched['own'] or 'the current folder'}); install its project in place "
                "(`pip install -e`) from a folder that git keeps, or build in that checkout what git does not keep."
            )

    def close(self) -> None:
        """Forget what was seen."""
        if self._seen is not None:
            self._seen.close()
