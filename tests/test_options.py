"""A command that is shown makes the run that it is shown for: text and values of all options, both ways."""

import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.analysis.thresholds import Thresholds, thresholds_of
from suite.cli import main
from suite.errors import ExitCode
from suite.frontend.cli_options import parser
from suite.frontend.pytest_session import resume_command
from suite.gate import options as gate_options
from suite.machine.allocators import ALLOCATORS
from suite.machine.priority import PRIORITIES
from suite.matrix.profiles import load_profile
from suite.options import (
    COMPARE_OPTIONS,
    DOCTOR_OPTIONS,
    GATE_OPTIONS,
    LIST_OPTIONS,
    OPTIONS,
    PLAN_OPTIONS,
    command_options,
    default_texts,
    given_options,
)
from suite.plugin import pytest_addoption
from suite.provenance.installation import CASES_FOLDER
from suite.records import SURVEYS, RunPlan, StepmarkError, WorkerSettings
from suite.report.provenance import command
from suite.runner.settings import resolve_options
from tests.fakes import made_runs

POSITIVE = st.floats(min_value=1e-6, max_value=1e6)
COUNTS = st.integers(1, 10_000)
TYPED = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("passes", "interleave", "threads"), COUNTS.map(str)),
        **dict.fromkeys(("case-seconds", "warmup-seconds", "case-timeout"), POSITIVE.map(repr)),
        "target-precision": POSITIVE.map(repr),
        "allocator": st.sampled_from(list(ALLOCATORS)),
        "priority": st.sampled_from(PRIORITIES),
        "surveys": st.sampled_from(SURVEYS),
        "order-seed": st.integers(0, 2**32 - 1).map(str),
    },
)
"""Options as typed, each given or not."""
STRUCTURES = st.sampled_from(
    [{}, *({"structure": text} for text in ("resnet18", "residual_*,net.py:make", "my nets/net.py:Net,wide=a.b:make"))]
)
PROFILE = """
[{name}]
passes = 7
target_precision = 3.5
case_seconds = 0.7
warmup_seconds = 0.3
"""


def options_of_pytest() -> pytest.Parser:
    """Pytest's own parser with the plug-in's options."""
    parser = pytest.Parser(_ispytest=True)
    pytest_addoption(parser)
    return parser


def parsed(line: str) -> dict[str, str]:
    """The options of a shell command, as pytest reads them."""
    return given_options(options_of_pytest().parse_known_args(shlex.split(line)[1:]), OPTIONS)


@pytest.fixture(scope="module")
def profiles(tmp_path_factory) -> Path:
    """A user's profiles in a folder with a space in its name."""
    file = tmp_path_factory.mktemp("my profiles") / "profiles.toml"
    file.write_text(PROFILE.format(name="mine"))
    return file


@given(typed=TYPED, machine=st.tuples(COUNTS, COUNTS), structures=STRUCTURES)
def test_the_command_to_measure_again_makes_the_same_plan_on_any_machine(profiles, typed, machine, structures):
    typed = {**typed, **structures}
    first = resolve_options(
        {"profile": "mine", "profiles": str(profiles), **typed}, {"threads": machine[0], "abreast": machine[1]}
    )
    selection = {"profile": first.profile.name, "profiles_file": str(first.profile.file)}
    selection |= {"structures": list(first.profile.structures)} if structures else {}
    line = command(made_runs.run([], plan=first.plan, workers=first.workers, selection=selection), "a-b-cpu")
    again = resolve_options(parsed(line), {"threads": 1, "abreast": 1})
    assert (again.plan, again.workers) == (first.plan, first.workers)
    assert again.profile == first.profile


def test_every_field_of_a_plan_but_the_shortest_round_has_an_option():
    settable = {one.name for kind in (RunPlan, WorkerSettings) for one in fields(kind)} - {"round_seconds"}
    assert {option.field for option in PLAN_OPTIONS.values()} == settable


def test_a_plan_of_defaults_is_written_in_full_since_a_configuration_may_have_others():
    words = command_options(RunPlan(), WorkerSettings())
    assert words[::2] == [f"--{name}" for name in PLAN_OPTIONS]
    assert words[words.index("--passes") + 1] == "3"


@pytest.mark.parametrize("name", list(PLAN_OPTIONS))
@given(text=st.text(max_size=6))
def test_any_text_is_a_value_or_one_sentence(name, text):
    option = PLAN_OPTIONS[name]
    try:
        value = option.kind.read(text)
    except ValueError:
        with pytest.raises(StepmarkError, match=f"^--{name} is .*; allowed: "):
            option.parse(text)
    else:
        assert option.parse(option.kind.write(value)) == option.parse(text)


