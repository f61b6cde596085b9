"""What the gate's study has gathered, as tables: what was wanted, live gates, rivals, dealt blocks, real changes."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import median
from typing import Any

import organic
from live import CONDITIONS, Condition, trials
from redealt import OUT, limits
from rivals import trials as rivals
from suite.gate.formats.figures import limit, percent
from suite.units import duration

Trial = dict[str, Any]
MANY = 200
"""Trials from which limits are told to a tenth of a percent."""
GATE, GATE_RULE = "stepmark gate", "regression"


@dataclass(frozen=True)
class Table:
    """A table as text: a heading, what to know of it, names of columns, rows."""

    caption: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Said:
    """What a rule of a tool said of one trial with eight cases.

    Attributes:
        share: of a step by which one case is slower; 0.0 where the sides are identical.
        is_hit: whether the slower case was called so.
        is_false: whether another was.
    """

    tool: str
    rule: str
    share: float
    is_hit: bool
    is_false: bool


def of(count: int, total: int) -> str:
    """A count with the share's limits at 95 %."""
    if not total:
        return "none measured"
    low, high = limits(count, total)
    digits = 1 if total >= MANY else 0
    return f"{count} of {total} ({100 * low:.{digits}f} to {100 * high:.{digits}f} %)"


def count_of(flags: Iterable[bool]) -> str:
    """Likewise, of truths."""
    told = list(flags)
    return of(sum(told), len(told))


def by_condition() -> dict[str, list[Trial]]:
    """Live gates by the name of their condition."""
    found = defaultdict(list)
    for trial in trials():
        found[trial["condition"]].append(trial)
    return found


def is_hit(condition: Condition, trial: Trial) -> bool:
    """Whether what was changed was told as what it is, and the control did not void that."""
    if trial["verdict"]["control_alarm"]:
        return False
    wanted = "regression" if condition.share > 0 else "improvement"
    told = [*trial["verdict"]["cases"], *trial["verdict"]["levels"]]
    if "*" in trial["victim"]:
        return any(one["verdict"] == wanted and one["name"].startswith("optimizer adam") for one in told) and (
            condition.share < 0 or "optimizer adam" in trial["verdict"]["culprits"]
        )
    return any(one["verdict"] == wanted and one["name"] == trial["victim"] for one in told)


def is_false(condition: Condition, trial: Trial) -> bool:
    """Whether a case was called slower that was not changed."""
    slowed = [one["name"] for one in trial["verdict"]["cases"] if one["verdict"] == "regression"]
    if not condition.victims:
        return bool(trial["exit_code"] == 10)
    return any(condition.share < 0 or not fnmatchcase(name, trial["victim"]) for name in slowed)


def is_passed(trial: Trial) -> bool:
    """Whether what was changed was called unchanged."""
    return any(
        one["verdict"] == "no change" and fnmatchcase(one["name"], trial["victim"]) for one in trial["verdict"]["cases"]
    )


def error_of(changes: Iterable[float]) -> str:
    """Root mean square of the logs of changes."""
    logs = [math.log1p(one) for one in changes]
    return f"{100 * math.sqrt(sum(one * one for one in logs) / len(logs)):.2g} %" if logs else "–"


def unchanged(found: Sequence[Trial]) -> Iterator[float]:
    """Changes that live gates told of cases that were not changed."""
    for trial in found:
        for one in trial["verdict"]["cases"]:
            if one["change"] is not None and not fnmatchcase(one["name"], trial["victim"]):
                yield one["change"]


