"""The code and the interpreter that measure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.machine.containers import Container


@dataclass(frozen=True, slots=True)
class Origin:
    """The code and interpreter of a zygote; by default those of this process.

    Attributes:
        python: the interpreter.
        suite: folder of the package `suite` whose code measures.
        path: folders in which modules are searched, that of `suite` among them; empty for those of this process.
        variables: of the environment, added to those of this process.
        watched: what `import_witness` is to know of this side's checkout; None where nobody watches what is loaded.
        start: folder in which the zygote starts; None for that of this process.
        container: in which the zygote runs; None for this machine. All paths are then those inside, and the environment
            is the image's.
    """

    python: str = sys.executable
    suite: Path = Path(__file__).parent.parent
    path: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    watched: Mapping[str, Any] | None = None
    start: Path | None = None
    container: Container | None = None


HERE = Origin()
