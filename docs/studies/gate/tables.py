"""Tables of the gate's study: targets, live gates, dealt blocks, real changes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import organic
from gathered import Study, Trial, dose, error_of, is_false, is_hit, is_passed, unchanged
from live import CONDITIONS, Condition
from redealt import OUT
from shares import LIMITS, count_of, of
from suite.units import duration, percent, percent_as_given

CLOCK = (
    "Seconds are those of the gate's own clock: blocks and controls, with the start of each block's processes. They "
    "leave out the start of the gate itself and the first try of each case"
)
WITHOUT_MEMORY = (
    f"{CLOCK}; and no trial read memory (`--metric step_time`), which a gate does unless it is given that option."
)


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        name: by which a document asks for it.
        caption: its heading.
        note: what to know of it.
        head: names of columns.
        rows: as many cells each.
    """

    name: str
    caption: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def fine(share: float | None, sign: bool = False) -> str:
    """A share in percent to two decimals; a dash where there is none."""
    return "–" if share is None else f"{100 * share:{'+' if sign else ''}.2f} %"


def spread(changes: Iterable[float]) -> str:
    """The median of changes, their range, and how many they are."""
    every = sorted(changes)
    if not every:
        return "–"
    if len(every) == 1:
        return f"{100 * every[0]:.2f} % (n = 1)"
    return f"{100 * median(every):.2f} % ({100 * every[0]:.2f} to {100 * every[-1]:.2f}, n = {len(every)})"


def live_table(study: Study) -> Table:
    """Live gates, by condition."""
    rows = []
    for condition in CONDITIONS:
        found = study.of(condition)
        seconds = [trial["seconds"] for trial in found]
        rows.append(
            (
                condition.name,
                f"{len(found)} of {condition.wanted}",
                spread(change for trial in found for change in dose(trial)) if condition.victims else "",
                count_of(is_hit(condition, one) for one in found) if condition.victims and found else "",
                count_of(is_false(condition, one) for one in found) if found else "",
                str(sum(trial["exit_code"] == 11 for trial in found)) if found else "",
                f"{duration(median(seconds))}, {duration(max(seconds))}" if found else "",
            )
        )
    return Table(
        "live",
        "Live gates",
        "Each a whole gate. The name of a condition is its nominal dose; the measured one is the change that the "
        "gates found in the slower cases. False alarm: a gate in which any case is called slower that is not. "
        f"{LIMITS} {WITHOUT_MEMORY if study.protocol == 1 else CLOCK + '.'}",
        (
            *("arms", "trials", "measured dose: median (range, cases)", "caught", "gates with a false alarm"),
            *("inconclusive", "time: median, longest"),
        ),
        tuple(rows),
    )


def dealt() -> dict[str, Any]:
    """Results of dealing, by the condition whose blocks were dealt."""
    return dict(json.loads(OUT.read_text())) if OUT.exists() else {}


def dealt_table() -> Table:
    """Dealt blocks, by what is slower."""
    rows = [
        (
            f"{condition}: {kept['blocks']} blocks",
            f"{one['where']} by {percent_as_given(one['effect'])}" if one["effect"] else one["where"],
            of(one["caught"], one["gates"]) if one["effect"] > 0.01 else "",
            of(one["alarms"], one["gates"]),
            of(one["passed"], one["gates"]) if one["effect"] > 0 else "",
            f"{one['blocks']:.0f}",
        )
        for condition, kept in dealt().items()
        for one in kept["gates"]
    ]
    return Table(
        "dealt",
        "Blocks dealt anew: a test of the code",
        "Blocks of live gates of identical arms, drawn with replacement from all gates, each with a sign by chance, "
        "through the whole sequential procedure. Signs by chance make the null true, drawing makes blocks "
        "independent, and a slowdown is the same in every block: this tests the procedure's code under an imposed "
        f"null. How often a gate on a machine is wrong, only live gates say. {LIMITS}",
        ("blocks", "slower", "caught", "gates with a false alarm", "called no change", "blocks, median"),
        tuple(rows),
    )


