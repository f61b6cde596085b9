"""Issues of the cases of a run: each by itself, then compared with the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from suite.analysis.drift import kept_of, without_drift
from suite.analysis.estimates import Kept
from suite.analysis.issue import BIMODAL, CLIMBS, DRIFTING, FALLS, Issue
from suite.analysis.validity import find_two_modes, issues, turns_of_visits
from suite.records import LEARN, RunRecord

FEWEST_ALIKE = 2
"""Cases with the same trend, at least, before it is said to be shared."""


def issues_of_run(records: Sequence[RunRecord], kept: Mapping[str, Kept] | None = None) -> dict[str, list[Issue]]:
    """The issues about each case of a run that has rounds, by case id.

    Two levels that the other cases have at the same moments are the machine's, and no issue about the case. A trend
    within visits is looked for in rounds as measured: visits begin together, so that a trend of most cases may be that
    of code which they share. The issue then says so.

    Args:
        records: all of a run.
        kept: the rounds of each case that count, by id, where the caller has them.
    """
    kept = kept_of(records) if kept is None else kept
    found = {case_id: issues(one.measurement, one) for case_id, one in kept.items()}
    two_levels = [case_id for case_id, concerning in found.items() if any(one.kind == BIMODAL for one in concerning)]
    levelled = {one.case.id: one.measurement for one in without_drift(records, kept)} if two_levels else {}
    for case_id in two_levels:
        measurement = levelled[case_id]
        if measurement is None or not find_two_modes(turns_of_visits(measurement)):
            found[case_id] = [issue for issue in found[case_id] if issue.kind != BIMODAL]
    repeating = {one.case.id for one in records if one.outcome == "measured" and one.case.mode != LEARN}
    judged = {case_id: concerning for case_id, concerning in found.items() if case_id in repeating}
    return found | shared_trends(judged)


def shared_trends(found: dict[str, list[Issue]]) -> dict[str, list[Issue]]:
    """The issues with a remark on a trend that most cases have."""
    trending = [issue for concerning in found.values() for issue in concerning if issue.kind == DRIFTING]
    for way in (CLIMBS, FALLS):
        alike = sum(way in issue.text for issue in trending)
        if alike < FEWEST_ALIKE or 2 * alike <= len(found):
            continue
        remark = (
            f"; so does that of {alike} of the {len(found)} cases of this run: by the machine, or by code that they "
            "share. It is the code if a second run shows it again and a gate against a revision without it finds it"
        )
        found = {
            case_id: [
                Issue(issue.kind, issue.text + remark) if issue.kind == DRIFTING and way in issue.text else issue
                for issue in concerning
            ]
            for case_id, concerning in found.items()
        }
    return found
