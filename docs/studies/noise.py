"""`make noise`: two runs of quick in succession, by three ways.

For each way the median over cases of the absolute difference between the two runs' medians is printed, with the root
mean square and the largest: the default plan; one pass, one case at a time with glibc's default allocator; and plain
pytest-benchmark, which calls the same steps in its own process. The medians themselves are appended to
`reports/studies/noise.jsonl`, one line for a run, with the half-widths of their intervals (logs) where there are some.

A second table says how often the two runs differ by no more than their intervals say, the root of the squared
half-widths: as they are, and about the shift that is common to all cases, which is what the machine did between the
runs and in no interval. `PAIRS=10 WAYS=default make noise` takes ten pairs; that table is of all pairs ever kept with
half-widths. Intervals that mean 95 % make it 95 % about the common shift, less some for that shift's own error.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from ways import WAYS, Way, measured, quick_cases, wanted

from suite.analysis.intervals import estimates
from suite.machine.threads import default_threads
from suite.records import RunPlan
from suite.runner.events import CaseDone

RAW = Path(__file__).parents[2] / "reports" / "studies" / "noise.jsonl"

PAIRS = int(os.environ.get("PAIRS", "1"))
Figures = dict[str, tuple[float, float | None]]
"""Case id -> median in seconds, and half-width of the log of its interval."""

PLAIN_TEST = """
import pytest
import torch
from suite.matrix.cases import cases_of
from suite.matrix.profiles import load_profile
from suite.matrix.refusals import refusal
from suite.measuring.modes import TrainingStep

torch.set_num_threads({threads})


CASES = [case for case in cases_of(load_profile("quick")) if not refusal(case)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_step(benchmark, case):
    with TrainingStep(case) as step:
        for _ in range(5):
            step()
        benchmark(step)
"""


def ours(way: Way) -> Figures:
    """Median and half-width by case id of one run of quick."""
    records = [event.record for event in measured(way, quick_cases()) if isinstance(event, CaseDone)]
    return {
        case_id: (known.median, math.log(known.high / known.low) / 2) for case_id, known in estimates(records).items()
    }


def plain() -> Figures:
    """Medians of pytest-benchmark alone in the same time; it gives no intervals."""
    with tempfile.TemporaryDirectory() as name:
        test = Path(name, "test_plain.py")
        test.write_text(PLAIN_TEST.format(threads=default_threads()))
        seconds = f"--benchmark-max-time={RunPlan().case_seconds}"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:stepmark", str(test), seconds]
        subprocess.run([*command, f"--benchmark-json={name}/out.json"], check=True, stdout=subprocess.DEVNULL, cwd=name)
        benchmarks = json.loads(Path(name, "out.json").read_text())["benchmarks"]
    return {one["param"]: (one["stats"]["median"], None) for one in benchmarks}


def kept(title: str, number: str, figures: Figures) -> dict[str, float]:
    """The medians in seconds, once they stand in the study's file."""
    medians = {case_id: one for case_id, (one, _) in figures.items()}
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "way": title, "pair": number, "medians": medians}
    if all(half is not None for _, half in figures.values()):
        line["half_widths"] = {case_id: half for case_id, (_, half) in figures.items()}
    with RAW.open("a") as file:
        file.write(json.dumps(line) + "\n")
    return medians


def main() -> None:
    """Two runs each way, and their differences; then how often intervals held."""
    ways = {title: lambda way=way: ours(way) for title, way in WAYS.items()} | {"plain pytest-benchmark": plain}
    print("| way | cases | median difference | root mean square | largest |\n| --- | --- | --- | --- | --- |")
    for title, measure in wanted(ways).items():
        for _ in range(PAIRS):
            number = datetime.now(UTC).isoformat(timespec="seconds")
            first, second = kept(title, number, measure()), kept(title, number, measure())
            apart = [abs(math.log(second[case] / first[case])) for case in first.keys() & second.keys()]
            rms = math.sqrt(sum(value**2 for value in apart) / len(apart))
            print(f"| {title} | {len(apart)} | {median(apart):.1%} | {rms:.1%} | {max(apart):.1%} |", flush=True)
    print("\n" + "\n".join(agreement([json.loads(line) for line in RAW.read_text().splitlines()])))


def agreement(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Share of differences within their half-widths, by way."""
    pairs: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        if "half_widths" in line:
            pairs[line["way"], line["pair"]].append(line)
    table = [
        "| way | pairs | within the half-widths, as they are | about the common shift | typical half-width |",
        "| --- | --- | --- | --- | --- |",
    ]
    for title in dict.fromkeys(way for way, _ in pairs):
        held: list[bool] = []
        about: list[bool] = []
        widths: list[float] = []
        mine = [two for (way, _), two in pairs.items() if way == title and len(two) == 2]
        for first, second in mine:
            cases = first["medians"].keys() & second["medians"].keys()
            apart = {case: math.log(second["medians"][case] / first["medians"][case]) for case in cases}
            reach = {case: math.hypot(first["half_widths"][case], second["half_widths"][case]) for case in cases}
            shift = median(apart.values())
            held += [abs(apart[case]) <= reach[case] for case in cases]
            about += [abs(apart[case] - shift) <= reach[case] for case in cases]
            widths += [*first["half_widths"].values(), *second["half_widths"].values()]
        if mine:
            table.append(
                f"| {title} | {len(mine)} | {sum(held)} of {len(held)} | {sum(about)} of {len(about)} "
                f"| {median(widths):.2%} |"
            )
    return table


if __name__ == "__main__":
    main()
