"""`make overhead`, second half: step time of the suite over that of a hot loop.

Processes of one step differ by where their memory lies, by more than what is looked for. So two ratios are taken within
a process each, and their product is what the suite adds to a hot loop:

    worker of the suite     its turns, other workers taking a step each in between  /  its rounds without a pause
    a second process        rounds of the suite's recorder                          /  a bare loop over the step

A repetition starts both processes anew and lets the four kinds alternate in bursts of the same wall time, there and
back, while all else waits. Its ratio is the median of those of bursts next to each other, since a shared machine
changes its speed within seconds. The ratio of the turns to the bare loop of the other process is shown as well: it
would show a worker that is slow as a whole, and needs many repetitions to say more.

Printed are medians of the ratios of repetitions, with an interval of 95 % by order statistics, and how much slower the
first, discarded round of a turn is. Every repetition is appended to `reports/studies/hot_loop.jsonl`; a study that was
interrupted goes on where it was, and a further one adds nothing until code or interpreter have changed. A repetition of
a small step takes about 45 s on 2 cores, so the whole study takes hours. `make overhead ARGS=--short` has three
repetitions of the rows of 1 and 13 ms. `STEPS='1 ms,loader' THREADS=1` chooses.
"""

from __future__ import annotations

import gc
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from itertools import accumulate
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from suite.machine.allocators import environment as allocated
from suite.machine.priority import raise_priority
from suite.machine.threads import default_threads
from suite.matrix.refusals import refusal
from suite.provenance import environment
from suite.records import Case, WorkerSettings
from suite.registry import load_levels
from suite.runner.launcher import Launcher
from suite.runner.visit import WARMUP_CHUNK_S, Worker, turn

if TYPE_CHECKING:
    from suite.measuring.recorder import Step

KEPT = Path("reports/studies/hot_loop.jsonl")
HOT = "--hot"
"""The argument with which this file is the hot loop."""
BURST_S = 0.1
"""Seconds of counted rounds in one burst."""
BURST_ROUNDS = 3
WARM_S = 0.1
"""Seconds in which a loop runs before it counts, in each burst."""
BURSTS = 12
"""Of each kind in a repetition; an even number, there and back."""
KINDS = ("turns", "uninterrupted", "recorder", "bare")
"""The first two in the suite's worker, the others in a process that does nothing else."""
TURN_S = 0.04
ROUND_S = 0.01
SHORT = 3
"""Repetitions of a short study."""


