"""Effect of the injector on slowed cases and on others, and the error of a case by sitting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, median

from gathered import Study, Trial, conditions, dose, step_times, unchanged
from live import CONDITIONS
from tables import Table, error_in, fine, spread

KINDS = {"of 8 cases": 8, "of 24 cases": 24}


def is_threaded(trial: Trial) -> bool:
    """Whether the cases of a gate ran on all threads."""
    return bool(conditions()[trial["condition"]].options)


def dose_table(study: Study) -> Table:
    """The nominal dose of each condition, and what gates measured of it."""
    rows = []
    for condition in CONDITIONS:
        found = study.of(condition)
        if not condition.victims or not found:
            continue
        measured = sorted(change for trial in found for change in dose(trial))
        others = list(unchanged(found))
        covered = sum(one["low"] <= 0 <= one["high"] for one in others)
        rows.append(
            (
                condition.name,
                fine(condition.share, sign=True),
                fine(median(measured), sign=True),
                f"{fine(measured[0], sign=True)} to {fine(measured[-1], sign=True)}",
                str(len(measured)),
                spread(bare(found)),
                fine(median(one["change"] for one in others), sign=True),
                f"{covered} of {len(others)}",
            )
        )
    return Table(
        "doses",
        "Doses: nominal and measured",
        "The measured dose is the change that the gates found in the cases that were slowed: it has the gate's own "
        f"error. {HOW[min(study.protocol, 2)]} Apart from the gate: bare steps with the work and without it, A B B A, "
        "which the first protocol did not have. The last column counts the other cases whose 95 % interval "
        "has 0 in it.",
        (
            *("arms", "nominal", "median", "range", "cases", "apart from the gate"),
            *("other cases: median", "their intervals with 0"),
        ),
        tuple(rows),
    )


def bare(found: Sequence[Trial]) -> list[float]:
    """Doses as bare steps in a process without the gate had them, trial by trial."""
    return [one["share"] for trial in found for one in trial.get("doses", {}).values()]


HOW = {
    1: "The injector waited until a share of the median step had passed by the clock, and never ended early; and its"
    " plug-in was in the slowed arm only, where it cost every case of that arm. So doses are larger than their "
    "names, and cases that were not slowed are not unchanged.",
    2: "The injector is a fixed number of products of small matrices after each step, and its plug-in is in both arms.",
}


def cost_table(study: Study) -> Table:
    """Cost of the injector's plug-in by itself."""
    rows = []
    for threads in (False, True):
        own = [one for one in study.gates if is_threaded(one) == threads]
        for structure in sorted({name_of(one["name"]) for one in unchanged(own)}):
            changed = [
                math.copysign(1, trial["share"]) * one["change"]
                for trial in own
                if trial["victim"]
                for one in unchanged([trial])
                if name_of(one["name"]) == structure
            ]
            alike = [
                one["change"]
                for one in unchanged(trial for trial in own if not trial["victim"])
                if name_of(one["name"]) == structure
            ]
            rows.append((structure, "all" if threads else "1", *figures(changed), *figures(alike)))
    return Table(
        "plugin",
        "The plug-in by itself",
        "Cases that were not slowed, in gates whose one arm had the plug-in: its cost. Against them the same cases "
        "in gates whose arms were identical.",
        (
            *("structure", "threads", "plug-in in one arm: mean", "median", "cases"),
            *("identical arms: mean", "median", "cases"),
        ),
        tuple(rows),
    )


def name_of(case: str) -> str:
    """The structure of a case."""
    return case.partition("-")[0]


def figures(changes: Sequence[float]) -> tuple[str, str, str]:
    """Mean, median and number of changes."""
    if not changes:
        return "–", "–", "0"
    return fine(mean(changes), sign=True), fine(median(changes), sign=True), str(len(changes))


def error_table(study: Study) -> Table:
    """The error of a case of identical arms, by sitting and kind of gate."""
    rows = []
    for number, sitting in enumerate(study.sittings(), 1):
        identical = [one for one in sitting if not one["victim"]]
        for kind, count in KINDS.items():
            for threads in (False, True):
                found = [one for one in identical if is_threaded(one) == threads and len(step_times(one)) == count]
                if found:
                    rows.append(
                        (
                            f"{number}: {sitting[0]['at'][:16]} to {sitting[-1]['at'][:16]}",
                            f"{kind}, {'all threads' if threads else 'one thread'}",
                            *error_in(found).split("; of one gate "),
                            fine(median(one["verdict"]["noise"] for one in found)),
                        )
                    )
    return Table(
        "errors",
        "Error of a case of identical arms, by sitting",
        "Root mean square of what the gates measured of cases whose arms were identical. It depends on the hour, and"
        " on the machine: one gate of the same arms and 8 cases of one thread, run apart from this study at revision"
        " 77c5f95, had 0.61 %, more than any here; its raw data are not kept. Noise: of one block, as the gate's "
        "verdict has it.",
        ("sitting", "gates", "error of a case", "of one gate: range", "noise, median of gates"),
        tuple(rows),
    )
