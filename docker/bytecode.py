"""Compile the standard library and other folders to byte code that repeats: `bytecode.py OUT FOLDER...`.

Byte code depends on what the same process compiled before, and on the seed of hashes. So one process compiles all files
in sorted order, with `PYTHONHASHSEED=0`. The files are `unchecked-hash`: their sources have other times in an image
than in its build, and a read-only root could not keep what Python would compile again.

Files that are no valid Python, as some packages have for tests, stay without byte code.
"""

import compileall
import os
import py_compile
import re
import shutil
import sys
import sysconfig
from pathlib import Path

INSTALLED = re.compile(r"/(?:site|dist)-packages/")
"""Packages of the base, which the image does not use."""


def compiled(folder: Path, leave_out: re.Pattern[str] | None = None) -> None:
    """Write the byte code of all modules in a folder and below, next to them."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(folder, force=True, quiet=2, rx=leave_out, workers=1, invalidation_mode=mode)


def copied(folder: Path, out: Path) -> None:
    """Copy the byte code of a folder to the same place below another root."""
    for cache in sorted(folder.rglob("__pycache__")):
        if not INSTALLED.search(f"{cache}/"):
            shutil.copytree(cache, out / cache.relative_to("/"), copy_function=shutil.copyfile)


def main(out: str, *folders: str) -> int:
    """Compile everything; the standard library's byte code goes below `out`."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        sys.exit("bytecode.py: set PYTHONHASHSEED=0, without which byte code does not repeat.")
    library = Path(sysconfig.get_path("stdlib"))
    compiled(library, INSTALLED)
    copied(library, Path(out))
    for folder in folders:
        compiled(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
