"""Files of the modules that both sides load: a gate ends if one changes.

A working tree stays in use while a gate measures it. Each block loads it anew, so that later blocks would measure
another code. The record keeps the hashes for a gate that is resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from suite.gate.record.values import Kind, side_at
from suite.provenance import code_identity
from suite.records import NotComparableError

GONE = ""
"""In place of the hash of a file that cannot be read."""


class LoadedCode:
    """Hashes of the files of modules, as they were when each was first loaded.

    Args:
        known: those of an interrupted gate, by path.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._hashes = {Path(file): contents for file, contents in (known or {}).items()}
        self._stats: dict[Path, tuple[int, int, int]] = {}
        self._now: dict[Path, str] = {}
        self._kept = set(self._hashes)
        self._keep: Callable[[dict[str, str]], object] | None = None

    def keep_in(self, keep: Callable[[dict[str, str]], object]) -> None:
        """Give hashes that are new to a record, now and whenever there are some."""
        self._keep = keep
        self._keep_new()

    def _keep_new(self) -> None:
        new = {str(file): contents for file, contents in self._hashes.items() if file not in self._kept}
        if self._keep is not None and new:
            self._keep(new)
            self._kept.update(self._hashes)

    def refuse_changed(self, files: Iterable[tuple[Path, str]], place: int, kind: Kind) -> None:
        """Check the files of one side.

        Args:
            files: from which its processes loaded modules, with their hashes at that time.
            place: of the side in a block of that kind.
            kind: of the block.

        Raises:
            NotComparableError: one of them has changed since it was first loaded.
        """
        for file, contents in files:
            known = self._hashes.setdefault(file, contents)
            if contents != known or self._hash_now(file) not in (known, GONE):
                raise NotComparableError(
                    f"{file} of the {side_at(place, kind)} changed while it was measured; "
                    "allowed: the code with which the gate began; "
                    "restore it and continue with --resume, or start a new gate."
                )
        self._keep_new()

    def _hash_now(self, file: Path) -> str:
        """The hash of a file, computed again only if its state on the disk is another one.

        `GONE` without a file, as of a module that was made and removed again.
        """
        try:
            found = file.stat()
        except OSError:
            return GONE
        state = (found.st_mtime_ns, found.st_size, found.st_ino)
        if self._stats.get(file) != state:
            self._stats[file] = state
            self._now[file] = code_identity.of_file(file) or GONE
        return self._now[file]
