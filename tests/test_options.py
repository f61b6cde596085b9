"""A command that is shown makes the run that it is shown for: text and values of all options, both ways."""

import argparse
import shlex
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.machine.allocators import ALLOCATORS
from suite.machine.priority import PRIORITIES
from suite.matrix.profiles import CASES_FOLDER
from suite.options import OPTIONS, PLAN_OPTIONS, as_typed, plan_value
from suite.plugin import resume_command
from suite.records import SURVEYS, Plan, StepmarkError
from suite.report.provenance import command
from suite.runner.settings import settle
from tests.fakes import made_runs

POSITIVE = st.floats(min_value=1e-6, max_value=1e6)
COUNTS = st.integers(1, 10_000)
TYPED = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("passes", "abreast", "threads"), COUNTS.map(str)),
        **dict.fromkeys(("case-seconds", "warmup-seconds", "case-timeout"), POSITIVE.map(repr)),
        "target-precision": POSITIVE.map(repr),
        "allocator": st.sampled_from(list(ALLOCATORS)),
        "priority": st.sampled_from(PRIORITIES),
        "surveys": st.sampled_from(SURVEYS),
        "order-seed": st.integers(0, 2**32 - 1).map(str),
    },
)
"""Options as typed, each given or not."""
PROFILE = """
[{name}]
passes = 7
target_precision = 3.5
case_seconds = 0.7
warmup_seconds = 0.3
"""


def parsed(line: str) -> dict[str, str | None]:
    """The options of a shell command."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    for option in OPTIONS:
        parser.add_argument(f"--{option.name}", dest=option.name)
    found = vars(parser.parse_args(shlex.split(line)))
    del found["words"]
    return found


@pytest.fixture(scope="module")
def profiles(tmp_path_factory) -> Path:
    """A user's profiles in a folder with a space in its name."""
    file = tmp_path_factory.mktemp("my profiles") / "profiles.toml"
    file.write_text(PROFILE.format(name="mine"))
    return file


@given(typed=TYPED, machine=st.tuples(COUNTS, COUNTS))
def test_the_command_to_measure_again_makes_the_same_plan_on_any_machine(profiles, typed, machine):
    first = settle(
        {"profile": "mine", "profiles": str(profiles), **typed}, {"threads": machine[0], "abreast": machine[1]}
    )
    selection = {"profile": first.profile.name, "profiles_file": str(first.profile.file)}
    line = command(made_runs.run([], plan=first.plan, selection=selection), "a-b-cpu")
    again = settle(parsed(line), {"threads": 1, "abreast": 1})
    assert again.plan == first.plan
    assert again.profile == first.profile


def test_every_field_of_a_plan_but_the_shortest_round_has_an_option():
    assert {option.field for option in PLAN_OPTIONS.values()} == {one.name for one in fields(Plan)} - {"round_seconds"}


def test_a_plan_of_defaults_is_written_without_what_is_the_default_everywhere():
    words = as_typed(Plan())
    assert "--allocator" not in words
    assert words[words.index("--passes") + 1] == "3"
    assert "--allocator" in as_typed(replace(Plan(), allocator="default"))


@pytest.mark.parametrize("option", list(PLAN_OPTIONS))
@given(text=st.text(max_size=6))
def test_any_text_is_a_value_or_one_sentence(option, text):
    kind = PLAN_OPTIONS[option].kind
    try:
        value = kind.read(text)
    except ValueError:
        with pytest.raises(StepmarkError, match=f"^--{option} is .*; allowed: "):
            plan_value(option, text)
    else:
        assert plan_value(option, kind.written(value)) == plan_value(option, text)


def test_the_command_after_an_interruption_goes_on_from_where_it_is_shown(monkeypatch, tmp_path):
    folder = Path("my runs") / "first"
    monkeypatch.chdir(tmp_path)
    assert shlex.split(resume_command(folder)) == ["stepmark", "run", "--resume", str(folder)]
    monkeypatch.chdir(CASES_FOLDER.parent)
    assert shlex.split(resume_command(folder)) == ["pytest", "cases", "--resume", str(folder)]
