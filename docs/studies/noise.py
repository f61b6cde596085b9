"""`make noise`: two runs of quick one after the other, three ways, with the same seconds per case.

For each way the median over cases of the absolute difference between the two runs' medians is printed, with the root
mean square and the largest: the default plan; one pass, one case at a time with glibc's default allocator; and plain
pytest-benchmark, which calls the same steps in its own process. The medians themselves are appended to
`reports/studies/noise.jsonl`, one line for a run.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from ways import WAYS, wanted

from suite.drift import steadied
from suite.launcher import Launcher
from suite.matrix import cases_of, load_profile, runnable
from suite.records import Plan, RunRecord
from suite.scheduler import Scheduler
from suite.stats import counted, estimate
from suite.threads import default_threads

RAW = Path(__file__).parents[2] / "reports" / "studies" / "noise.jsonl"

PLAIN_TEST = """
import pytest
import torch
from suite.matrix import cases_of, load_profile, runnable
from suite.training import TrainingStep

torch.set_num_threads({threads})


@pytest.mark.parametrize("case", runnable(cases_of(load_profile("quick"))), ids=lambda case: case.id)
def test_step(benchmark, case):
    step = TrainingStep(case)
    for _ in range(5):
        step()
    benchmark(step)
"""


def ours(plan: Plan) -> dict[str, float]:
    """Medians by case id of one run of quick."""
    records: list[RunRecord] = []
    with Launcher(plan) as launcher:
        for progress in Scheduler(plan, launcher).run(runnable(cases_of(load_profile("quick")))):
            if progress.record is not None:
                records.append(progress.record)
    found = {one.case.id: estimate(counted(one.measurement)) for one in steadied(records) if one.measurement}
    return {case_id: one.median if one else math.nan for case_id, one in found.items()}


def plain() -> dict[str, float]:
    """The same from pytest-benchmark alone, with as many seconds a case."""
    with tempfile.TemporaryDirectory() as name:
        test = Path(name, "test_plain.py")
        test.write_text(PLAIN_TEST.format(threads=default_threads()))
        seconds = f"--benchmark-max-time={Plan().case_seconds}"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:stepmark", str(test), seconds]
        subprocess.run([*command, f"--benchmark-json={name}/out.json"], check=True, stdout=subprocess.DEVNULL, cwd=name)
        benchmarks = json.loads(Path(name, "out.json").read_text())["benchmarks"]
    return {one["param"]: one["stats"]["median"] for one in benchmarks}


def kept(title: str, medians: dict[str, float]) -> dict[str, float]:
    """The medians in seconds, once they stand in the study's file."""
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "way": title, "medians": medians}
    with RAW.open("a") as file:
        file.write(json.dumps(line) + "\n")
    return medians


def main() -> None:
    """Two runs each way, and their differences."""
    ways = {title: lambda plan=plan: ours(plan) for title, plan in WAYS.items()} | {"plain pytest-benchmark": plain}
    print("| way | cases | median difference | root mean square | largest |\n| --- | --- | --- | --- | --- |")
    for title, measure in wanted(ways).items():
        first, second = kept(title, measure()), kept(title, measure())
        apart = [abs(math.log(second[case] / first[case])) for case in first.keys() & second.keys()]
        rms = math.sqrt(sum(value**2 for value in apart) / len(apart))
        print(f"| {title} | {len(apart)} | {median(apart):.1%} | {rms:.1%} | {max(apart):.1%} |", flush=True)


if __name__ == "__main__":
    main()
