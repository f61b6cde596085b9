"""Stand-ins for NVIDIA's libraries, built here, and processes that find them in place of a driver."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import FAKES, PROJECT

COMPILER = shutil.which("cc")
LIBRARIES = {"libnvidia-ml.so.1": "nvml_stand_in.c", "libcuda.so.1": "cuda_stand_in.c"}
BUILT_FOR_CUDA = """
import json, os
from suite.machine import cuda
cuda.built_for = lambda: ("cuda", "13.0")  # so that a torch for CPUs alone does not matter
"""


def build(folder: Path) -> Path:
    """Build the libraries in a folder, under the names by which the dynamic linker looks for them."""
    for library, source in LIBRARIES.items():
        command = [str(COMPILER), "-shared", "-fPIC", "-o", str(folder / library), str(FAKES / source)]
        subprocess.run(command, check=True)
    return folder


def environment(library: Path, **variables: str) -> dict[str, str]:
    """The variables of a process with the stand-ins in place of the driver."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUDA_", "NVML_"))}
    return kept | {"LD_LIBRARY_PATH": str(library), **variables}


def answer(library: Path, code: str, **variables: str) -> Any:
    """The JSON that a fresh process prints, whose torch is taken for one built for CUDA."""
    done = subprocess.run(
        [sys.executable, "-c", BUILT_FOR_CUDA + code],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        env=environment(library, **variables),
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
