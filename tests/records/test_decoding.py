"""A value that is not of its kind is one sentence: where it stands, the value, and the kind allowed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pytest

from suite.records import Case, Series, Visit
from suite.records.codec import encode_series
from suite.records.decoding import WrongValue, convert, convert_known
from suite.records.rounds import Metric

SERIES = Series(Metric("step_time", "s", "lower", "Seconds."), (0.5, 1))
VISIT = asdict(Visit(0, (1, 2), 3, 1, 0.0, 1.5, 0.5, "time", None, steady=True))
CASE = asdict(Case("mlp", "sgd", "cpu"))


@dataclass(frozen=True)
class Nested:
    """Values within values."""

    visit: Visit | None
    levels: dict[str, tuple[str, ...]]


def test_whole_numbers_among_values_stay_whole() -> None:
    assert [type(value) for value in convert(tuple[Series, ...], encode_series((SERIES,)), "series")[0].values] == [
        float,
        int,
    ]


@pytest.mark.parametrize(
    ("kind", "found", "sentence"),
    [
        (Case, {**CASE, "batch_size": "64"}, "batch_size of it is '64'; allowed: a whole number."),
        (Case, {**CASE, "batch_size": True}, "batch_size of it is True; allowed: a whole number."),
        (Case, [CASE], f"it is {str([CASE])[:59]}…; allowed: an object."),
        (Case, {"structure": "mlp", "optimizer": "sgd"}, "it has no execution."),
        (Case, {**CASE, "colour": 1}, "it has a key 'colour', which this version of stepmark does not know."),
        (Visit, {**VISIT, "turns": [1, 2.5]}, "turns[1] of it is 2.5; allowed: a whole number."),
        (Visit, {**VISIT, "precision": "x"}, "precision of it is 'x'; allowed: a number or null."),
        (Visit, {**VISIT, "stopped_by": "me"}, "stopped_by of it is 'me'; allowed: precision or time or epochs."),
        (Nested, {"visit": {**VISIT, "stopped_by": ""}, "levels": {}}, "allowed: precision or time or epochs."),
        (Nested, {"visit": {**VISIT, "colour": 1}, "levels": {}}, "it has a key 'visit.colour', which "),
        (Visit, {**VISIT, "seconds": 10**400}, f"seconds of it is {str(10**400)[:59]}…; allowed: a smaller number."),
        (Nested, {"visit": None, "levels": {"a": 5}}, "levels[...] of it is of another kind; allowed: a list."),
        (
            tuple[Series, ...],
            [{"metric": {**asdict(SERIES.metric), "better": "big"}, "values": []}],
            "[0].metric.better of it is 'big'; allowed: lower or higher or neither.",
        ),
        (tuple[Series, ...], [{**encode_series((SERIES,))[0], "of": 1}], "it has a key '[0].of', which "),
        (
            tuple[Series, ...],
            [{**encode_series((SERIES,))[0], "values": [1, None]}],
            "[0].values[1] of it is None; allowed: a number.",
        ),
    ],
)
def test_a_value_of_another_kind_is_named_with_what_is_allowed(kind: Any, found: object, sentence: str) -> None:
    with pytest.raises(WrongValue) as error:
        convert(kind, found, "it")
    assert sentence in str(error.value)


def test_a_message_of_a_later_revision_may_have_more_keys() -> None:
    assert convert_known(Visit, {**VISIT, "colour": 1}, "it") == convert(Visit, VISIT, "it")