DOORS = {"list": LIST_OPTIONS, "gate": GATE_OPTIONS, "compare": COMPARE_OPTIONS, "doctor": DOCTOR_OPTIONS}


@pytest.mark.parametrize(("command", "option"), [(command, one) for command, own in DOORS.items() for one in own])
def test_each_command_takes_each_of_its_options_by_each_name(command, option):
    needed = ["one", "two"] if command == "compare" else []
    for flag in option.flags:
        options = parser().parse_args([command, *needed, flag, "some text"])
        assert given_options(options, DOORS[command]) == {option.name: "some text"}


def test_an_option_that_may_be_given_several_times_joins_its_texts():
    words = ["--structure", "a.py:one", "--structure=two,three"]
    for found in (options_of_pytest().parse_known_args(words), parser().parse_args(["list", *words])):
        assert given_options(found, LIST_OPTIONS) == {"structure": "a.py:one,two,three"}


def test_pytest_takes_each_option_of_a_run_by_each_name():
    parser = options_of_pytest()
    for option in OPTIONS:
        for flag in option.flags:
            assert given_options(parser.parse_known_args([flag, "some text"]), OPTIONS) == {option.name: "some text"}


@pytest.mark.parametrize("option", [one for one in OPTIONS if one.in_profile])
@pytest.mark.parametrize("text", ["3", "2.5", "0", "-1", '"3"', "true", "nan", "inf", "[3]"])
def test_a_profile_takes_what_the_command_line_takes_by_each_name(tmp_path, option, text):
    for name in (option.name, *option.aliases):
        (tmp_path / "profiles.toml").write_text(f"[mine]\n{name.replace('-', '_')} = {text}\n")
        try:
            expected = {option.field: option.parse(text)}
        except StepmarkError:
            with pytest.raises(StepmarkError, match=f"^profile 'mine': .* allowed: {option.kind.allowed}"):
                load_profile("mine", tmp_path / "profiles.toml")
        else:
            assert load_profile("mine", tmp_path / "profiles.toml").plan == expected


def test_a_profile_that_sets_an_option_by_two_names_is_refused(tmp_path):
    (tmp_path / "profiles.toml").write_text("[mine]\ninterleave = 2\nabreast = 3\n")
    with pytest.raises(StepmarkError, match=r"^profile 'mine' sets interleave twice, once as abreast; "):
        load_profile("mine", tmp_path / "profiles.toml")


def test_an_option_that_two_commands_share_means_the_same_in_both():
    """It has one field and one kind; its default and its text may differ."""
    of_a_run = {one.name: one for one in OPTIONS}
    for option in (*LIST_OPTIONS, *GATE_OPTIONS):
        run = of_a_run.get(option.name, option)
        assert (option.flags, option.dest, option.value, option.kind) == (run.flags, run.dest, run.value, run.kind)


@pytest.mark.parametrize("option", [*OPTIONS, *GATE_OPTIONS, *COMPARE_OPTIONS], ids=lambda option: option.name)
def test_each_default_is_a_value_that_its_option_takes(option):
    if option.default and option.kind:
        assert option.parse(option.default) is not None


def test_the_gate_compares_every_metric_by_default():
    assert tuple(default_texts(GATE_OPTIONS)["metric"].split(",")) == gate_options.METRICS


@pytest.mark.parametrize("options", [GATE_OPTIONS, COMPARE_OPTIONS], ids=["gate", "compare"])
def test_compare_and_gate_have_the_limits_of_the_analysis_by_default(options):
    texts = default_texts(options)
    assert thresholds_of(texts["tolerance"], texts["margin"], texts["alpha"]) == Thresholds()


@pytest.mark.parametrize("extra", [["--budget", "5m"], ["-k", "adam"], ["--out", "there"], ["--baseline", "dir:."]])
def test_a_gate_that_is_resumed_takes_no_other_options(extra, capsys):
    assert main(["gate", "--resume", "here", *extra]) == ExitCode.WRONG_USAGE
    assert capsys.readouterr().err == (
        f"stepmark: {extra[0]} cannot be given with --resume, which keeps the first options; leave {extra[0]} out.\n"
    )


def test_the_command_after_an_interruption_goes_on_from_where_it_is_shown(monkeypatch, tmp_path):
    folder = Path("my runs") / "first"
    monkeypatch.chdir(tmp_path)
    assert shlex.split(resume_command(folder)) == ["stepmark", "run", "--resume", str(folder)]
    monkeypatch.chdir(CASES_FOLDER.parent)
    assert shlex.split(resume_command(folder)) == ["pytest", "cases", "--resume", str(folder)]
