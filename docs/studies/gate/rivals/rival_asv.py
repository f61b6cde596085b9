"""asv: samples taken as `asv run` takes them, compared as `asv compare` and `asv continuous` do.

asv measures commits, which its environments are built from; here both sides are one checkout, so that its command
line is left out and its own code is called: `TimeBenchmark` in a fresh process for each case and round, as its default
`spawn` does, with its defaults (samples of 10 ms, 5 a round, 0.1 s of warm-up), `compute_stats` over all rounds, and
what decides in `compare`. Two rounds are its default, and as many are taken as there is time for.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rivals.rival import HERE, ORDER, Judgement, Rival, Setting, Settings, answer, run, turns_of
from rivals.steps import cases

RIVAL = Rival(
    "asv",
    "0.6.6",
    Path(__file__),
    (
        Setting("rounds a case and side, a process each", "2", "2"),
        Setting("rounds of both sides in turns", "`--interleave-rounds`, off by default", "no"),
        Setting("warm-up a process", "0.1 s", "0.1 s"),
    ),
)
PROCESS_S = 3.3
"""What a process takes, most of which is torch."""
FACTORS = (1.1, 1.05)
"""By how much a result has to be worse: asv's default, and half of it."""


def measure(folder: Path, seconds: float) -> Settings:
    """Every case in every round; later rounds take as many steps a sample as the first."""
    rounds = max(1, round(seconds / len(cases()) / PROCESS_S))
    found: dict[str, dict[str, Any]] = {case_id: {"samples": [], "number": 0} for case_id in cases()}
    script = str(HERE / "measured" / "sample_asv.py")
    for _ in range(rounds):
        for case_id, so_far in found.items():
            more = json.loads(run([sys.executable, script, case_id, str(so_far["number"]), str(rounds)]))
            so_far["samples"] += more["samples"]
            so_far["number"] = more["number"]
    (folder / "run.json").write_text(json.dumps(found))
    return {
        "rounds a case and side, a process each": len(ORDER) // 2 * rounds,
        "rounds of both sides in turns": f"rounds of a side in {len(ORDER) // 2} turns",
        "warm-up a process": "0.1 s",
    }


def results(folder: Path) -> dict[str, tuple[float, tuple[dict[str, Any], list[float]]]]:
    """By case, asv's result in seconds, and its statistics with the samples."""
    from asv_runner.statistics import compute_stats

    samples: dict[str, list[float]] = {}
    numbers: dict[str, int] = {}
    for turn in turns_of(folder):
        for case_id, one in json.loads((turn / "run.json").read_text()).items():
            samples.setdefault(case_id, []).extend(one["samples"])
            numbers[case_id] = one["number"]
    found = {}
    for case_id, own in samples.items():
        result, statistics = compute_stats(own, numbers[case_id])
        found[case_id] = (result, (statistics, own))
    return found


def judge(baseline: Path, candidate: Path) -> Judgement:
    """Cases that `asv compare` would mark with a plus."""
    from asv.commands.compare import _is_result_better

    before, after = results(baseline), results(candidate)
    alarms: dict[str, list[str]] = {f"factor {factor}": [] for factor in FACTORS}
    for factor in FACTORS:
        for case_id, (result, seen) in before.items():
            later, seen_later = after[case_id]
            if _is_result_better(result, later, seen, seen_later, factor):
                alarms[f"factor {factor}"].append(case_id)
    return Judgement({case_id: after[case_id][0] / before[case_id][0] - 1 for case_id in before}, alarms)


if __name__ == "__main__":
    answer(measure, judge)
