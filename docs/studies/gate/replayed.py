"""The stored blocks of live gates through the present procedure: does it call what those gates called?

A gate stopped where its own procedure was sure; a procedure that needs more blocks than that has its last look there.
The control is left out. Prints, by condition, in how many gates what was slowed is found and anything else is called.
"""

from __future__ import annotations

import math

from gathered import Study, Trial, is_victim, step_times, study
from live import CONDITIONS
from redealt import case_of
from suite.analysis.thresholds import Thresholds
from suite.gate.deciding.attribution import levels_of
from suite.gate.deciding.procedure import Procedure
from suite.gate.record.values import CasePair


def called(trial: Trial) -> dict[str, str]:
    """The verdict on each case and level, by name."""
    names = sorted(one["name"] for one in step_times(trial))
    rows = [CasePair(name, case_of(name), case_of(name), concurrent=True) for name in names]
    procedure = Procedure(names, levels_of(rows), Thresholds(), trial["seed"])
    for block in trial["comparison"]:
        if procedure.open:
            ratios = {name: block.get(name) for name in procedure.open}
            procedure.add({name: math.nan if ratio is None else ratio for name, ratio in ratios.items()})
    procedure.finish()
    return {name: one.verdict for name, one in procedure.decisions.items()}


def found(trial: Trial) -> bool:
    """Whether what was slowed is found: a case of it, or the level that it is."""
    wanted = "regression" if trial["share"] > 0 else "improvement"
    names = {name for name, verdict in called(trial).items() if verdict == wanted}
    if "*" in trial["victim"]:
        return "optimizer adam" in names
    return trial["victim"] in names


def wrong(trial: Trial) -> set[str]:
    """Cases that are called slower and were not slowed; where the baseline was slowed, any case."""
    cases = {one["name"] for one in step_times(trial)}
    slower = {name for name, verdict in called(trial).items() if verdict == "regression" and name in cases}
    return {name for name in slower if trial["share"] <= 0 or not is_victim(trial, name)}


def table(gathered: Study) -> list[tuple[str, int, int, int]]:
    """By condition: gates, gates that find what was slowed, gates that call anything else."""
    rows = []
    for condition in CONDITIONS:
        own = gathered.of(condition)
        hits = sum(map(found, own)) if condition.victims else 0
        rows.append((condition.name, len(own), hits, sum(bool(wrong(one)) for one in own)))
    return rows


def main() -> None:
    """Print the table."""
    for name, gates, hits, falsely in table(study()):
        print(f"{name}: {gates} gates, {hits} find it, {falsely} call anything else")


if __name__ == "__main__":
    main()
