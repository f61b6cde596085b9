"""benchmatrix: `benchmatrix measure` a side, which runs pytest-benchmark five times, judged by `benchmatrix compare`.

Its defaults (5 runs, BCa bootstrap, Bonferroni over the cases), but for the metric and for `--benchmark-max-time`,
which shares out the time. Of its three metrics single-call latency alone fits: tail latency takes 110 steps of every
case in every run. `collect-paired` does not fit: eight cases need 16 pairs, 32 starts of pytest and torch.
Beside its default threshold of 5 % stands 1 %, since no slowdown of 5 % or less can be shown to be above 5 %.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rivals.rival import HERE, Judgement, Rival, Setting, answer, run
from rivals.steps import cases

RIVAL = Rival(
    "benchmatrix",
    "1.2.1",
    Path(__file__),
    (
        Setting("runs a side", "5 at least", "5"),
        Setting("runs of both sides in pairs", "`collect-paired`, 16 pairs for 8 cases", "no"),
    ),
)
RUNS = 5
"""benchmatrix's default, and the fewest from which it infers anything."""
START_S = 4.0
"""Of a run, until the first case: pytest, torch, and pytest-benchmark's look at the CPU."""
CASE_S = 0.15
"""Before a case is timed: its network, its first steps, and calibration."""
LEAST_S = 0.1
"""What a case is timed for at least, in a run."""
THRESHOLDS = ("5%", "1%")


def measure(folder: Path, seconds: float) -> None:
    """Five runs."""
    case_s = max(LEAST_S, (seconds / RUNS - START_S) / len(cases()) - CASE_S)
    run(
        [
            *(sys.executable, "-m", "benchmatrix", "measure", "--runs", str(RUNS), "--output", str(folder / "runs")),
            *(str(HERE / "measured" / "test_benchmatrix.py"), "--", f"--benchmark-max-time={case_s}"),
            *("-p", "no:stepmark", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(folder)),
        ]
    )


def judge(baseline: Path, candidate: Path) -> Judgement:
    """The cells that it calls regressed at each threshold."""
    from benchmatrix import load_comparison_report

    changes: dict[str, float] = {}
    alarms: dict[str, list[str]] = {}
    for threshold in THRESHOLDS:
        command = (sys.executable, "-m", "benchmatrix", "compare", str(baseline / "runs"), str(candidate / "runs"))
        report = candidate / f"report-{threshold}.json"
        report.write_text(run([*command, "--no-config", "--format", "json", "--threshold", threshold]))
        cells = load_comparison_report(report).comparisons
        changes = {cell.case_name: cell.percent_change / 100 for cell in cells}
        alarms[f"threshold {threshold}"] = [cell.case_name for cell in cells if cell.regression == "regressed"]
    return Judgement(changes, alarms)


if __name__ == "__main__":
    answer(measure, judge)
