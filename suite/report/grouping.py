"""Cases grouped by a reason that they share."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

ReasonT = TypeVar("ReasonT", bound=Hashable)
MemberT = TypeVar("MemberT")


def by_reason(pairs: Iterable[tuple[ReasonT, MemberT]]) -> list[tuple[ReasonT, list[MemberT]]]:
    """Members of each reason, largest group first."""
    groups: dict[ReasonT, list[MemberT]] = {}
    for reason, member in pairs:
        groups.setdefault(reason, []).append(member)
    return sorted(groups.items(), key=lambda group: -len(group[1]))
