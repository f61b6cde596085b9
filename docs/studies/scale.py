"""`make scale`: list and collect 10,000 cases, against as many empty tests."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from suite.provenance.installation import CASES_FOLDER

REPEATS = 5
PROFILE = """
[huge]
structures = ["plain_d4w32", "residual_d4w32", "residual_d8w32", "seed_cnn", "resnet18"]
optimizers = ["sgd", "sgd_momentum", "adam", "adamw", "rmsprop"]
executions = ["cpu"]
batch_sizes = [{sizes}]
"""
BATCH_SIZES = range(1, 401)
"""5 structures x 5 optimizers x 400 batch sizes = 10,000 cases."""
EMPTY = """
import pytest


@pytest.mark.parametrize("number", range(10_000))
def test_nothing(number):
    pass
"""


def main() -> None:
    """Medians of interleaved repeats, and ratios to the empty parametrisation."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "profiles.toml").write_text(PROFILE.format(sizes=", ".join(map(str, BATCH_SIZES))))
        (folder / "test_empty.py").write_text(EMPTY)
        profile = ["--profiles", str(folder / "profiles.toml"), "--profile", "huge"]
        collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
        commands = {
            "empty parametrisation": [*collect, "-p", "no:stepmark", str(folder / "test_empty.py")],
            "pytest --collect-only -q": [*collect, str(CASES_FOLDER), *profile],
            "stepmark list": [sys.executable, "-m", "suite.cli", "list", *profile],
        }
        taken: dict[str, list[float]] = {title: [] for title in commands}
        lines: dict[str, int] = {}
        for _ in range(REPEATS):
            for title, command in commands.items():
                started = perf_counter()
                done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
                taken[title].append(perf_counter() - started)
                lines[title] = len(done.stdout.splitlines())
        empty = median(taken["empty parametrisation"])
        for title, seconds in taken.items():
            print(f"{title:<26} {median(seconds):6.2f} s  ratio {median(seconds) / empty:.2f}  ({lines[title]} lines)")


if __name__ == "__main__":
    main()
