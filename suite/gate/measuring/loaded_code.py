"""Files of the modules that both sides load: a gate ends if one changes.

A working tree stays in use while a gate measures it. Each block loads it anew, so that later blocks would measure
another code.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from suite.gate.record.values import Kind, side_at
from suite.provenance import code_identity
from suite.records import NotComparableError


class LoadedCode:
    """Hashes of the files of modules, as they were when each was first seen."""

    def __init__(self) -> None:
        self._hashes: dict[Path, str | None] = {}
        self._stats: dict[Path, tuple[int, int, int]] = {}

    def refuse_changed(self, files: Iterable[Path], place: int, kind: Kind) -> None:
        """Check the files of one side.

        Args:
            files: from which its processes loaded modules.
            place: of the side in a block of that kind.
            kind: of the block.

        Raises:
            NotComparableError: one of them has changed since it was first seen.
        """
        for file in files:
            now = self._now(file)
            if now != self._hashes.setdefault(file, now):
                raise NotComparableError(
                    f"{file} of the {side_at(place, kind)} changed while it was measured; "
                    "allowed: the code with which the gate began; "
                    "restore it and continue with --resume, or start a new gate."
                )

    def _now(self, file: Path) -> str | None:
        """The hash of a file, computed again only if its state on the disk is another one."""
        try:
            found = file.stat()
        except OSError:
            return None
        state = (found.st_mtime_ns, found.st_size, found.st_ino)
        if file in self._hashes and self._stats.get(file) == state:
            return self._hashes[file]
        self._stats[file] = state
        return code_identity.of_file(file)
