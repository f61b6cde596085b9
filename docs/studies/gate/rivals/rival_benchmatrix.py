"""benchmatrix: `benchmatrix collect-paired`, which its documentation advises for two sides, then `compare --paired`.

Its defaults (the pairs that its schedule needs, 16 for eight cases; BCa bootstrap, Bonferroni over the cases), but for
the metric and for `--benchmark-max-time`, which shares out the time. Of its three metrics single-call latency alone
fits: tail latency takes 110 steps of every case in every run.
A threshold of 1 % joins its default of 5 %, since no slowdown of 5 % or less can be shown to be above 5 %.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rivals.rival import HERE, Environments, Judgement, Rival, Setting, Settings, Sides, answer, run
from rivals.steps import cases


class Paired(Rival):
    """A tool that has both sides' turns in hand itself."""

    def measure(self, sides: Sides, seconds: float, environments: Environments) -> Settings:
        """Measure both sides in pairs; the adapter gets the other side's work in a variable."""
        for side in sides:
            side.mkdir(parents=True)
        both = {**environments[1], BASELINE_WORK: environments[0].get("WORK", "")}
        return self.turn(sides[1], seconds, both)


BASELINE_WORK = "BASELINE_WORK"
RIVAL = Paired(
    "benchmatrix",
    "1.2.1",
    Path(__file__),
    (
        Setting("runs a side", "5 at least", "5"),
        Setting("runs of both sides in pairs", "`collect-paired`, 16 pairs for 8 cases", "no"),
    ),
)
PAIRS = 16
"""What its schedule of eight cases needs: two starts of pytest and torch each."""
START_S = 4.0
"""Of a run, until the first case: pytest, torch, and pytest-benchmark's look at the CPU."""
CASE_S = 0.15
"""Before a case is timed: its network, its first steps, and calibration."""
LEAST_S = 0.1
"""What a case is timed for at least, in a run."""
THRESHOLDS = ("5%", "1%")


def measure(folder: Path, seconds: float) -> Settings:
    """Pairs of runs of both sides."""
    case_s = max(LEAST_S, (seconds / (2 * PAIRS) - START_S) / len(cases()) - CASE_S)
    one_run = (
        *(sys.executable, "-m", "pytest", "--benchmark-only", str(HERE / "measured" / "test_benchmatrix.py")),
        *(f"--benchmark-max-time={case_s}", "-p", "no:stepmark", "-p", "no:cacheprovider"),
        *("-c", "/dev/null", "--rootdir", str(folder)),
    )
    command = [sys.executable, "-m", "benchmatrix", "collect-paired", "--output", str(folder / "pairs")]
    command += ["--", "env", f"WORK={os.environ[BASELINE_WORK]}", *one_run]
    run([*command, ":::", "env", f"WORK={os.environ['WORK']}", *one_run])
    return {"runs a side": PAIRS, "runs of both sides in pairs": "`collect-paired`"}


def judge(_baseline: Path, candidate: Path) -> Judgement:
    """The cells that it calls regressed at each threshold."""
    from benchmatrix import load_comparison_report

    changes: dict[str, float] = {}
    alarms: dict[str, list[str]] = {}
    for threshold in THRESHOLDS:
        command = (sys.executable, "-m", "benchmatrix", "compare", str(candidate / "pairs"), "--paired")
        report = candidate / f"report-{threshold}.json"
        report.write_text(run([*command, "--no-config", "--format", "json", "--threshold", threshold]))
        cells = load_comparison_report(report).comparisons
        changes = {cell.case_name: cell.percent_change / 100 for cell in cells}
        alarms[f"threshold {threshold}"] = [cell.case_name for cell in cells if cell.regression == "regressed"]
    return Judgement(changes, alarms)


if __name__ == "__main__":
    answer(measure, judge)
