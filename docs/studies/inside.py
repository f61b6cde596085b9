"""`make inside`: step time inside a container against outside, interleaved, as a ratio with its interval.

Each block starts a fresh process on this machine and one in a fresh container, and measures each case in turns,
A B B A, as the gate measures two arms. Both run without raised priority, which a container may not have. The image has
to hold the packages of this environment: `make image` from this checkout makes one.

`BLOCKS=20 make inside ARGS=localhost/stepmark:full` sets how many blocks, and of which image. Each block is kept in
`reports/studies/inside.jsonl` with the two versions of torch; a further sitting adds to it. Blocks of other versions,
or of another image, do not count.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from time import strftime

import numpy as np
from scipy import stats

from suite.gate.arms.arm import Arm, make_ready
from suite.gate.arms.spec import parse
from suite.gate.measuring.block import BlockPlan, GateSetup, measure_block
from suite.gate.measuring.machine_lock import turn
from suite.gate.record.values import CasePair
from suite.matrix.cases import choice_of
from suite.matrix.profiles import load_profile
from suite.records import StepmarkError, WorkerSettings

BLOCKS = int(os.environ.get("BLOCKS") or 20)
IMAGE = sys.argv[1] if len(sys.argv) > 1 else "localhost/stepmark:full"
KEPT = Path("reports/studies/inside.jsonl")
OPTIMIZERS = ("sgd_momentum", "adam")
CASE_SECONDS = 0.3
"""Counted rounds of each side of one case in one block."""
LEVEL = 0.95
WANTED = 0.01
"""The largest difference of all cases on average that is wanted."""


def rows() -> list[CasePair]:
    """Cases of the gate's profile, with two optimizers."""
    cases = [case for case in choice_of(load_profile("gate")).cases if case.optimizer in OPTIMIZERS]
    return [CasePair(case.id, case, case, concurrent=False) for case in cases]


def arms() -> tuple[Arm, Arm]:
    """This machine, and a container of the image."""
    here, folder = Path.cwd(), Path.cwd()
    return make_ready(parse("env:STEPMARK_SIDE=outside"), here, folder), make_ready(
        parse(f"image:{IMAGE}"), here, folder
    )


def torches(setting: GateSetup) -> list[str]:
    """Versions of torch outside and inside.

    Raises:
        StepmarkError: they differ, so that a difference could be theirs.
    """
    found = []
    for launcher in setting.trial_launchers():
        with launcher:
            launcher.start()
            found.append(str(launcher.torch["version"]))
    if found[0] != found[1]:
        raise StepmarkError(
            f"torch is {found[0]} outside and {found[1]} inside; allowed: one version; build the image."
        )
    return found


def measure(setting: GateSetup, number: int, identity: dict[str, object]) -> None:
    """Measure one block and keep its log ratios, inside to outside."""
    plan = BlockPlan(number, "comparison", [(row, ("alternating",)) for row in rows()], CASE_SECONDS, seed=23)
    with turn(print, print):
        block = measure_block(setting, plan)
    ratios = {name: ratio for name, ratio in block.log_ratios.items() if math.isfinite(ratio)}
    reasons = {name: pair.reason for name, pair in block.pairs.items() if pair.reason}
    line = {**identity, "at": strftime("%Y-%m-%dT%H:%M:%SZ"), "block": number, "ratios": ratios, "reasons": reasons}
    with KEPT.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(f"block {number}: {len(ratios)} ratios, {len(reasons)} failures, {block.seconds:.0f} s", flush=True)


def kept(identity: dict[str, object]) -> list[dict[str, float]]:
    """The ratios of each block of the same image and torch."""
    lines = [json.loads(line) for line in KEPT.read_text(encoding="utf-8").splitlines()] if KEPT.exists() else []
    return [line["ratios"] for line in lines if {key: line.get(key) for key in identity} == identity]


def interval(logs: list[float]) -> str:
    """Inside to outside, with its interval, in percent."""
    if len(logs) < 2:
        return f"{len(logs)} block"
    half = stats.t.ppf((1 + LEVEL) / 2, len(logs) - 1) * np.std(logs, ddof=1) / math.sqrt(len(logs))
    low, middle, high = (100 * math.expm1(float(np.mean(logs)) + sign * half) for sign in (-1, 0, 1))
    return f"{middle:+.2f} % ({low:+.2f} to {high:+.2f} %), n = {len(logs)}"


def main() -> int:
    """Measure the blocks that are missing, and print the ratios."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    try:
        outside, inside = arms()
        setting = GateSetup((outside, inside), WorkerSettings(threads=1, priority="normal"), ())
        digest = inside.facts["image"]["config_digest"]
        identity: dict[str, object] = {"torch": torches(setting), "config_digest": digest}
        for number in range(len(kept(identity)), BLOCKS):
            measure(setting, number, identity)
    except StepmarkError as error:
        print(f"inside: {error}", file=sys.stderr)
        return 2
    blocks = kept(identity)
    for name in sorted({name for block in blocks for name in block}):
        print(f"{name:45} {interval([block[name] for block in blocks if name in block])}")
    print(f"{'all cases':45} {interval([float(np.mean(list(block.values()))) for block in blocks if block])}")
    print(f"wanted: within {100 * WANTED:g} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
