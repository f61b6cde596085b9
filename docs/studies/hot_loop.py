"""`make overhead`, second half: the step time of the suite over that of an uninterrupted hot loop in another process.

Other workers are alive, and take a step each between two turns of the case, as in a run. A repetition starts a worker
and a hot loop anew, since processes differ by where their memory lies, and lets them alternate:

for each repetition of a row:
    suite, hot, hot, suite, ...      bursts of the same wall time; all others wait
    ratio of the two medians         of rounds of as many steps

Printed is the median of the ratios with an interval of 95 % by their order statistics, and how much slower the first,
discarded round of a turn is. Every repetition is appended to `reports/studies/hot_loop.jsonl`; a study that was ended
goes on where it was, and a further one adds nothing until code or interpreter have changed. `make overhead
ARGS=--short` has three repetitions of the rows of 1 and 13 ms. `ROWS='1 ms,loader' THREADS=1` chooses.
"""

from __future__ import annotations

import gc
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from suite.machine.allocators import environment as allocated
from suite.machine.priority import go_first
from suite.machine.threads import default_threads
from suite.matrix.refusals import refusal
from suite.provenance import environment
from suite.records import Case, Plan
from suite.registry import load_levels
from suite.runner.launcher import Launcher
from suite.runner.visit import WARMUP_CHUNK_S, Worker, turn

KEPT = Path("reports/studies/hot_loop.jsonl")
HOT = "--hot"
"""The argument with which this file is the hot loop."""
BURST_S = 0.2
"""Seconds of counted rounds in one burst of either side."""
BURST_ROUNDS = 3
WARM_S = 0.2
"""Seconds in which a hot loop runs before it counts, in each burst."""
BURSTS = 4
"""Of each side in a repetition."""
TURN_S = 0.04
ROUND_S = 0.01
SHORT = 3
"""Repetitions of a short study."""


@dataclass(frozen=True, slots=True)
class Row:
    """A case, and how often it is repeated."""

    case: Case
    repetitions: int = 20


def case_of(structure: str, **changes: Any) -> Case:
    """A case of the CPU with SGD."""
    return Case(structure, "sgd_momentum", **{"execution": "cpu", **changes})


ROWS = {
    "0.1 ms": Row(case_of("mlp_d4w128", mode="infer", batch_size=8, image_size=8)),
    "0.3 ms": Row(case_of("mlp_d1w64", batch_size=4, image_size=8)),
    "1 ms": Row(case_of("mlp_d2w128", batch_size=8)),
    "13 ms": Row(case_of("seed_cnn")),
    "36 ms": Row(case_of("plain_d4w32")),
    "150 ms": Row(case_of("resnet18")),
    "2 s": Row(case_of("resnet18", batch_size=768), 6),
    "compiled": Row(case_of("seed_cnn", tuning="compile"), 8),
    "distributed": Row(case_of("seed_cnn", execution="distributed")),
    "loader": Row(case_of("seed_cnn", input="loader_w0")),
    "loader of two workers": Row(case_of("seed_cnn", input="loader_w2")),
}
"""Named for what a step took on a machine with 2 cores and 2 threads; the table has what it takes here."""
SHORT_ROWS = ("1 ms", "13 ms")
OTHERS = tuple(
    Case(structure, optimizer, "cpu")
    for structure in ("seed_cnn", "plain_d4w32", "residual_d4w32", "mobilenet_v3_small")
    for optimizer in ("adam", "adamw")
)[1:]
"""Workers that take turns with the case, of one step: with it they are as many as a run has side by side."""


