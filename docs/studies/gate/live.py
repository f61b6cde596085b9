"""Live gates of identical arms and of arms with a known slowdown: what `stepmark gate` says of them.

Each trial is a separate `stepmark gate`. Its verdict, and the log ratio of every case and block, is a line of
`reports/studies/gate.jsonl`.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import suite
from dose import counts_of, measured
from parts import Part
from suite.gate.options import seconds_of
from suite.gate.record.store import read_gate
from suite.gate.record.values import GateRecord
from suite.matrix.cases import cases_of
from suite.matrix.profiles import load_profile
from suite.records import StepmarkError
from suite.records.line_file import LineFile

HERE = Path(__file__).parent
RAW = Path("reports/studies/gate.jsonl")
SAME = ("env:WORK=*=0,env:STUDY=baseline", "env:WORK=*=0,env:STUDY=candidate")
"""Arms that differ in a variable that nothing reads. The plug-in is in both, so that its cost is."""

PROTOCOL = 2
"""Of the trials that are measured now; a line that names none is of the first. In the first an injector waited for a
share of the step, its plug-in was in one arm, memory was not read, and rivals measured one side after the other."""
START_S = 150.0
"""Seconds of a trial besides the gate's budget: its start, and the doses measured after it."""
SURROUNDINGS = ("others_cores", "stolen_share")
"""Metrics of `interference` that a trial keeps: cores' worth of time that others used, and the hypervisor."""


@dataclass(frozen=True)
class Condition:
    """Trials of one kind.

    Attributes:
        wanted: how many trials the table should have. Set before the first was measured.
        share: of a step by which the victim's are longer in the candidate; in the baseline where it is negative.
        victims: patterns of case ids, of which each trial draws one; none where the arms are identical.
        options: of `stepmark gate`, besides.
        stage: when it is measured (`Part`).
    """

    name: str
    profile: str
    wanted: int
    budget: str
    share: float = 0.0
    victims: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    stage: int = 1


EIGHT = tuple(
    f"{structure}-{optimizer}-cpu-b32"
    for structure in ("seed_cnn", "mlp_d2w128", "plain_d4w32", "residual_d4w32")
    for optimizer in ("sgd_momentum", "adam")
)
MORE = ("residual_separable_d4w32-rmsprop-cpu-b32", "mobilenet_v3_small-adamw-cpu-b32", *EIGHT)
CONDITIONS = (
    Condition("identical, 8 cases", "eight", 40, "4m", stage=0),
    Condition("one of 8 slower by 5 %", "eight", 20, "4m", 0.05, EIGHT, stage=0),
    Condition("one of 8 slower by 3 %", "eight", 20, "4m", 0.03, EIGHT, stage=0),
    Condition("one of 8 slower by 10 %", "eight", 5, "4m", 0.10, EIGHT, stage=0),
    Condition("one of 8 slower by 2 %", "eight", 10, "10m", 0.02, EIGHT),
    Condition("identical, 24 cases", "twentyfour", 10, "10m"),
    Condition("one of 24 slower by 3 %", "twentyfour", 10, "10m", 0.03, MORE),
    Condition("one of 24 slower by 2 %", "twentyfour", 5, "30m", 0.02, MORE),
    Condition("one of 24 slower by 5 %", "twentyfour", 5, "10m", 0.05, MORE),
    Condition("one of 24 slower by 10 %", "twentyfour", 5, "10m", 0.10, MORE),
    Condition("every adam case of 24 slower by 3 %", "twentyfour", 5, "10m", 0.03, ("*-adam-cpu-b32",)),
    Condition("every adam case of 24 slower by 2 %", "twentyfour", 5, "10m", 0.02, ("*-adam-cpu-b32",)),
    Condition("one of 8 faster by 5 %", "eight", 5, "4m", -0.05, EIGHT),
    Condition("identical, 8 cases on all threads", "eight", 8, "10m", options=("--threads", "2")),
    Condition("one of 8 slower by 3 %, on all threads", "eight", 4, "10m", 0.03, EIGHT, ("--threads", "2")),
    Condition("one of 8 slower by 5 %, on all threads", "eight", 8, "10m", 0.05, EIGHT, ("--threads", "2")),
    Condition("one of 8 slower by 10 %, on all threads", "eight", 4, "10m", 0.10, EIGHT, ("--threads", "2")),
)


