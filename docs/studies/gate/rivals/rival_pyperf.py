"""pyperf: a runner a case, which starts fresh processes, judged as `pyperf compare_to` does.

Its defaults are 20 processes a case with 3 values of 0.1 s, after one more process that finds how many steps take
0.1 s. A process needs some 3 s before its first step, so that a side would take 9 minutes. What fits is less: the
number of steps is given (pyperf's own option), and the nearest number of processes that there is time for.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rivals.rival import HERE, ORDER, Judgement, Rival, Setting, Settings, answer, run, turns_of
from rivals.steps import cases, steps_in

RIVAL = Rival(
    "pyperf",
    "2.10.0",
    Path(__file__),
    (
        Setting("processes a case and side", "20", "2: its t-test takes their 6 values as independent"),
        Setting("steps of a value", "calibrated by a process more", "given, some 0.1 s"),
        Setting("warm-up values a process", "1", "1"),
    ),
)
PROCESS_S = 3.4
"""What a process takes: torch, the network, and four values of 0.1 s, of which the first warms up."""
VALUE_S = 0.1
"""pyperf's `--min-time`."""
RULES = {"significant": None, "significant, --min-speed 5": 5.0}
"""Options of `compare_to`: a t-test at 5 %, alone or with a smallest difference of means, in percent."""


def measure(folder: Path, seconds: float) -> Settings:
    """One runner after the other; results in one file."""
    processes = max(1, round(seconds / len(cases()) / PROCESS_S))
    for case_id in cases():
        run(
            [
                *(sys.executable, str(HERE / "measured" / "run_pyperf.py"), "--case", case_id, "--quiet"),
                *("--processes", str(processes), "--loops", str(steps_in(VALUE_S, case_id))),
                *("--inherit-environ", "WORK", "--append", str(folder / "run.json")),
            ]
        )
    return {
        "processes a case and side": len(ORDER) // 2 * processes,
        "steps of a value": "given, some 0.1 s",
        "warm-up values a process": 1,
    }


def gathered(side: Path) -> Any:
    """The runs of a side's turns together, as `pyperf run --append` keeps them."""
    from pyperf import BenchmarkSuite

    first, *later = (BenchmarkSuite.load(str(turn / "run.json")) for turn in turns_of(side))
    for one in later:
        first.add_runs(one)
    return first


def judge(baseline: Path, candidate: Path) -> Judgement:
    """Cases that `compare_to` would call slower."""
    from pyperf._compare import CompareData, CompareResult

    before, after = (gathered(side) for side in (baseline, candidate))
    compared = {
        (rule, name): CompareResult(
            CompareData("baseline", before.get_benchmark(name)),
            CompareData("candidate", after.get_benchmark(name)),
            least_percent,
        )
        for rule, least_percent in RULES.items()
        for name in before.get_benchmark_names()
    }
    changes = {name: one.norm_mean - 1 for (_, name), one in compared.items()}
    alarms: dict[str, list[str]] = {rule: [] for rule in RULES}
    for (rule, name), one in compared.items():
        if one.significant and one.norm_mean > 1:
            alarms[rule].append(name)
    return Judgement(changes, alarms)


if __name__ == "__main__":
    answer(measure, judge)
