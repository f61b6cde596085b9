"""Which value of an option holds: option, environment variable, profile, file for the command, file, default."""

import shlex
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.configuration.decoding import decoded
from suite.configuration.values import Configuration, naming_places, texts_of, variable_of
from suite.gate.options import options_of
from suite.matrix.profiles import OWN_PROFILES, load_profile
from suite.options import COMMANDS, PLAN_OPTIONS, given_options
from suite.records import StepmarkError
from suite.report.provenance import command as command_again
from suite.runner.settings import resolve_options
from tests.fakes import made_runs

FILE = Path("/project/stepmark.toml")
MACHINE = {"threads": 5, "abreast": 6}
COUNTED = tuple(name for name, option in PLAN_OPTIONS.items() if option.kind and option.kind.in_file is int)
"""Options whose value is a number of which each differs from each other."""
OTHER = {
    "profile": "other",
    "threads": 2,
    "allocator": "default",
    "priority": "normal",
    "surveys": "none",
    "case_timeout": 7,
    "passes": 2000,
    "case_seconds": 7,
    "warmup_seconds": 7,
    "target_precision": 7,
    "interleave": 7,
    "order_seed": 7,
}
"""A configuration that sets each option of a plan to another value than a test does."""
SOURCES = ("option", "environment", "profile", "command", "file")
"""Places that may set an option, the strongest first."""


def made(
    name: str, values: dict[str, int], *, command: str = "run", profile: dict[str, object] | None = None
) -> Configuration:
    """A configuration in which some places set an option."""
    mine = {"structures": ["seed_cnn"], **(profile or {})}
    table: dict[str, object] = {"profile": "mine", "profiles": {"mine": mine}}
    if "file" in values:
        table[name] = values["file"]
    if "command" in values:
        table[command] = {name: values["command"]}
    variables = {variable_of(name): str(values["environment"])} if "environment" in values else {}
    return replace(decoded(FILE, "", table), variables=variables)


@pytest.mark.parametrize("name", COUNTED)
@given(values=st.dictionaries(st.sampled_from(SOURCES), st.integers(1, 1000)))
def test_the_strongest_place_that_sets_an_option_of_a_run_wins(name, values):
    option = PLAN_OPTIONS[name]
    if not option.in_profile:
        values.pop("profile", None)
    in_profile = {name.replace("-", "_"): values["profile"]} if "profile" in values else {}
    configuration = made(name, values, profile=in_profile)
    typed = {name: str(values["option"])} if "option" in values else {}
    settings = resolve_options(typed, MACHINE, configuration)
    held = {**asdict(settings.plan), **asdict(settings.workers)}[option.field]
    if values:
        assert held == next(values[source] for source in SOURCES if source in values)
    elif option.field in MACHINE:
        assert held == MACHINE[option.field]
    elif option.default:
        assert held == option.parse(option.default)


@given(values=st.dictionaries(st.sampled_from([one for one in SOURCES if one != "profile"]), st.integers(1, 1000)))
def test_the_strongest_place_that_sets_an_option_of_a_gate_wins(values):
    configuration = made("order-seed", values, command="gate")
    typed = {"order-seed": str(values["option"])} if "option" in values else {}
    wanted = options_of({"baseline": "rev:main", "candidate": "dir:.", **typed}, configuration)
    if values:
        assert wanted.seed == next(values[source] for source in SOURCES if source in values)
    assert wanted.profile.name == "mine"


@pytest.mark.parametrize("command", list(COMMANDS))
def test_each_variable_sets_its_option_and_an_empty_one_sets_nothing(command):
    for option in COMMANDS[command]:
        for name in option.names:
            found = replace(Configuration(), variables={variable_of(name): "text"}).values_of(command)
            expected = {} if option.is_once else {option.name: "text"}
            assert texts_of(found) == expected
            assert replace(Configuration(), variables={variable_of(name): ""}).values_of(command) == {}


def test_a_variable_of_no_option_is_reported_and_those_of_other_uses_are_not():
    names = ("STEPMARK_PASES", "STEPMARK_PRIVATE", "STEPMARK_PADDING", "STEPMARK_PASSES", "STEPMARK_RECORDS", "OTHER")
    assert replace(Configuration(), variables=dict.fromkeys(names, "1")).unknown_variables() == ["STEPMARK_PASES"]


def test_a_wrong_value_is_refused_by_the_name_of_its_place():
    of_file = made("alpha", {"command": 200}, command="gate")
    of_environment = replace(Configuration(), variables={"STEPMARK_CASE_SECONDS": "none"})
    arms = {"baseline": "rev:main", "candidate": "dir:."}
    with pytest.raises(StepmarkError, match=r"^gate\.alpha of /project/stepmark\.toml is '200'; allowed: "):
        options_of(arms, of_file)
    with pytest.raises(StepmarkError, match=r"^--alpha is '300'; allowed: "):
        options_of({**arms, "alpha": "300"}, of_file)
    with pytest.raises(StepmarkError, match=r"^STEPMARK_CASE_SECONDS is 'none'; allowed: a number of seconds "):
        resolve_options({}, MACHINE, of_environment)


