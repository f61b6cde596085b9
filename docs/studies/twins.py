"""`make twins`: one network under two names, with a busy core half the time.

For each run and optimizer the difference of the twins' medians is printed; as the suite measures by default, and
with one pass, one case at a time and glibc's default allocator. `RUNS=10 WAYS=default make twins` sets how many runs
and of which way alone; what is measured is kept in `reports/studies/twins.jsonl`, and a further sitting adds to it.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from ways import WAYS, Way, measured, wanted

from suite.analysis.drift import without_drift
from suite.analysis.estimates import estimate, kept_rounds
from suite.matrix.cases import cases_of
from suite.matrix.profiles import load_profile
from suite.provenance import environment
from suite.records import RunRecord
from suite.runner.events import CaseDone

RUNS = int(os.environ.get("RUNS", "10"))
KEPT = Path("reports/studies/twins.jsonl")
OPTIMIZERS = ("sgd_momentum", "adam", "adamw", "rmsprop")
WITHIN = 0.03
LEVELS = """
from suite.registry import STRUCTURES
from suite.levels.structures.generated import generated

for name in ("twin_a", "twin_b"):
    STRUCTURES.register(name)(lambda num_classes, image_size: generated(
        num_classes, image_size, depth=4, width=32, connection="plain"))
"""
PROFILE = """
[quick]
plugins = ["twin_levels"]
structures = ["seed_cnn", "twin_a", "residual_d4w32", "twin_b", "resnet18", "mobilenet_v3_small"]
optimizers = ["sgd_momentum", "adam", "adamw", "rmsprop"]
executions = ["cpu"]
"""
LOAD = """
import os

parent = os.getppid()
while os.getppid() == parent:
    for _ in range(10**6):
        pass
"""
"""A busy loop on one core, which ends with the study however that ends."""


def run(way: Way, folder: Path) -> dict[str, RunRecord]:
    """One run of the profile, with a busy loop in its second half."""
    cases = cases_of(load_profile("quick", folder / "profiles.toml"))
    records: dict[str, RunRecord] = {}
    loads: list[subprocess.Popen[bytes]] = []
    try:
        for progress in measured(way, cases, plugins=("twin_levels",)):
            if progress.share_done >= 0.5 and not loads:
                loads.append(subprocess.Popen([sys.executable, "-c", LOAD]))
            if isinstance(progress, CaseDone):
                records[progress.case.id] = progress.record
    finally:
        for load in loads:
            load.kill()
            load.wait()
    return records


def difference(records: dict[str, RunRecord], optimizer: str) -> float:
    """Log of the ratio of the twins' medians."""
    medians = []
    for twin in ("twin_a", "twin_b"):
        measurement = records[f"{twin}-{optimizer}-cpu"].measurement
        found = estimate(kept_rounds(measurement)) if measurement else None
        medians.append(found.median if found else math.nan)
    return math.log(medians[1] / medians[0])


def main() -> None:
    """Both plans, in turn, then the table over all sittings."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, KEPT.open("a") as kept:
        folder = Path(name)
        (folder / "twin_levels.py").write_text(LEVELS)
        (folder / "profiles.toml").write_text(PROFILE)
        for number in range(RUNS):
            for title, (plan, workers) in wanted(WAYS).items():
                started = monotonic()
                records = run((replace(plan, order_seed=number), workers), folder)
                raw = {one: difference(records, one) for one in OPTIMIZERS}
                read = {record.case.id: record for record in without_drift(records.values())}
                now = {one: difference(read, one) for one in OPTIMIZERS}
                line = {"way": title, "seconds": round(monotonic() - started), "differences": now, "raw": raw}
                line["commit"] = commit()
                kept.write(json.dumps(line) + "\n")
                kept.flush()
                print(f"run {number + 1}, {title}: " + "  ".join(f"{value:+.1%}" for value in now.values()), flush=True)
    kept_lines = [json.loads(line) for line in KEPT.read_text().splitlines()]
    for title in WAYS:
        print_row(title, [line for line in kept_lines if line["way"] == title])


def print_row(title: str, lines: list[dict[str, Any]]) -> None:
    """A way's pairs within the limit, with and without drift, by optimizer and in all."""
    for key in ("differences", "raw") if lines else ():
        each = [f"{within([line[key][one] for line in lines])} of {len(lines)} {one}" for one in OPTIMIZERS]
        pairs = [value for line in lines for value in line[key].values()]
        print(
            f"{title}, {'as read' if key == 'differences' else 'drift left in'}: {len(lines)} runs of "
            f"{median(line['seconds'] for line in lines):.0f} s; within 3 %: {', '.join(each)}, {within(pairs)} of "
            f"{len(pairs)} pairs; median {median(map(abs, pairs)):.1%}, largest {max(map(abs, pairs)):.1%}"
        )


def within(differences: list[float]) -> int:
    """How many are no larger than the limit."""
    return sum(abs(value) <= WITHIN for value in differences)


def commit() -> str:
    """The checkout that is measured."""
    return str(environment.commit()["revision"])


if __name__ == "__main__":
    main()
