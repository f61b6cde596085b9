"""README and docs: every command parses, every option stands in its table with its default, the example runs."""

import argparse
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite import registry
from suite.analysis.issue import REMEDIES, STEADY
from suite.configuration.decoding import decoded
from suite.frontend.cli_options import parser
from suite.gate.formats import table
from suite.matrix.profiles import load_profile
from suite.options import COMMANDS, GATE_OPTIONS, OPTIONS, RECORDS, add_options
from suite.provenance.installation import CASES_FOLDER
from suite.records import RunPlan, WorkerSettings
from suite.registry import load_levels
from tests.conftest import PROJECT, Desk
from tests.fakes import made_verdicts

READMES = [PROJECT / "README.md", PROJECT / "README.zh-CN.md"]
PAGES = [*READMES, PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
TARGETS = re.findall(r"^([a-z-]+):.*##", (PROJECT / "Makefile").read_text(), re.MULTILINE)
VARIABLES = set(re.findall(r"^([A-Z]+) \?=", (PROJECT / "Makefile").read_text(), re.MULTILINE))


def read(name: str) -> str:
    """A page of the project."""
    return (PROJECT / name).read_text(encoding="utf-8")


def commands(page: Path, program: str) -> Iterator[list[str]]:
    """Arguments of each line of a page's shell blocks that calls a program, without comments."""
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", "").splitlines() if language in ("", "sh", "bash") else ():
            words = shlex.split(line, comments=True) if line.startswith(("make", "stepmark", ".venv/bin/")) else []
            if words and Path(words[0]).name == program:
                yield words[1:]


STEPMARK = [pytest.param(words, id=" ".join(words)) for page in PAGES for words in commands(page, "stepmark")]
MAKE = [pytest.param(words, id=" ".join(words)) for page in PAGES for words in commands(page, "make")]


@pytest.mark.parametrize("words", STEPMARK)
def test_a_documented_command_has_options_that_exist(words):
    if words[0] == "run":
        run = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
        add_options(run.add_argument, OPTIONS)
        assert run.parse_known_args(words[1:])[1] == []
    else:
        assert parser().parse_args(words).command == words[0]


@pytest.mark.parametrize("words", MAKE)
def test_a_documented_target_of_make_exists_with_its_variables(words):
    targets = [word for word in words if "=" not in word]
    assert set(targets) <= set(TARGETS)
    assert {word.partition("=")[0] for word in words if "=" in word} <= VARIABLES | {"PROFILE"}


def rows(name: str, heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, without its head."""
    text = read(name).partition(heading)[2]
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table, f"no table below {heading!r} in {name}"
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table[0].splitlines()[2:]]


def options_in(cell: str) -> list[str]:
    """`--out DIR` -> out."""
    return re.findall(r"--([\w-]+)", cell)


def test_usage_lists_every_option_of_a_run_once():
    listed = [option for row in rows("docs/usage.md", "## Options of a run") for option in options_in(row[0])]
    assert sorted(listed) == sorted(option.name for option in OPTIONS)


def test_usage_lists_every_key_of_a_configuration_for_each_command():
    table = rows("docs/usage.md", "## Configuration")
    listed = {cells[0].strip("`[]"): re.findall(r"`([\w-]+)`", cells[1]) for cells in table}
    for command, options in COMMANDS.items():
        keys = [option.name.replace("-", "_") for option in options if not option.is_once]
        assert sorted(listed[command]) == sorted(keys)
    assert listed["outermost"] == ["plugins", "profiles", RECORDS.name]


def test_the_example_of_a_configuration_is_one():
    text = next(text for language, text in BLOCK.findall(read("docs/usage.md")) if text.startswith("# stepmark.toml"))
    configuration = decoded(PROJECT / "stepmark.toml", "", tomllib.loads(text))
    assert configuration.values_of("gate")["budget"].text == "15m"
    assert load_profile("mine", None, configuration).levels["structures"] == ["mine", "resnet18"]


def test_usage_gives_the_defaults_of_the_plan():
    given = {options_in(row[0])[0]: row[1] for row in rows("docs/usage.md", "## Options of a run")}
    plan, workers = RunPlan(), WorkerSettings()
    numbers = {
        "passes": plan.passes,
        "target-precision": plan.target_precision * 100,
        "case-seconds": plan.case_seconds,
        "warmup-seconds": plan.warmup_seconds,
        "case-timeout": workers.case_timeout,
    }
    assert {name: f"({value:g}" in given[name] for name, value in numbers.items()} == dict.fromkeys(numbers, True)
    words = {"allocator": workers.allocator, "priority": workers.priority, "surveys": plan.surveys}
    assert {name: f"({word})" in given[name] for name, word in words.items()} == dict.fromkeys(words, True)


def test_the_gate_s_page_lists_options_and_defaults_that_the_gate_has():
    table = rows("docs/gate.md", "## Options")
    defaults = {option.name: option.default for option in GATE_OPTIONS}
    for option, default, _ in table:
        names = options_in(option)
        assert set(names) <= {*defaults, "out", "resume", "private"}
        first = defaults.get(names[0], "")
        if first and names[0] != "metric":
            assert default == f"`{first}`"


def test_usage_names_every_profile_of_the_project():
    named = read("docs/usage.md").partition("The profiles of this project:")[2].partition("```")[0]
    assert set(re.findall(r"`(\w+)`", named)) == set(
        tomllib.loads((CASES_FOLDER / "profiles.toml").read_text(encoding="utf-8"))
    )


def test_the_levels_that_the_table_names_are_registered():
    load_levels()
    for factor, examples in rows("docs/usage.md", "## Choose cases"):
        kind = getattr(registry, f"{factor.upper()}S", None)
        levels = [one for one in re.findall(r"`(\w+)`", examples) if not one.startswith("_")]
        assert kind is None or [one for one in levels if one not in kind] == []


def test_the_validity_labels_of_the_method_are_those_of_the_code():
    labels = [label.strip("`") for label, _ in rows("docs/method.md", "### Validity")]
    assert labels
    assert [label for label in labels if label not in {STEADY, *REMEDIES}] == []


def test_the_messages_of_the_gate_s_page_are_those_of_the_gate():
    messages = [re.findall("`([^`]+)`", row[0]) for row in rows("docs/gate.md", "## Read the verdict")]
    printed = table.render(made_verdicts.control_alarm()) + table.render(made_verdicts.dependent())
    assert any(messages)
    assert [message for found in messages for message in found if message not in printed] == []


@pytest.mark.slow
def test_the_example_of_own_levels_runs(desk: Desk):
    blocks = [text for _, text in BLOCK.findall(read("docs/usage.md"))]
    for file in ("my_levels.py", "my_profiles.toml"):
        (desk.folder / file).write_text(next(text for text in blocks if text.startswith(f"# {file}\n")))
    quickly = ("--passes", "1", "--case-seconds", "0.1", "--warmup-seconds", "0.1")
    done = desk.run("--profiles", "my_profiles.toml", "--profile", "mine", *quickly, "-k", "mine-mine_sgd")
    assert done.code == 0, done.out + done.err
    assert "1 passed" in done.out
