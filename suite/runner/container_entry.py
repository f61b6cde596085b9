"""The first program in a container of the gate: reports facts or becomes a zygote.

`python -P - facts`, with this file as its input, prints JSON. `python -P container_entry.py zygote SETTINGS` connects
to the controller's socket and then runs the image's zygote, which inherits the connection.

The image may have any revision of Stepmark. This is the controller's own file, and it imports nothing of the package.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

SOCKET = "link"
"""Name of the controller's socket, in the folder of this file."""
FACTS, ZYGOTE = "facts", "zygote"
WRITTEN = Path("/etc/stepmark-image.json")
"""Facts that the image's build wrote."""
COMMIT = "commit.json"
"""The commit of the image's files, in the folder with the package."""


def main() -> None:
    """Do what the first argument says."""
    if sys.argv[1] == FACTS:
        json.dump(facts(), sys.stdout)
    else:
        become_zygote(json.loads(sys.argv[2]))


def facts() -> dict[str, Any]:
    """The interpreter, its search path, and Stepmark's folder and commit.

    `suite` is None without Stepmark.
    """
    spec = importlib.util.find_spec("suite")
    places = map(Path, spec.submodule_search_locations or ()) if spec else ()
    suite = next((one for one in places if (one / "zygote.py").is_file()), None)
    top = [str(suite.parent)] if suite else []
    return {
        "python": sys.executable,
        "version": sys.version,
        "suite": str(suite) if suite else None,
        "path": [*top, *(one for one in sys.path if one and one not in top)],
        "image": read_object(WRITTEN),
        "commit": read_object(suite.parent / COMMIT) if suite else {},
    }


def read_object(file: Path) -> dict[str, Any]:
    """A JSON object of a file; empty where there is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def become_zygote(settings: dict[str, Any]) -> None:
    """Connect, and run the zygote in place of this program.

    Args:
        settings: `cores` that its workers may use; `variables` of the environment; `suite`, the package's folder;
            `arguments` of the zygote.
    """
    link = socket.socket(socket.AF_UNIX)
    link.connect(str(Path(__file__).with_name(SOCKET)))
    link.set_inheritable(True)
    os.sched_setaffinity(0, settings["cores"])
    named = {"HOME": "/tmp", "LOGNAME": f"uid{os.getuid()}"}  # noqa: S108 - libraries end without both
    program = [sys.executable, "-P", str(Path(settings["suite"], "zygote.py"))]
    variables = {**named, **os.environ, **settings["variables"]}
    command = [*program, str(link.fileno()), settings["arguments"]]
    os.execve(sys.executable, command, variables)  # noqa: S606 - a list of words, and no shell


if __name__ == "__main__":
    main()
