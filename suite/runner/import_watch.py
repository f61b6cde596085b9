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
        self._files: tuple[IO[bytes], ...] = ()

    @property
    def open_files(self) -> list[int]:
        """Numbers of the process's open files: of strays, and of all that it loaded."""
        if self._watched is None:
            return []
        if not self._files:
            self._files = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        return [file.fileno() for file in self._files]

    @property
    def command(self) -> list[str]:
        """The words before the program in the interpreter's command line."""
        if self._watched is None:
            return []
        report, loaded = self.open_files
        return [str(WITNESS), json.dumps({**self._watched, "report": report, "loaded": loaded})]

    def refuse_strays(self) -> None:
        """Check that all that was loaded of the repository is this side's own.

        Raises:
            NotComparableError: a module comes from another checkout; the sentence names it and its file.
        """
        if not self._files or self._watched is None:
            return
        lines = os.pread(self._files[0].fileno(), MOST_SEEN, 0).splitlines()
        if lines:
            module, file = json.loads(lines[0])
            raise NotComparableError(
                f"module {module!r} comes from {file}, and not from the checkout that is measured "
                f"({self._watched['own'] or 'the current folder'}); install its project in place "
                "(`pip install -e`) from a folder that git keeps, or build in that checkout what git does not keep."
            )

    def loaded_files(self) -> list[Path]:
        """Files of the side's checkout from which modules were loaded so far."""
        if not self._files:
            return []
        fd = self._files[1].fileno()
        names = os.pread(fd, os.fstat(fd).st_size, 0).split(b"\0")
        return [Path(os.fsdecode(name)) for name in dict.fromkeys(names) if name]

    def close(self) -> None:
        """Forget what was seen."""
        for file in self._files:
            file.close()
        self._files = ()
