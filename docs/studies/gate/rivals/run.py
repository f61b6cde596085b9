"""What other tools say of identical sides and of sides with a known slowdown, in the time that `stepmark gate` takes.

A trial measures the baseline and then the candidate, all cases of each, in a tool's usual way, and asks the tool which
cases are slower. Every trial is a line of `reports/studies/rivals.jsonl`; the study goes on where it was.
`STUDY=short` takes one trial of each rival with identical sides and one with 5 %.
"""

from __future__ import annotations

import os
import random
import tempfile
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import rival_asv
import rival_benchmatrix
import rival_hyperfine
import rival_pyperf
import rival_pytest_benchmark
from rival import Rival  # noqa: TC002 - for the reason of TC001
from steps import cases

from suite.store import LineFile, read_lines

RAW = Path("reports/studies/rivals.jsonl")
TRIAL_S = 100.0
"""What a trial may take, both sides together: what our gate takes for these cases, start-up included."""
ADAPTERS = (rival_pytest_benchmark, rival_pyperf, rival_asv, rival_benchmatrix, rival_hyperfine)
RIVALS = {adapter.RIVAL.name: adapter.RIVAL for adapter in ADAPTERS}


@dataclass(frozen=True)
class Condition:
    """Trials of one kind.

    Attributes:
        wanted: how many trials of each rival the table should have. Set before the first was measured.
        share: of a step by which the victim's are longer in the candidate; 0.0 where the sides are identical.
    """

    name: str
    wanted: int
    share: float = 0.0


CONDITIONS = (
    Condition("identical, 8 cases", 10),
    Condition("one of 8 slower by 3 %", 5, 0.03),
    Condition("one of 8 slower by 5 %", 5, 0.05),
    Condition("one of 8 slower by 10 %", 5, 0.10),
)
SHORT = (Condition("identical, 8 cases", 1), Condition("one of 8 slower by 5 %", 1, 0.05))


def environment_of(slower: str) -> dict[str, str]:
    """The environment of a side, whose steps are slower where a victim and a share are given."""
    mine = {name: value for name, value in os.environ.items() if name != "SLOWER"}
    return mine | {"SLOWER": slower} if slower else mine


def trial(rival: Rival, condition: Condition, victim: str, trial_s: float) -> dict[str, Any]:
    """Measure both sides, one after the other, and ask the rival."""
    slower = f"{victim}={condition.share}" if victim else ""
    sides_s: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        baseline, candidate = Path(name, "baseline"), Path(name, "candidate")
        for folder, environment in ((baseline, environment_of("")), (candidate, environment_of(slower))):
            started_s = monotonic()
            rival.measure(folder, trial_s / 2, environment)
            sides_s.append(round(monotonic() - started_s, 1))
        said = rival.judge(baseline, candidate)
    return {
        "condition": condition.name,
        "victim": victim,
        "share": condition.share,
        "rival": rival.name,
        "version": rival.version,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "trial_s": trial_s,
        "seconds": sum(sides_s),
        "sides_s": sides_s,
        **said,
    }


def due(
    done: Counter[tuple[str, str]], rivals: list[Rival], chance: random.Random
) -> Iterator[tuple[Rival, Condition]]:
    """What lacks most of its trials, again and again until nothing does; chance decides between equals."""
    conditions = SHORT if os.environ.get("STUDY") == "short" else CONDITIONS
    pairs = [(rival, condition) for condition in conditions for rival in rivals]

    def share(pair: tuple[Rival, Condition]) -> float:
        return done[pair[0].name, pair[1].name] / pair[1].wanted

    while lacking := [pair for pair in pairs if share(pair) < 1]:
        yield min(lacking, key=lambda pair: (share(pair), chance.random()))


def options() -> Namespace:
    """The command line."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=TRIAL_S, help="what a trial may take (default: %(default)g)")
    parser.add_argument("--out", type=Path, default=RAW, help="file of trials (default: %(default)s)")
    parser.add_argument("--rivals", nargs="+", choices=RIVALS, default=list(RIVALS), help="all where left out")
    return parser.parse_args()


def main() -> None:
    """Measure what is missing."""
    chosen = options()
    rivals = [RIVALS[name] for name in chosen.rivals]
    for rival in rivals:
        rival.prepare()
    chance = random.Random()  # noqa: S311 - an order
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    file = LineFile(chosen.out)
    done = Counter((one["rival"], one["condition"]) for one in read_lines(chosen.out)[0])
    for rival, condition in due(done, rivals, chance):
        victim = chance.choice(list(cases())) if condition.share else ""
        found = trial(rival, condition, victim, chosen.seconds)
        file.append(found)
        done[rival.name, condition.name] += 1
        alarms = ", ".join(f"{rule}: {len(slower)}" for rule, slower in found["alarms"].items())
        print(f"{found['at']}  {rival.name}  {found['seconds']:4.0f} s  {condition.name}  {alarms}", flush=True)
    file.close()


if __name__ == "__main__":
    main()
