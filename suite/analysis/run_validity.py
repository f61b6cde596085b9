"""The doubts about all cases of a run: each by itself, then what the other cases say of two levels and of a trend."""

from __future__ import annotations

from collections.abc import Sequence

from suite.analysis.drift import steadied
from suite.analysis.validity import BIMODAL, CLIMBS, DRIFTING, FALLS, Doubt, bimodal, doubts
from suite.records import LEARN, RunRecord

FEWEST_ALIKE = 2
"""Cases with the same trend, at least, before it is said to be shared."""


def doubts_of(records: Sequence[RunRecord]) -> dict[str, list[Doubt]]:
    """The doubts about each case of a run that has rounds, by case id.

    Two levels that the other cases have at the same moments are the machine's, and no doubt about the case. A trend
    within visits is looked for in rounds as measured: visits begin together, so that a trend of most cases may be that
    of code which they share. The doubt then says so.
    """
    found = {one.case.id: doubts(one.measurement) for one in records if one.measurement}
    levelled = {one.case.id: one.measurement for one in steadied(records) if one.measurement}
    for case_id, doubted in found.items():
        if any(doubt.kind == BIMODAL for doubt in doubted) and not bimodal(levelled[case_id]):
            found[case_id] = [doubt for doubt in doubted if doubt.kind != BIMODAL]
    repeating = [one.case.id for one in records if one.outcome == "measured" and one.case.mode != LEARN]
    return shared_trends({case_id: found[case_id] for case_id in repeating if case_id in found}) | {
        case_id: doubted for case_id, doubted in found.items() if case_id not in repeating
    }


def shared_trends(found: dict[str, list[Doubt]]) -> dict[str, list[Doubt]]:
    """The doubts with a remark on a trend that most cases have."""
    trending = [doubt for doubted in found.values() for doubt in doubted if doubt.kind == DRIFTING]
    for way in (CLIMBS, FALLS):
        alike = sum(way in doubt.text for doubt in trending)
        if alike < FEWEST_ALIKE or 2 * alike <= len(found):
            continue
        remark = (
            f"; so does that of {alike} of the {len(found)} cases of this run: by the machine, or by code that they "
            "share. It is the code if a second run shows it again and a gate against a revision without it finds it"
        )
        found = {
            case_id: [
                Doubt(doubt.kind, doubt.text + remark) if doubt.kind == DRIFTING and way in doubt.text else doubt
                for doubt in doubted
            ]
            for case_id, doubted in found.items()
        }
    return found
