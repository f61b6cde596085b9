"""pytest-benchmark: one pytest run a side, judged as `--benchmark-compare-fail` does.

Its defaults (calibrated rounds, no warm-up on CPython, garbage collection on), but for `--benchmark-max-time`, which
shares out the time. The change is that of medians; rules use means, medians and minima.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rivals.rival import HERE, Judgement, Rival, Setting, answer, run
from rivals.steps import cases

START_S = 4.0
"""Until the first case: pytest, torch, and pytest-benchmark's look at the CPU."""
CASE_S = 0.15
"""Before a case is timed: its network, its first steps, and calibration."""
LEAST_S = 0.1
"""What a case is timed for at least."""
RULES = tuple(f"{statistic}:{percent}%" for statistic in ("mean", "median", "min") for percent in (5, 10))
"""Values of `--benchmark-compare-fail`."""
RIVAL = Rival(
    "pytest-benchmark",
    "5.3.1",
    Path(__file__),
    (
        Setting("processes a side", "1", "1"),
        Setting("seconds a case", "1", "some 5.6"),
        Setting("warm-up rounds", "`--benchmark-warmup`, off by default", "off; 3 steps before the first round"),
    ),
    {rule: rule.partition(":")[0] for rule in RULES},
)


def measure(folder: Path, seconds: float) -> None:
    """One pytest run over all cases."""
    case_s = max(LEAST_S, (seconds - START_S) / len(cases()) - CASE_S)
    run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(folder)),
            *("-p", "no:stepmark", "-p", "no:cacheprovider", str(HERE / "measured" / "test_pytest_benchmark.py")),
            *(f"--benchmark-max-time={case_s}", f"--benchmark-json={folder / 'run.json'}"),
        ]
    )


def statistics(folder: Path) -> dict[str, dict[str, float]]:
    """What was found of each case, by statistic, in seconds."""
    return {one["param"]: one["stats"] for one in json.loads((folder / "run.json").read_text())["benchmarks"]}


def judge(baseline: Path, candidate: Path) -> Judgement:
    """What each rule would have failed."""
    from pytest_benchmark.utils import parse_compare_fail

    before, after = statistics(baseline), statistics(candidate)
    changes = {
        statistic: {case_id: after[case_id][statistic] / before[case_id][statistic] - 1 for case_id in before}
        for statistic in ("median", "mean", "min")
    }
    alarms = {
        rule: [case_id for case_id in before if parse_compare_fail(rule).fails(after[case_id], before[case_id])]
        for rule in RULES
    }
    return Judgement(changes.pop("median"), alarms, changes)


if __name__ == "__main__":
    answer(measure, judge)
