"""Results of other tools in the study's trials, by rule; and the settings that those trials denied them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from gathered import Study, Trial, called_slower, error_of, is_hit, is_victim, step_times, unchanged
from live import CONDITIONS, Condition
from rivals import trials as rivals
from rivals.rival import Rival
from shares import LIMITS, count_of, of
from suite.units import percent_as_given
from tables import Table, fine

GATE, GATE_RULE = "stepmark gate", "regression"
SHARES = (0.03, 0.05, 0.10)


@dataclass(frozen=True)
class Said:
    """Result of a tool's rule for one trial with eight cases.

    Attributes:
        share: of a step by which one case is slower; 0.0 where the sides are identical.
        is_hit: whether the slower case was called so.
        wrong: how many others were.
        others: how many others there are.
    """

    tool: str
    rule: str
    share: float
    is_hit: bool
    wrong: int
    others: int


def said(study: Study) -> list[Said]:
    """Results of each tool for each trial with eight cases, one of them slower or none."""
    return [*said_by_gates(study), *said_by_rivals(study)]


def said_by_gates(study: Study) -> Iterator[Said]:
    """The gate's own trials of that kind."""
    for condition in alike():
        for trial in study.of(condition):
            wrong = len(called_slower(condition, trial))
            others = sum(not is_victim(trial, one["name"]) for one in step_times(trial))
            yield Said(GATE, GATE_RULE, trial["share"], is_hit(condition, trial), wrong, others)


def said_by_rivals(study: Study) -> Iterator[Said]:
    """The rivals' trials, rule by rule."""
    for line in study.others:
        others = sum(name != line["victim"] for name in line["changes"])
        for rule, slowed in line["alarms"].items():
            wrong = sum(name != line["victim"] for name in slowed)
            yield Said(tool_of(line), rule, line["share"], line["victim"] in slowed, wrong, others)


def alike() -> list[Condition]:
    """The gate's conditions that rivals have too, and 2 %."""
    return [one for one in CONDITIONS if one.profile == "eight" and one.share >= 0 and not one.options]


def tool_of(line: Trial) -> str:
    """A rival with its version."""
    return f"{line['rival']} {line['version']}"


def errors(study: Study) -> dict[tuple[str, str], list[float]]:
    """By tool and rule, what the statistic that the rule judges was of cases that were not slowed."""
    (identical,) = (one for one in alike() if not one.share)
    found = {(GATE, GATE_RULE): [one["change"] for one in unchanged(study.of(identical))]}
    statistics = {one.name: one.statistics for one in rivals.RIVALS}
    for line in study.others:
        for rule in line["alarms"]:
            statistic = statistics[line["rival"]].get(rule, "")
            changes = line["others"].get(statistic, line["changes"])
            own = found.setdefault((tool_of(line), rule), [])
            own += [change for name, change in changes.items() if name != line["victim"] and change is not None]
    return found


def rivals_table(study: Study) -> Table:
    """Every tool and rule: what it raises without a cause, trial by trial and case by case, and what it finds."""
    every, error = said(study), errors(study)
    rows = []
    for tool, rule in dict.fromkeys((one.tool, one.rule) for one in every):
        own = [one for one in every if (one.tool, one.rule) == (tool, rule)]
        found = error.get((tool, rule), [])
        rows.append(
            (
                tool,
                rule,
                str(len(own)),
                count_of(bool(one.wrong) for one in own),
                of(sum(one.wrong for one in own), sum(one.others for one in own)),
                *(count_of(one.is_hit for one in own if one.share == share) for share in SHARES),
                f"{fine(error_of(found))} (n = {len(found)})",
            )
        )
    return Table(
        "rivals",
        "Other tools",
        "The same eight cases on the same machine, in turns with the gates. The shares by which cases are slower are"
        " nominal. Any case called wrongly: trials in which at least one case that was not slowed is called slower; "
        "per case: such cases among all that were not slowed. Limits of the latter take cases of one trial as "
        "independent, which they are not: they are too narrow. Error: root mean square of the statistic that the "
        "rule judges, over cases that were not slowed; the gate's are of identical arms only, the tools' of all "
        f"trials, where the plug-in adds some 0.5 % to the cases of 1 ms. {LIMITS} The table after this one has what "
        "the tools were denied.",
        (
            *("tool", "rule", "trials", "trials with any case called wrongly", "called wrongly, per case"),
            *(f"{percent_as_given(share)} slower: caught" for share in SHARES),
            "error of a case",
        ),
        tuple(rows),
    )


def denied_table(study: Study) -> Table:
    """Settings of each tool's trials, against its defaults or the advice of its documentation."""
    first = study.protocol == 1
    wanted = sum(one.wanted for one in rivals.CONDITIONS) * len(rivals.RIVALS)
    gates = sum(1 for _ in said_by_gates(study))
    rows = [
        (
            "all",
            "order of the sides",
            "in turns",
            "all of the baseline, then all of the candidate" if first else "A B B A; benchmatrix: pairs by chance",
            "both at once, a core each, swapped before every round",
        ),
        ("all", "seconds a trial", "", seconds_of(study.others), "as its rule of stopping has it"),
        ("all", "trials", f"{wanted} wanted", str(len(study.others)), str(gates)),
        ("all", "allocator, priority of workers", "", "glibc's, normal", "steady, high where allowed"),
    ]
    for rival in rivals.RIVALS:
        rows += [
            (rival.name, one.name, one.advised, one.first if first else recorded(study, rival, one.name), "")
            for one in rival.settings
        ]
    return Table(
        "denied",
        "What the other tools were denied",
        NOTES[min(study.protocol, 2)],
        ("tool", "setting", "default or advice", "in this study", "gate"),
        tuple(rows),
    )


NOTES = {
    1: "The sides were measured one after the other, so that every drift of the machine is in the tools' changes and"
    " in none of the gate's. The table of tools shows what 100 s of each tool gave in this way; it does not tell "
    "the gate's design from the tools'. The 100 s were chosen because the gate takes about as long for these "
    "cases.",
    2: "Settings as each trial recorded them, the median where they differ.",
}


def seconds_of(lines: Sequence[Trial]) -> str:
    """Seconds that trials were given, and that they took."""
    if not lines:
        return "–"
    given = sorted({f"{one['trial_s']:.0f}" for one in lines})
    taken = [one["seconds"] for one in lines]
    return f"{', '.join(given)}; {median(taken):.0f} taken ({min(taken):.0f} to {max(taken):.0f})"


def recorded(study: Study, rival: Rival, name: str) -> str:
    """A setting as trials recorded it."""
    found = [line["settings"][name] for line in study.others if line["rival"] == rival.name]
    if not found:
        return "–"
    return f"{median(found):g}" if all(isinstance(one, int | float) for one in found) else ", ".join(sorted({*found}))