def test_an_error_about_something_else_keeps_its_text():
    with pytest.raises(StepmarkError, match=r"^profile 'huge' is not there\.$"), naming_places({}):
        raise StepmarkError("profile 'huge' is not there.")


# Profiles


@pytest.fixture
def configured(tmp_path):
    """A configuration with a file of profiles and a plug-in."""
    (tmp_path / "bench").mkdir()
    more = '[theirs]\nplugins = ["their_levels"]\npasses = 9\n'
    (tmp_path / "bench" / "more.toml").write_text(f"{more}[quick]\npasses = 8\n")
    file = tmp_path / "stepmark.toml"
    file.write_text('plugins = ["my_levels"]\nprofiles = "bench/more.toml"\n')
    return file


def configuration(file, lines=""):
    from suite.configuration.files import configuration_of

    if lines:
        file.write_text(lines)
    return configuration_of(file)


def test_a_profile_is_looked_for_in_the_file_then_in_its_file_of_profiles_then_among_our_own(configured):
    found = configuration(configured)
    theirs = load_profile("theirs", None, found)
    assert (theirs.plan["passes"], theirs.plugins) == (9, ("my_levels", "their_levels"))
    assert theirs.folders == (configured.parent, configured.parent / "bench")
    assert load_profile("quick", None, found).plan == {"passes": 8}
    assert load_profile("smoke", None, found).levels == load_profile("smoke").levels
    assert load_profile("smoke", None, found).plugins == ("my_levels",)
    with pytest.raises(StepmarkError, match=r"^profile 'no' is not in .*more.toml or .*profiles\.toml; allowed: "):
        load_profile("no", None, found)


def test_a_profile_of_the_file_wins_over_ours_of_the_same_name(configured):
    found = configuration(configured, "[profiles.quick]\npasses = 4\n")
    assert load_profile("quick", None, found).plan == {"passes": 4}
    assert load_profile("quick", OWN_PROFILES, found) == load_profile("quick")


def test_a_file_of_profiles_that_is_named_is_searched_alone(configured):
    with pytest.raises(StepmarkError, match=r"^profile 'smoke' is not in .*more\.toml; allowed: theirs, quick\.$"):
        load_profile("smoke", configured.parent / "bench" / "more.toml", configuration(configured))


def test_a_configuration_without_plugins_leaves_our_profiles_unchanged(configured):
    found = configuration(configured, '[gate]\nbudget = "5m"\n')
    assert load_profile("quick", None, found) == load_profile("quick")


@pytest.mark.parametrize("name", ["theirs", "quick", "smoke"])
def test_a_configuration_that_is_named_as_file_of_profiles_gives_the_same_profile(configured, name):
    first = load_profile(name, None, configuration(configured))
    assert first.file == configured
    assert load_profile(name, str(configured)) == first


def test_an_unknown_key_of_a_profile_is_answered_with_the_nearest_known_one(configured):
    found = configuration(configured, '[profiles.mine]\nstructurs = ["seed_cnn"]\n')
    with pytest.raises(StepmarkError, match=r"^profile 'mine' has a key 'structurs'; the nearest known key is "):
        load_profile("mine", None, found)


@given(values=st.dictionaries(st.sampled_from(SOURCES), st.integers(1, 1000)))
def test_the_command_to_measure_again_makes_the_same_plan_in_any_configured_folder(tmp_path_factory, values):
    """The file is found by its path, and the values of file and environment are options of the command."""
    folder = tmp_path_factory.mktemp("project")
    in_profile = f"passes = {values['profile']}\n" if "profile" in values else ""
    lines = [f"passes = {values['file']}\n"] if "file" in values else []
    lines += [f"[run]\npasses = {values['command']}\n"] if "command" in values else []
    text = "".join(['profile = "mine"\n', *lines, f'[profiles.mine]\nplugins = ["my_levels"]\n{in_profile}'])
    variables = {"STEPMARK_PASSES": str(values["environment"])} if "environment" in values else {}
    found = replace(configuration(folder / "stepmark.toml", text), variables=variables)
    typed = {"passes": str(values["option"])} if "option" in values else {}
    first = resolve_options(typed, MACHINE, found)
    selection = {"profile": first.profile.name, "profiles_file": str(first.profile.file)}
    run = made_runs.run([], plan=first.plan, workers=first.workers, selection=selection)
    line = command_again(run, "a-b-cpu")
    again = resolve_options(parsed(line), {"threads": 1, "abreast": 1}, decoded(FILE, "", dict(OTHER)))
    assert (again.plan, again.workers) == (first.plan, first.workers)
    assert again.profile == first.profile


def parsed(line: str) -> dict[str, str]:
    """The options of a shell command, as pytest reads them."""
    from suite.plugin import pytest_addoption

    parser = pytest.Parser(_ispytest=True)
    pytest_addoption(parser)
    return given_options(parser.parse_known_args(shlex.split(line)[1:]), COMMANDS["run"])