@dataclass(frozen=True, slots=True)
class Row:
    """A case, how often it is repeated, and with how many bursts of each kind."""

    case: Case
    repetitions: int = 20
    bursts: int = BURSTS


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
    "2 s": Row(case_of("resnet18", batch_size=768), repetitions=6, bursts=4),
    "compiled": Row(case_of("seed_cnn", tuning="compile"), repetitions=8),
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
    """The other process: on each request, a burst of the case's steps without a pause."""

    def __init__(self, case: Case, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, HOT, json.dumps(asdict(case)), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=allocated("steady"),
            text=True,
        )
        self.burst("bare", 1)

    def burst(self, kind: str, steps: int) -> list[float]:
        """Seconds of a step, by rounds of so many steps."""
        print(kind, steps, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline() if self._process.stdout else ""
        if not answer:
            raise RuntimeError("the hot loop ended early; its own message stands above")
        return list(map(float, json.loads(answer)))

    def end(self) -> None:
        """End the process."""
        self._process.communicate()


def hot() -> None:
    """The hot loop's process: a burst for each line of standard input."""
    import torch

    from suite.measuring.modes import make_step
    from suite.measuring.recorder import record_rounds

    raise_priority()
    load_levels()
    torch.set_num_threads(int(sys.argv[3]))
    with make_step(Case(**json.loads(sys.argv[2]))) as step:
        gc.collect()
        gc.freeze()
        for line in sys.stdin:
            kind, steps = line.split()
            if kind == "bare":
                rounds = bare_rounds(step, int(steps))
            else:
                taken = record_rounds(
                    step, seconds=WARM_S + BURST_S, steps_per_round=int(steps), min_rounds=BURST_ROUNDS
                )
                rounds = list(taken.step_time)
            print(json.dumps(after_warm(rounds, int(steps))), flush=True)


def bare_rounds(step: Step, steps: int) -> list[float]:
    """Seconds of a step, by rounds: nothing but the clock and the step."""
    step.rewind()  # as the suite does, now and then: memorised batches are other work
    read_s = step.clock.read_s
    rounds: list[float] = []
    gc.collect()
    gc.disable()
    deadline = perf_counter() + WARM_S + BURST_S
    while len(rounds) < BURST_ROUNDS or perf_counter() < deadline:
        start = read_s()
        for _ in range(steps):
            step()
        rounds.append((read_s() - start) / steps)
    gc.enable()
    step.check()
    return rounds


def after_warm(rounds: Sequence[float], steps: int) -> list[float]:
    """Rounds that began after `WARM_S` seconds; at least all but the first."""
    ends_s = accumulate(value * steps for value in rounds)
    warming = 1 + sum(end_s < WARM_S for end_s in ends_s)
    return list(rounds[min(warming, len(rounds) - BURST_ROUNDS + 1) :])


@contextmanager
def workers(case: Case, threads: int) -> Iterator[list[Worker]]:
    """The case's worker and the others, which have all made their steps and warmed up."""
    with ExitStack() as stack:
        launcher = stack.enter_context(Launcher(WorkerSettings(threads=threads, case_timeout=600.0)))
        made: list[Worker] = [launcher.fork(one) for one in (case, *OTHERS)]
        for worker in made:
            worker.measure(seconds=WARMUP_CHUNK_S, steps_per_round=1, min_rounds=3)
        yield made


def turns(made: list[Worker], steps: int) -> tuple[list[float], list[float]]:
    """First rounds and kept rounds of the case's turns, in seconds of a step."""
    first: list[float] = []
    counted: list[float] = []
    while sum(counted) * steps < BURST_S or len(counted) < BURST_ROUNDS:
        for other in made[1:]:
            other.measure(seconds=0.0, steps_per_round=1, min_rounds=1)
        warming, rest = turn(made[0], steps, TURN_S)
        first.append(warming.step_time[0])
        counted += rest.step_time
    return first, counted


def uninterrupted(worker: Worker, steps: int) -> list[float]:
    """Rounds of the same worker without a pause; seconds of a step."""
    rounds = worker.measure(seconds=WARM_S + BURST_S, steps_per_round=steps, min_rounds=BURST_ROUNDS)
    return after_warm(rounds.step_time, steps)


def repetition(case: Case, threads: int, bursts: int) -> dict[str, list[float]]:
    """Median seconds of a step in each burst, by kind, with both processes new."""
    taken: dict[str, list[float]] = {f"{kind}_s": [] for kind in (*KINDS, "first")}
    with workers(case, threads) as made:
        loop = HotLoop(case, threads)
        try:
            per_step = median(made[0].measure(seconds=0.0, steps_per_round=1, min_rounds=5).step_time[1:])
            steps = max(1, round(ROUND_S / per_step))
            for number in range(bursts):
                for kind in KINDS if number % 2 == 0 else reversed(KINDS):  # what drifts one way falls on all
                    if kind == "turns":
                        first, counted = turns(made, steps)
                        taken["first_s"].append(median(first))
                    elif kind == "uninterrupted":
                        counted = uninterrupted(made[0], steps)
                    else:
                        counted = loop.burst(kind, steps)
                    taken[f"{kind}_s"].append(median(counted))
        finally:
            loop.end()
    return taken


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
    chosen = os.environ.get("STEPS", ",".join(SHORT_ROWS if short else ROWS)).split(",")
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
            line = {"row": name, "threads": count, **world, **repetition(row.case, count, row.bursts)}
            with KEPT.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{name}, {count} threads, {number + 1}: {added(line) - 1:+.2%}", flush=True)
    print(", ".join(world.values()))
    print(table(kept(world)))


def world_of() -> dict[str, str]:
    """Common facts of repetitions: revision, interpreter and torch."""
    return {
        "commit": str(environment.commit()["revision"]),
        "python": f"Python {platform.python_version()}",
        "torch": f"torch {metadata.version('torch')}",
    }


def kept(world: dict[str, str]) -> list[dict[str, Any]]:
    """The repetitions of this revision in this interpreter."""
    lines = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    return [line for line in lines if world.items() <= line.items()]


def ratio(line: Mapping[str, Any], kind: str, to: str) -> float:
    """The median ratio of two kinds in bursts next to each other."""
    return median(one / other for one, other in zip(line[f"{kind}_s"], line[f"{to}_s"], strict=True))


def added(line: Mapping[str, Any]) -> float:
    """Ratios of the suite to a hot loop: turns, and recorder."""
    return ratio(line, "turns", "uninterrupted") * ratio(line, "recorder", "bare")


RATIOS: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "turns / no pause": lambda line: ratio(line, "turns", "uninterrupted"),
    "recorder / bare": lambda line: ratio(line, "recorder", "bare"),
    "suite / hot loop": added,
    "other process": lambda line: ratio(line, "turns", "bare"),
}
"""Columns of the table; the third is the product of the first two."""


def table(lines: list[dict[str, Any]]) -> str:
    """The ratios of each row."""
    rows = [
        f"{'step':<22}{'threads':>8}{'n':>4}{'step time':>12}"
        + "".join(f"  {name:<23}" for name in RATIOS)
        + "first round"
    ]
    for name in ROWS:
        for count in sorted({line["threads"] for line in lines if line["row"] == name}):
            mine = [line for line in lines if (line["row"], line["threads"]) == (name, count)]
            cells = "".join(f"  {with_interval([column(line) for line in mine]):<23}" for column in RATIOS.values())
            first = median(ratio(line, "first", "turns") for line in mine)
            bare_s = median(second for line in mine for second in line["bare_s"])
            rows.append(f"{name:<22}{count:>8}{len(mine):>4}{bare_s * 1e3:>9.3f} ms{cells}{first - 1:+.1%}")
    return "\n".join(rows)


def with_interval(ratios: list[float]) -> str:
    """A median and its interval."""
    low, high = interval(ratios)
    return f"{median(ratios):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    if HOT in sys.argv:
        hot()
    else:
        main()