class HotLoop:
    """The other process: an uninterrupted loop over the case's step, for a burst at each request."""

    def __init__(self, case: Case, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, HOT, json.dumps(asdict(case)), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=allocated("steady"),
            text=True,
        )
        self.burst(1)

    def burst(self, steps: int) -> list[float]:
        """Seconds of a step, by rounds of so many steps."""
        print(steps, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline() if self._process.stdout else ""
        if not answer:
            raise RuntimeError("the hot loop has ended; see above")
        return list(map(float, json.loads(answer)))

    def end(self) -> None:
        """End the process."""
        self._process.communicate()


def hot() -> None:
    """The hot loop's process: a burst for each line of standard input."""
    import torch

    from suite.measuring.modes import make_step

    go_first()
    load_levels()
    torch.set_num_threads(int(sys.argv[3]))
    with make_step(Case(**json.loads(sys.argv[2]))) as step:
        gc.collect()
        gc.freeze()
        read_s = step.clock.read_s
        for line in sys.stdin:
            rounds: list[float] = []
            began = perf_counter()
            while len(rounds) < BURST_ROUNDS or perf_counter() < began + WARM_S + BURST_S:
                step.rewind()  # as the suite does, now and then: memorised batches are other work
                warm = perf_counter() >= began + WARM_S
                start = read_s()
                for _ in range(int(line)):
                    step()
                spent = (read_s() - start) / int(line)
                rounds += [spent] if warm else []
            step.check()
            print(json.dumps(rounds), flush=True)


@contextmanager
def workers(case: Case, threads: int) -> Iterator[list[Worker]]:
    """The case's worker and the others, which have all made their steps and warmed up."""
    with ExitStack() as stack:
        launcher = stack.enter_context(Launcher(Plan(threads=threads, case_timeout=600.0)))
        made: list[Worker] = [launcher.fork(one) for one in (case, *OTHERS)]
        for worker in made:
            worker.measure(seconds=WARMUP_CHUNK_S, steps_per_round=1, min_rounds=3)
        yield made


def suite_burst(made: list[Worker], steps: int) -> tuple[list[float], list[float]]:
    """First rounds and counted rounds of the case's turns, the others having theirs between; seconds of a step."""
    first: list[float] = []
    counted: list[float] = []
    while sum(counted) * steps < BURST_S or len(counted) < BURST_ROUNDS:
        for other in made[1:]:
            other.measure(seconds=0.0, steps_per_round=1, min_rounds=1)
        warming, rest = turn(made[0], steps, TURN_S)
        first.append(warming[0].values[0])
        counted += rest[0].values
    return first, counted


def repetition(case: Case, threads: int) -> dict[str, float]:
    """Medians of fresh processes of both sides: of the suite's counted and first rounds, and of the hot loop."""
    with workers(case, threads) as made:
        loop = HotLoop(case, threads)
        try:
            per_step = median(made[0].measure(seconds=0.0, steps_per_round=1, min_rounds=5)[0].values[1:])
            steps = max(1, round(ROUND_S / per_step))
            first: list[float] = []
            suite_s: list[float] = []
            hot_s: list[float] = []
            for number in range(2 * BURSTS):
                if number % 4 in (0, 3):  # suite, hot, hot, suite: what drifts one way falls on both
                    firsts, counted = suite_burst(made, steps)
                    first += firsts
                    suite_s += counted
                else:
                    hot_s += loop.burst(steps)
        finally:
            loop.end()
    return {"suite_s": median(suite_s), "first_s": median(first), "hot_s": median(hot_s)}


def interval(values: list[float]) -> tuple[float, float]:
    """Bounds of the median by order statistics, of 95 % or what so few values give."""
    ordered, count = sorted(values), len(values)
    below = 0
    while below + 1 < count / 2 and 2 * sum(math.comb(count, k) for k in range(below + 2)) <= 0.05 * 2**count:
        below += 1
    return ordered[below], ordered[count - 1 - below]


def main() -> None:
    """Measure what is missing, row by row in rotation, and print the table."""
    short = "--short" in sys.argv
    chosen = os.environ.get("ROWS", ",".join(SHORT_ROWS if short else ROWS)).split(",")
    threads = [int(os.environ["THREADS"])] if "THREADS" in os.environ else sorted({1, default_threads()})
    world = world_of()
    load_levels()
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    todo = [(name, count) for name in chosen for count in threads]
    for number in range(max(SHORT if short else ROWS[name].repetitions for name in chosen)):
        for name, count in todo:
            row = ROWS[name]
            done = [line for line in kept(world) if (line["row"], line["threads"]) == (name, count)]
            if len(done) > number or number >= row.repetitions or refusal(row.case):
                continue
            line = {"row": name, "threads": count, **world, **repetition(row.case, count)}
            with KEPT.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{name}, {count} threads, {number + 1}: {line['suite_s'] / line['hot_s'] - 1:+.2%}", flush=True)
    print(", ".join(world.values()))
    print(table(kept(world)))


def world_of() -> dict[str, str]:
    """What repetitions have to have in common: the revision, the interpreter and torch."""
    return {
        "commit": str(environment.commit()["revision"]),
        "python": f"Python {platform.python_version()}",
        "torch": f"torch {metadata.version('torch')}",
    }


def kept(world: dict[str, str]) -> list[dict[str, Any]]:
    """The repetitions of this revision in this interpreter."""
    lines = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    return [line for line in lines if world.items() <= line.items()]


def table(lines: list[dict[str, Any]]) -> str:
    """The ratios of each row."""
    rows = [f"{'step':<22}{'threads':>8}{'n':>4}{'step time':>12}{'suite / hot':>13}  {'95 %':<18}first round"]
    for name in ROWS:
        for count in sorted({line["threads"] for line in lines if line["row"] == name}):
            mine = [line for line in lines if (line["row"], line["threads"]) == (name, count)]
            ratios = [line["suite_s"] / line["hot_s"] for line in mine]
            low, high = interval(ratios)
            first = median(line["first_s"] / line["hot_s"] for line in mine)
            hot_s = median(line["hot_s"] for line in mine)
            rows.append(
                f"{name:<22}{count:>8}{len(mine):>4}{hot_s * 1e3:>9.3f} ms{median(ratios):>13.4f}  "
                f"{f'{low:.4f} to {high:.4f}':<18}{first - 1:+.1%}"
            )
    return "\n".join(rows)


if __name__ == "__main__":
    if HOT in sys.argv:
        hot()
    else:
        main()
