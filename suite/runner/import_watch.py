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
            NotComparableError: a module or file comes from another checkout; the sentence names it.
        """
        if not self._files or self._watched is None:
            return
        lines = os.pread(self._files[0].fileno(), MOST_SEEN, 0).splitlines()
        if lines:
            module, file = json.loads(lines[0])
            own = self._watched["own"] or "the current folder"
            if module == Path(file).name:
                raise NotComparableError(
                    f"{file} is used, which is not in the checkout that is measured ({own}); "
                    "name it by a relative path, or by one that begins at the module's own file."
                )
            raise NotComparableError(
                f"module {module!r} comes from {file}, and not from the checkout that is measured ({own}); install its "
                "project in place (`pip install -e`) from a folder that git keeps, or build in that checkout what git "
                "does not keep."
            )

    def loaded_files(self) -> list[tuple[Path, str]]:
        """Files of modules in the side's checkout, with their hashes when loaded."""
        if not self._files:
            return []
        fd = self._files[1].fileno()
        noted = os.pread(fd, os.fstat(fd).st_size, 0).split(b"\0")
        pairs = (os.fsdecode(one).split(" ", 1) for one in dict.fromkeys(noted) if one)
        return [(Path(file), contents) for contents, file in pairs]

    def close(self) -> None:
        """Forget what was seen."""
        for file in self._files:
            file.close()
        self._files = ()
