"""pytest-benchmark: a pytest run a turn, a side's rounds together, judged as `--benchmark-compare-fail` does.

Its defaults (calibrated rounds, no warm-up on CPython, garbage collection on), but for `--benchmark-max-time`, which
shares out the time. The change is that of medians; rules use means, medians and minima.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rivals.rival import HERE, ORDER, Judgement, Rival, Setting, Settings, answer, run, turns_of
from rivals.steps import cases

START_S = 4.0
"""Until the first case: pytest, torch, and pytest-benchmark's look at the CPU."""
CASE_S = 0.15
"""Before a case is timed: its network, its first steps, and calibration."""
LEAST_S = 0.1
"""What a case is timed for at least."""
STATISTICS = ("mean", "median", "min")
RULES = tuple(f"{statistic}:{percent}%" for statistic in STATISTICS for percent in (5, 10))
"""Values of `--benchmark-compare-fail`."""
TURNS = len(ORDER) // 2
"""Of a side."""
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


def measure(folder: Path, seconds: float) -> Settings:
    """One pytest run over all cases."""
    case_s = max(LEAST_S, (seconds - START_S) / len(cases()) - CASE_S)
    run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(folder)),
            *("-p", "no:stepmark", "-p", "no:cacheprovider", str(HERE / "measured" / "test_pytest_benchmark.py")),
            *(f"--benchmark-max-time={case_s}", f"--benchmark-json={folder / 'run.json'}"),
        ]
    )
    return {
        "processes a side": TURNS,
        "seconds a case": round(TURNS * case_s, 1),
        "warm-up rounds": "off; 3 steps before the first round",
    }


def statistics(folder: Path) -> dict[str, dict[str, float]]:
    """Figures of each case, by statistic, in seconds."""
    from pytest_benchmark.stats import Stats

    found: dict[str, Any] = {}
    for turn in turns_of(folder):
        for one in json.loads((turn / "run.json").read_text())["benchmarks"]:
            rounds = found.setdefault(one["param"], Stats())
            for round_s in one["stats"]["data"]:
                rounds.update(round_s)
    return {case_id: {name: getattr(one, name) for name in STATISTICS} for case_id, one in found.items()}


def judge(baseline: Path, candidate: Path) -> Judgement:
    """Cases that each rule would have failed."""
    from pytest_benchmark.utils import parse_compare_fail

    before, after = statistics(baseline), statistics(candidate)
    changes = {
        statistic: {case_id: after[case_id][statistic] / before[case_id][statistic] - 1 for case_id in before}
        for statistic in STATISTICS
    }
    alarms = {
        rule: [case_id for case_id in before if parse_compare_fail(rule).fails(after[case_id], before[case_id])]
        for rule in RULES
    }
    return Judgement(changes.pop("median"), alarms, changes)


if __name__ == "__main__":
    answer(measure, judge)
