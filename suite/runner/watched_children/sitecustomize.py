"""Watches a Python process that a step of a gate starts.

Python imports a module of this name when it starts. Another one on the search path is imported afterwards, as it would
be without this one. Python does not look here with `-I` or `-E`.
"""

import importlib
import importlib.util
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
WITNESS = os.path.join(os.path.dirname(HERE), "import_witness.py")


def watch() -> None:
    """Watch this process as the worker that started it is watched."""
    settings = os.environ.get("STEPMARK_WATCHED")
    spec = importlib.util.spec_from_file_location("stepmark_import_witness", WITNESS)
    if settings and spec and spec.loader:
        witness = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(witness)
        witness.watch_child(json.loads(settings))


def make_room() -> None:
    """Import the environment's own module of this name, if it has one."""
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) != HERE]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        importlib.import_module("sitecustomize")
    except ImportError:
        if ours is not None:
            sys.modules["sitecustomize"] = ours


watch()
make_room()
