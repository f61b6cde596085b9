"""The code and the interpreter that measure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a zygote and its workers come from; this process's own interpreter and code unless said otherwise.

    Attributes:
        python: the interpreter.
        suite: folder of the package `suite` whose code measures.
        path: folders in which modules are searched, that of `suite` among them; empty for those of this process.
        variables: of the environment, beside those of this process.
        watched: what `import_witness` is to know of this side's checkout; None where nobody watches what is loaded.
    """

    python: str = sys.executable
    suite: Path = Path(__file__).parent.parent
    path: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    watched: Mapping[str, Any] | None = None


HERE = Origin()
