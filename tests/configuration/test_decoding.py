"""Keys and values of a configuration: each option of each command, and one sentence for each mistake."""

import tomllib
from pathlib import Path

import pytest

from suite.configuration.decoding import decoded
from suite.configuration.values import Configuration
from suite.options import COMMANDS, RECORDS, Option
from suite.records import StepmarkError

FILE = Path("/project/stepmark.toml")
EXAMPLES = {"N": 3, "S": 2.5, "PCT": 3, "TIME": "7m", "I/N": "1/2", "WHICH": "none"}
"""Value of a file for an option, by the placeholder of its value; texts otherwise."""
SETTABLE = [(command, option) for command, options in COMMANDS.items() for option in options if not option.is_once]


def read(text: str, prefix: str = "") -> Configuration:
    return decoded(FILE, prefix, tomllib.loads(text))


def refusal(text: str) -> str:
    with pytest.raises(StepmarkError) as refused:
        read(text)
    return str(refused.value)


def example(option: Option) -> object:
    """A value that an option takes."""
    if option.kind and option.value == "NAME":
        return option.default
    return EXAMPLES.get(option.value, "some text")


def literal(value: object) -> str:
    """A value as TOML."""
    return f'"{value}"' if isinstance(value, str) else str(value)


def expected(option: Option) -> str:
    """The text that an example becomes."""
    return f"/project/{example(option)}" if option.is_path else str(example(option))


@pytest.mark.parametrize(("command", "option"), SETTABLE, ids=lambda one: getattr(one, "name", one))
def test_every_option_of_every_command_can_be_set_by_each_name_for_it_and_for_all(command, option):
    for name in option.names:
        for key in (name, name.replace("-", "_")):
            line = f"{key} = {literal(example(option))}\n"
            for text, place in ((f"[{command}]\n{line}", f"{command}.{key}"), (line, key)):
                found = read(text).values_of(command)
                assert {one: value.text for one, value in found.items()} == {option.name: expected(option)}
                assert found[option.name].place == f"{place} of {FILE}"


@pytest.mark.parametrize(("command", "option"), SETTABLE, ids=lambda one: getattr(one, "name", one))
def test_the_value_for_a_command_wins_over_that_for_all(command, option):
    line = f"{option.name} = {literal(example(option))}\n"
    configuration = read(f"{line}[{command}]\n{line}")
    assert configuration.values_of(command)[option.name].place.startswith(f"{command}.")
    others = [other for other in COMMANDS if other != command and option in COMMANDS[other]]
    assert all(configuration.values_of(other)[option.name].place.startswith(option.name) for other in others)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_key_without_a_letter_is_answered_with_the_nearest_known_one(command):
    for option in COMMANDS[command]:
        if option.is_once:
            continue
        key = option.name.replace("-", "_")
        wrong = key[:2] + key[3:]
        for table, prefix in ((f"[{command}]\n", f"{command}."), ("", "")):
            text = refusal(f"{table}{wrong} = 1\n")
            sentence = f"{FILE} has the unknown key {prefix}{wrong}; the nearest known key is {key}; allowed: "
            assert text.startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[gates]\n", "/project/stepmark.toml has the unknown key gates; the nearest known key is gate; allowed: "),
        ('[run]\nbudget = "1m"\n', "/project/stepmark.toml has the unknown key run.budget; allowed: profile, "),
        ('resume = "x"\n', "/project/stepmark.toml has the unknown key resume; "),
        ('[run]\npasses = "three"\n', "run.passes of /project/stepmark.toml is 'three'; allowed: a whole number."),
        ("passes = 0\n", "passes of /project/stepmark.toml is 0; allowed: a whole number from 1."),
        ("passes = true\n", "passes of /project/stepmark.toml is True; allowed: a whole number."),
        ("passes = 2.5\n", "passes of /project/stepmark.toml is 2.5; allowed: a whole number."),
        ("case_seconds = inf\n", "case_seconds of /project/stepmark.toml is inf; allowed: a number of seconds "),
        ('case_seconds = "1"\n', "case_seconds of /project/stepmark.toml is '1'; allowed: a number."),
        ('records = "a\\u0000"\n', f"records of {FILE} is 'a\\x00'; allowed: a text without null characters."),
        ('allocator = "fast"\n', "allocator of /project/stepmark.toml is 'fast'; allowed: steady, default."),
        ("profile = 3\n", "profile of /project/stepmark.toml is 3; allowed: a text."),
        ("[gate]\nbudget = 07:32:00\n", "gate.budget of /project/stepmark.toml is datetime.time(7, 32); allowed: "),
        ("tolerance = [1]\n", "tolerance of /project/stepmark.toml is [1]; allowed: a number or a text."),
        ("run = 3\n", "run of /project/stepmark.toml is 3; allowed: a table."),
        ("profiles.mine = 3\n", "profiles.mine of /project/stepmark.toml is 3; allowed: a table."),
        ("profiles = [3]\n", "profiles of /project/stepmark.toml is [3]; allowed: a text."),
        ('plugins = "levels"\n', "plugins of /project/stepmark.toml is 'levels'; allowed: a list."),
        ("plugins = [3]\n", "[0] of plugins of /project/stepmark.toml is 3; allowed: a text."),
        ("interleave = 2\nabreast = 3\n", f"{FILE} sets interleave twice, once as abreast; leave one out."),
        ("case-seconds = 2\ncase_seconds = 3\n", f"{FILE} sets case-seconds twice, once as case_seconds;"),
    ],
)
def test_a_wrong_key_or_value_is_one_sentence(text, sentence):
    found = refusal(text)
    assert found.startswith(sentence)
    assert found.endswith(".")
    assert "\n" not in found


def test_the_keys_of_a_pyproject_are_named_in_full():
    with pytest.raises(StepmarkError, match=r"^tool\.stepmark\.gate\.budget of .* is \[\]; allowed: "):
        read("[gate]\nbudget = []\n", "tool.stepmark.")
    with pytest.raises(StepmarkError, match=r"^tool\.stepmark of .* is 3; allowed: a table\.$"):
        decoded(FILE, "tool.stepmark.", 3)


def test_a_path_starts_at_the_folder_of_the_file():
    text = f'{RECORDS.name} = "out"\nprofiles = "/elsewhere/p.toml"\n'
    assert read(text).records == Path("/project/out")
    assert read(text).values_of("run")["profiles"].text == "/elsewhere/p.toml"