def live_table() -> Table:
    """Live gates, by condition."""
    measured = by_condition()
    rows = []
    for condition in CONDITIONS:
        found = measured[condition.name]
        seconds = [trial["seconds"] for trial in found]
        rows.append(
            (
                condition.name,
                f"{len(found)} of {condition.wanted}",
                count_of(is_hit(condition, one) for one in found) if condition.victims and found else "",
                count_of(is_false(condition, one) for one in found) if found else "",
                str(sum(trial["exit_code"] == 11 for trial in found)) if found else "",
                error_of(unchanged(found)),
                f"{duration(median(seconds))}, {duration(max(seconds))}" if found else "",
            )
        )
    return Table(
        "Live gates",
        "Each a whole gate of its own. False alarm: a case is called slower that is not. Error: root mean square "
        "over unchanged cases. Limits at 95 %, by Clopper and Pearson.",
        ("arms", "trials", "caught", "false alarms", "inconclusive", "error of a case", "time: median, longest"),
        tuple(rows),
    )


def dealt() -> dict[str, Any]:
    """What dealing found, by the condition whose blocks were dealt."""
    return dict(json.loads(OUT.read_text())) if OUT.exists() else {}


def dealt_table() -> Table:
    """Dealt blocks, by what is slower."""
    rows = [
        (
            f"{condition}: {kept['blocks']} blocks",
            f"{one['where']} by {limit(one['effect'])}" if one["effect"] else one["where"],
            of(one["caught"], one["gates"]) if one["effect"] > 0.01 else "",
            of(one["alarms"], one["gates"]),
            of(one["passed"], one["gates"]) if one["effect"] > 0 else "",
            f"{one['blocks']:.0f}",
        )
        for condition, kept in dealt().items()
        for one in kept["gates"]
    ]
    return Table(
        "Blocks dealt anew",
        "Blocks of live gates of identical arms, drawn with replacement, each with a sign by chance, through the whole "
        "sequential procedure.",
        ("blocks", "slower", "caught", "false alarms", "called no change", "blocks, median"),
        tuple(rows),
    )


def said() -> list[Said]:
    """What each tool said of each trial with eight cases, one of them slower or none."""
    alike = {one.name: one for one in CONDITIONS if one.profile == "eight" and one.share >= 0 and not one.options}
    found = [
        Said(GATE, GATE_RULE, trial["share"], is_hit(condition, trial), is_false(condition, trial))
        for trial in trials()
        if (condition := alike.get(trial["condition"]))
    ]
    for line in rivals.gathered():
        tool = f"{line['rival']} {line['version']}"
        for rule, slowed in line["alarms"].items():
            hit, false = line["victim"] in slowed, any(name != line["victim"] for name in slowed)
            found.append(Said(tool, rule, line["share"], hit, false))
    return found


def rivals_table() -> Table:
    """Every tool and rule: what it raises on identical sides, and what it finds."""
    every = said()
    errors: dict[str, list[float]] = {GATE: list(unchanged(by_condition()["identical, 8 cases"]))}
    for line in rivals.gathered():
        changes = [change for name, change in line["changes"].items() if name != line["victim"] and change is not None]
        errors.setdefault(f"{line['rival']} {line['version']}", []).extend(changes)
    shares = (0.03, 0.05, 0.10)
    rows = []
    for tool, rule in dict.fromkeys((one.tool, one.rule) for one in every):
        own = [one for one in every if (one.tool, one.rule) == (tool, rule)]
        rows.append(
            (
                tool,
                rule,
                count_of(one.is_false for one in own if not one.share),
                *(count_of(one.is_hit for one in own if one.share == share) for share in shares),
                count_of(one.is_false for one in own if one.share),
                error_of(errors[tool]),
            )
        )
    return Table(
        "Beside other tools",
        "The same eight cases on the same machine, in turns in the same hours, some 100 s a trial. Each tool by its "
        "own rule.",
        (
            *("tool", "rule", "identical arms: alarms"),
            *(f"{limit(share)} slower: caught" for share in shares),
            *("with one slower: another is called so", "error of an unchanged case"),
        ),
        tuple(rows),
    )