def arms_of(condition: Condition, counts: dict[str, int]) -> tuple[str, str]:
    """Both arms; a negative share slows the baseline instead."""
    if not counts:
        return SAME
    slow = f"env:WORK={';'.join(f'{case_id}={count}' for case_id, count in counts.items())},env:STUDY="
    if condition.share > 0:
        return SAME[0], f"{slow}candidate"
    return f"{slow}baseline", SAME[1]


def trial(condition: Condition, victim: str) -> dict[str, Any]:
    """Run one gate of a condition, then measure what its doses were."""
    threads = int(dict(pairwise(condition.options)).get("--threads", 1))
    named = cases_of(load_profile(condition.profile, HERE / "profiles.toml"))
    slowed = [case.id for case in named if victim and fnmatchcase(case.id, victim)]
    counts = counts_of(slowed, condition.share, threads)
    options = ("--profile", condition.profile, "--budget", condition.budget, *condition.options)
    said = gated(arms_of(condition, counts), *options)
    return {
        "protocol": PROTOCOL,
        "condition": condition.name,
        "victim": victim,
        "share": condition.share,
        "doses": measured(counts, threads),
        **said,
    }


def gated(arms: tuple[str, str], *options: str) -> dict[str, Any]:
    """Run one gate and condense what it left."""
    with tempfile.TemporaryDirectory() as folder:
        out, started_s = Path(folder) / "gate", monotonic()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "suite.cli", "gate", "--baseline", arms[0], "--candidate", arms[1]),
                *("--profiles", str(HERE / "profiles.toml"), "--out", str(out), *options),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 10, 11):
            raise StepmarkError(f"a gate ended with {done.returncode}: {done.stderr.strip()}")
        wall_s = monotonic() - started_s
        gate, verdict = read_gate(out), json.loads((out / "verdict.json").read_text())
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "exit_code": done.returncode,
        "seconds": gate.seconds,
        "wall_s": wall_s,
        "seed": gate.planned.seed,
        "verdict": {
            key: verdict[key] for key in ("cases", "levels", "culprits", "control_alarm", "noise", "discarded")
        },
        "comparison": [told(block.log_ratios) for block in gate.of("comparison")],
        "control": [told(block.log_ratios) for block in gate.of("control")],
        "surroundings": surroundings(gate),
        "stepmark": suite.__version__,
        "revision": gate.planned.arms["baseline"]["revision"],
    }


def surroundings(gate: GateRecord) -> dict[str, float]:
    """Load of other processes, median over the blocks."""
    found: dict[str, list[float]] = {}
    for block in gate.of("comparison"):
        for series in block.surroundings:
            found.setdefault(series.metric.name, []).extend(series.values)
    return {name: median(found[name]) for name in SURROUNDINGS if name in found}


def told(ratios: dict[str, float]) -> dict[str, float | None]:
    """Ratios as JSON has them: None where a block has none."""
    return {case: ratio if math.isfinite(ratio) else None for case, ratio in ratios.items()}


def trials() -> list[dict[str, Any]]:
    """Lines measured so far, in order."""
    return [json.loads(line) for line in RAW.read_text().splitlines()] if RAW.exists() else []


def protocol_of(line: dict[str, Any]) -> int:
    """The protocol of a trial."""
    return int(line.get("protocol", 1))


def parts() -> list[Part]:
    """Every condition, with as many trials as there are."""
    done = Counter(one["condition"] for one in trials() if protocol_of(one) == PROTOCOL)
    return [
        Part(one.stage, one.wanted, done[one.name], seconds_of(one.budget) + START_S, partial(one_more, one))
        for one in CONDITIONS
    ]


def one_more(condition: Condition) -> str:
    """Run and keep one trial."""
    victim = random.choice(condition.victims) if condition.victims else ""  # noqa: S311 - a draw
    found = trial(condition, victim)
    keep(RAW, found)
    return f"exit {found['exit_code']:2}  {found['seconds']:4.0f} s  {condition.name}"


def keep(path: Path, line: dict[str, Any]) -> None:
    """Append a line to a file of trials."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = LineFile(path)
    file.append(line)
    file.close()
