"""hyperfine: whole commands that run some steps, a rule of 5 % on their means. Not on PyPI: Debian's package.

Starting Python and torch takes some 3 s of each command and is measured with the steps, so that a slower step shows in
a part of the command only. Its default of 10 runs a command does not fit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import mean

from rivals.rival import HERE, ORDER, Judgement, Rival, Setting, Settings, answer, run, turns_of
from rivals.steps import cases, steps_in


class Debian(Rival):
    """A tool of Debian's, unpacked into its environment."""

    def _install(self) -> None:
        run(["apt-get", "download", f"{self.name}={self.version}"], folder=self.folder)
        run(["dpkg-deb", "-x", str(next(self.folder.glob("*.deb"))), str(self.folder)])


RIVAL = Debian(
    "hyperfine",
    "1.15.0-2",
    Path(__file__),
    (
        Setting("runs a command and side", "10 at least", "1"),
        Setting("warm-up runs", "`--warmup`, off by default", "none"),
        Setting("part of a command that is steps", "", "about half, so that a slower step shows by half"),
    ),
)
RUNS = 2
"""Of each command in a turn, after the warm-up."""
WARM_UP_RUNS = 1
START_S = 3.0
"""Of a command, before its first step: Python, torch, and the network."""
LEAST_S = 0.2
"""What the steps of a command take at least."""
RULE, LIMIT = "mean 5%", 0.05


def measure(folder: Path, seconds: float) -> Settings:
    """Every command in turn."""
    steps_s = max(LEAST_S, seconds / len(cases()) / (RUNS + WARM_UP_RUNS) - START_S)
    command = [str(RIVAL.folder / "usr" / "bin" / "hyperfine"), "--runs", str(RUNS)]
    command += ["--warmup", str(WARM_UP_RUNS)]
    for case_id in cases():
        steps = f"{sys.executable} {HERE / 'steps.py'} {case_id} {steps_in(steps_s, case_id)}"
        command += ["--command-name", case_id, steps]
    run([*command, "--export-json", str(folder / "run.json")])
    return {
        "runs a command and side": len(ORDER) // 2 * RUNS,
        "warm-up runs": f"{WARM_UP_RUNS} a turn",
        "part of a command that is steps": round(steps_s / (steps_s + START_S), 2),
    }


def means(folder: Path) -> dict[str, float]:
    """Seconds of each command by case, the mean of all runs of a side."""
    times: dict[str, list[float]] = {}
    for turn in turns_of(folder):
        for one in json.loads((turn / "run.json").read_text())["results"]:
            times.setdefault(one["command"], []).extend(one["times"])
    return {case_id: mean(own) for case_id, own in times.items()}


def judge(baseline: Path, candidate: Path) -> Judgement:
    """Commands whose means are above the limit."""
    before, after = means(baseline), means(candidate)
    changes = {case_id: after[case_id] / before[case_id] - 1 for case_id in before}
    return Judgement(changes, {RULE: [case_id for case_id, change in changes.items() if change > LIMIT]})


if __name__ == "__main__":
    answer(measure, judge)