def organic_table() -> Table:
    """Changes that people make, and what the gate called them: the last gate of each."""
    last = {line["change"]: line for line in organic.gates()}
    rows = []
    for name, line in last.items():
        told = defaultdict(list)
        for one in line["verdict"]["cases"]:
            told[one["metric"], one["verdict"]].append(one)
        rows += [
            (name, metric, verdict, f"{len(cases)} cases", span(cases))
            for (metric, verdict), cases in sorted(told.items())
        ]
    return Table(
        "Changes that people make",
        "One gate each.",
        ("change", "metric", "called", "of", "by"),
        tuple(rows),
    )


def span(cases: Sequence[dict[str, Any]]) -> str:
    """The smallest and the largest change; both counts, where something came of nothing."""
    changes = [one["change"] for one in cases]
    if None in changes:
        return ", ".join(sorted({f"{one['baseline_median']:g} to {one['candidate_median']:g}" for one in cases}))
    low, high = (percent(one, sign=True) for one in (min(changes), max(changes)))
    return low if low == high else f"{low} to {high}"


def aims_table() -> Table:
    """What was wanted before anything was measured, and what was found, live and dealt apart."""
    live, dealt_gates = (
        by_condition(),
        [{**one, "condition": condition} for condition, kept in dealt().items() for one in kept["gates"]],
    )

    def caught(*names: str) -> str:
        return "; ".join(
            f"{one.name}: {count_of(is_hit(one, trial) for trial in live[one.name])}"
            for one in CONDITIONS
            if one.name in names and live[one.name]
        )

    def redealt(what: str, where: str, effect: float) -> str:
        return "; ".join(
            f"{one['condition']}: {of(one[what], one['gates'])}"
            for one in dealt_gates
            if (one["where"], one["effect"]) == (where, effect)
        )

    identical = [trial for one in CONDITIONS if one.name.startswith("identical") for trial in live[one.name]]
    alike = [
        trial for one in CONDITIONS if one.name.startswith("identical") and not one.options for trial in live[one.name]
    ]
    slower = [trial for one in CONDITIONS if one.share >= 0.05 for trial in live[one.name]]
    whole = [trial["seconds"] for one in CONDITIONS if "24" in one.name for trial in live[one.name]]
    rows = (
        (
            "false alarms, suite-wide",
            "<= 1 %",
            count_of(one["exit_code"] == 10 for one in identical),
            redealt("alarms", "nothing", 0.0),
        ),
        ("likewise, every case slower by the tolerance of 1 %", "<= 1 %", "", redealt("alarms", "every case", 0.01)),
        (
            "power, one case slower by 2 %, 30 minutes",
            ">= 95 %",
            caught("one of 8 slower by 2 %", "one of 24 slower by 2 %"),
            redealt("caught", "one case", 0.02),
        ),
        (
            "power, 3 %, 10 minutes",
            ">= 95 %",
            caught("one of 8 slower by 3 %", "one of 24 slower by 3 %"),
            redealt("caught", "one case", 0.03),
        ),
        (
            "power, 5 %",
            ">= 99 %",
            caught("one of 8 slower by 5 %", "one of 24 slower by 5 %"),
            redealt("caught", "one case", 0.05),
        ),
        (
            "power, every case of one optimizer slower by 2 %",
            ">= 95 %",
            caught("every adam case of 24 slower by 2 %"),
            redealt("caught", "one optimizer", 0.02),
        ),
        (
            "false pass, a case slower by the margin of 5 % or more",
            "<= 5 %",
            count_of(map(is_passed, slower)),
            redealt("passed", "one case", 0.05),
        ),
        ("error of the estimate, identical arms", "<= 0.5 %", error_of(unchanged(alike)), ""),
        (
            "time to verdict, 24 cases",
            "<= 10 min",
            f"median {duration(median(whole))}, longest {duration(max(whole))}" if whole else "",
            "",
        ),
    )
    return Table(
        "What was wanted",
        "Set before the first trial.",
        ("figure", "wanted", "live", "dealt anew"),
        rows,
    )


def tables() -> tuple[Table, ...]:
    """All of them, in the order in which a reader asks."""
    return aims_table(), live_table(), rivals_table(), dealt_table(), organic_table()
