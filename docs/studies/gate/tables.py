"""What the gate's study has gathered, as a table in Markdown: live trials, dealt blocks and rivals apart.

Printed, and written to `reports/studies/gate.md`.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from live import CONDITIONS, RAW, Condition, trials
from redealt import OUT, limits
from suite.units import duration

RIVALS = RAW.with_name("rivals.jsonl")
PAGE = RAW.with_suffix(".md")


def of(count: int, total: int) -> str:
    """A count with the share's limits at 95 %."""
    low, high = limits(count, total)
    return f"{count} of {total} ({low:.0%} to {high:.0%})"


def is_hit(condition: Condition, trial: dict[str, Any]) -> bool:
    """Whether what was changed was told as what it is."""
    wanted = "regression" if condition.share > 0 else "improvement"
    told = [*trial["verdict"]["cases"], *trial["verdict"]["levels"]]
    if "*" in trial["victim"]:
        return any(one["verdict"] == wanted and one["name"].startswith("optimizer adam") for one in told) and (
            condition.share < 0 or "optimizer adam" in trial["verdict"]["culprits"]
        )
    return any(one["verdict"] == wanted and one["name"] == trial["victim"] for one in told)


def is_false(condition: Condition, trial: dict[str, Any]) -> bool:
    """Whether a case was called slower that was not changed."""
    from fnmatch import fnmatchcase

    slowed = [one["name"] for one in trial["verdict"]["cases"] if one["verdict"] == "regression"]
    if not condition.victims:
        return trial["exit_code"] == 10
    return any(condition.share < 0 or not fnmatchcase(name, trial["victim"]) for name in slowed)


def error_of(found: Sequence[dict[str, Any]]) -> float:
    """Root mean square of the log of the change, over cases that were not changed."""
    logs = [
        math.log1p(one["change"])
        for trial in found
        for one in trial["verdict"]["cases"]
        if one["change"] is not None and one["name"] != trial["victim"] and "*" not in trial["victim"]
    ]
    return math.sqrt(sum(one * one for one in logs) / len(logs)) if logs else math.nan


def live_rows() -> Iterator[str]:
    """Live gates, by condition."""
    by_condition = defaultdict(list)
    for trial in trials():
        by_condition[trial["condition"]].append(trial)
    yield "| live gates | of the wanted | caught | false alarms | not known | error of a case | time to verdict |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for condition in CONDITIONS:
        found = by_condition.get(condition.name, [])
        if not found:
            continue
        hits = sum(is_hit(condition, trial) for trial in found)
        false = sum(is_false(condition, trial) for trial in found)
        unknown = sum(trial["exit_code"] == 11 for trial in found)
        seconds = median(trial["seconds"] for trial in found)
        yield (
            f"| {condition.name} | {len(found)} of {condition.wanted} "
            f"| {of(hits, len(found)) if condition.victims else ''} | {of(false, len(found))} | {unknown} "
            f"| {error_of(found):.2%} | {duration(seconds)} |"
        )


def redealt_rows() -> Iterator[str]:
    """Dealt blocks, by effect."""
    if not OUT.exists():
        return
    yield "| blocks dealt anew | slower | caught | false alarms | called no change | blocks |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for condition, kept in json.loads(OUT.read_text()).items():
        for one in kept["gates"]:
            caught = of(one["caught"], one["gates"]) if one["effect"] else ""
            yield (
                f"| {condition}, {kept['blocks']} live blocks | {one['effect']:.0%} | {caught} "
                f"| {of(one['alarms'], one['gates'])} | {one['passed']} | {one['blocks']:.0f} |"
            )


def rival_rows() -> Iterator[str]:
    """Rivals, by rule and condition."""
    if not RIVALS.exists():
        return
    counts: dict[tuple[str, str], dict[str, list[tuple[bool, bool]]]] = defaultdict(lambda: defaultdict(list))
    errors: dict[str, list[float]] = defaultdict(list)
    for line in map(json.loads, RIVALS.read_text().splitlines()):
        for rule, slowed in line["alarms"].items():
            hit, false = line["victim"] in slowed, any(name != line["victim"] for name in slowed)
            counts[f"{line['rival']} {line['version']}", rule][line["condition"]].append((hit, false))
        changes = [change for name, change in line["changes"].items() if name != line["victim"] and change is not None]
        errors[f"{line['rival']} {line['version']}"] += [math.log1p(one) for one in changes]
    yield "| rival | rule | condition | caught | false alarms | error of a case |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for (rival, rule), by_condition in sorted(counts.items()):
        error = math.sqrt(sum(one * one for one in errors[rival]) / len(errors[rival]))
        for condition, told in sorted(by_condition.items()):
            hits = of(sum(hit for hit, _ in told), len(told)) if not condition.startswith("identical") else ""
            false = of(sum(false for _, false in told), len(told))
            yield f"| {rival} | {rule} | {condition} | {hits} | {false} | {error:.1%} |"


def main() -> None:
    """Print the tables and write them."""
    text = "\n".join([*live_rows(), "", *redealt_rows(), "", *rival_rows()]) + "\n"
    print(text, end="")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
