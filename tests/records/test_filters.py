"""The filter of cases: each example shows the cases that it should, and each wrong one names what is allowed."""

import json
from contextlib import suppress
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.records import StepmarkError
from suite.records.filters import filter_of, is_like
from tests.conftest import TESTS

EXAMPLES = json.loads((TESTS / "fakes" / "filter_examples.json").read_text(encoding="utf-8"))
CASES = EXAMPLES["cases"]


@pytest.mark.parametrize("example", EXAMPLES["accepted"], ids=lambda example: repr(example["filter"]))
def test_a_filter_shows_the_cases_of_its_example(example):
    found = filter_of(example["filter"])
    assert [place for place, case in enumerate(CASES) if found.matches(case)] == example["shows"]


@pytest.mark.parametrize("example", EXAMPLES["refused"], ids=lambda example: repr(example["filter"]))
def test_a_wrong_filter_is_one_sentence_that_names_what_is_allowed(example):
    with pytest.raises(StepmarkError) as refusal:
        filter_of(example["filter"])
    sentence = str(refusal.value)
    assert all(words in sentence for words in example["says"]), sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")


@given(st.text(st.sampled_from("ab*-:,<>= \t1.msMiB%"), max_size=30))
def test_any_text_is_a_filter_or_one_sentence(text):
    with suppress(StepmarkError):
        found = filter_of(text)
        assert {found.matches(case) for case in CASES} <= {True, False}


@given(st.text("ab", max_size=12), st.text("ab*", max_size=6))
def test_a_pattern_matches_as_fnmatch_does(text, pattern):
    assert is_like(text, pattern) == fnmatchcase(text, pattern)


def test_many_stars_take_no_longer():
    assert not is_like("a" * 10_000, "*a" * 1000 + "b")