def organic_table() -> Table:
    """Changes that people make, and what the gate called them: the last gate of each."""
    last = {line["change"]: line for line in organic.gates()}
    rows = []
    for name, line in last.items():
        found = defaultdict(list)
        for one in line["verdict"]["cases"]:
            found[one["metric"], one["verdict"]].append(one)
        rows += [
            (name, metric, verdict, f"{len(cases)} cases", span(cases))
            for (metric, verdict), cases in sorted(found.items())
        ]
    return Table(
        "organic",
        "Changes that people make",
        "One gate each, so that a count is 1 of 1.",
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


def is_identical(condition: Condition) -> bool:
    """Whether both arms of a condition are the same."""
    return not condition.victims


def redealt(what: str, where: str, effect: float) -> str:
    """A count of dealt gates, by the condition whose blocks were dealt."""
    return "; ".join(
        f"{name}: {of(one[what], one['gates'])}"
        for name, kept in dealt().items()
        for one in kept["gates"]
        if (one["where"], one["effect"]) == (where, effect)
    )


def caught(study: Study, *names: str) -> str:
    """How many live gates caught what was slower, by condition."""
    return "; ".join(
        f"{one.name}: {count_of(is_hit(one, trial) for trial in study.of(one))}"
        for one in CONDITIONS
        if one.name in names and study.of(one)
    )


def powers(study: Study) -> tuple[tuple[str, str, str, str], ...]:
    """Rows of what was wanted: slowdowns that are found."""
    both = ("one of 8 slower by {} %", "one of 24 slower by {} %")
    return (
        *(
            (
                f"power, one case slower by {share} %{within}",
                f">= {wanted} %",
                caught(study, *(name.format(share) for name in both)),
                redealt("caught", "one case", share / 100),
            )
            for share, within, wanted in ((2, ", 30 minutes", 95), (3, ", 10 minutes", 95), (5, "", 99))
        ),
        (
            "power, every case of one optimizer slower by 2 %",
            ">= 95 %",
            caught(study, "every adam case of 24 slower by 2 %"),
            redealt("caught", "one optimizer", 0.02),
        ),
    )


def aims_table(study: Study) -> Table:
    """Targets from before the first trial, and results, live and dealt apart."""
    identical = [trial for one in CONDITIONS if is_identical(one) for trial in study.of(one)]
    alike = [trial for one in CONDITIONS if is_identical(one) and not one.options for trial in study.of(one)]
    slower = [trial for one in CONDITIONS if one.share >= 0.05 for trial in study.of(one)]
    whole = [trial["seconds"] for one in CONDITIONS if "24" in one.name for trial in study.of(one)]
    rows = (
        (
            "gates with any false alarm",
            "<= 1 %",
            count_of(one["exit_code"] == 10 for one in identical),
            redealt("alarms", "nothing", 0.0),
        ),
        ("the same, every case slower by the tolerance of 1 %", "<= 1 %", "", redealt("alarms", "every case", 0.01)),
        *powers(study),
        (
            "false pass, a case slower by the margin of 5 % or more",
            "<= 5 %",
            count_of(map(is_passed, slower)),
            redealt("passed", "one case", 0.05),
        ),
        ("error of a case, identical arms of one thread", "<= 0.5 %", error_in(alike), ""),
        (
            "time to verdict, 24 cases",
            "<= 10 min",
            f"median {duration(median(whole))}, longest {duration(max(whole))}" if whole else "",
            "",
        ),
    )
    return Table(
        "aims",
        "What was wanted",
        f"Set before the first trial. A limit that is above what was wanted means: not shown. {LIMITS}",
        ("figure", "wanted", "live", "code tested on blocks dealt anew"),
        rows,
    )


def error_in(found: Sequence[Trial]) -> str:
    """The error of a case over gates, with the range of the gates' own."""
    if not found:
        return "–"
    own = sorted(error_of(one["change"] for one in unchanged([trial])) or 0.0 for trial in found)
    whole = error_of(one["change"] for one in unchanged(found))
    return f"{fine(whole)}; of one gate {fine(own[0])} to {fine(own[-1])} (n = {len(found)})"
