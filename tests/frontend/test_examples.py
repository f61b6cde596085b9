"""Help by example: every example runs, and shells complete what the parsers know."""

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from suite.cli import COMMANDS, main
from suite.frontend.cli_options import SHELLS, parser
from suite.frontend.examples import EXAMPLES, FIRST_STEPS, LATER, RUN
from suite.options import OPTIONS
from suite.records import Metric, Series
from suite.records.store import RunWriter
from tests.fakes import made_runs

MEASURING = ("run", "gate", "doctor")
TRIED = [
    pytest.param(line, marks=pytest.mark.slow if command == "report" else ())  # a page takes seconds
    for command, lines in EXAMPLES.items()
    if command not in MEASURING
    for line, _ in lines
]
PARSED = [line for command in MEASURING for line, _ in EXAMPLES[command]]


def words_of(line):
    """Arguments of a command line, up to the pipe or file that its output goes to."""
    words = shlex.split(line)
    ends = [place for place, word in enumerate(words) if word in ("|", ">")]
    assert words[0] == "stepmark"
    return words[1 : min(ends, default=len(words))]


def with_peak(record):
    """A record with a peak of memory, where it was measured."""
    if record.outcome != "measured":
        return record
    peak = Series(Metric("memory_peak_forward", "B", "lower", "Highest resident set."), (500 * 2.0**20,))
    return replace(record, measurement=replace(record.measurement, surveyed=(peak,)))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the runs that the examples name."""
    folder = tmp_path_factory.mktemp("project")
    made = made_runs.quick_run()
    for name in (RUN, LATER):
        with RunWriter.create(folder / name, made.header) as writer:
            for case in made.cases:
                writer.case(with_peak(case))
            writer.finish(made.footer)
    return folder


def test_every_command_has_examples():
    assert set(EXAMPLES) == {*COMMANDS, "run"}


@pytest.mark.parametrize("line", TRIED)
def test_an_example_runs(project, monkeypatch, capfd, line):
    monkeypatch.chdir(project)
    code = main(words_of(line))
    out, err = capfd.readouterr()
    assert (code, err) == (0, ""), line
    assert out


@pytest.mark.parametrize("line", PARSED)
def test_an_example_that_measures_has_options_that_exist(line):
    words = words_of(line)
    assert parser().parse_args(words).command == words[0]


@pytest.mark.parametrize("command", sorted(EXAMPLES))
def test_help_ends_with_the_examples(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    out = capsys.readouterr().out
    assert left.value.code == 0
    assert all(f"  {line}\n      {use}\n" in out for line, use in EXAMPLES[command])


def test_the_first_steps_are_commands_that_exist():
    lines = re.findall(r"^  (stepmark .*?)  ", FIRST_STEPS, re.MULTILINE)
    assert len(lines) == 4
    for line in lines[:-1]:
        words = words_of(line)
        assert parser().parse_args(words).command == words[0]


def test_the_help_of_run_has_our_options_and_says_where_the_others_are(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--profile", "smoke", "--help"])
    out = capsys.readouterr().out
    assert all(flag in out for option in OPTIONS for flag in option.flags)
    assert "`pytest --help`" in " ".join(out.split())


def test_a_filter_may_begin_with_a_dash(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    assert main(["show", RUN, "--filter", "-structure:resnet18 -structure:plain*", "--all"]) == 0
    with_blank = capsys.readouterr().out
    assert main(["show", "--filter", "-structure:resnet18,plain*", "--all", RUN]) == 0
    assert capsys.readouterr().out == with_blank
    assert "seed_cnn-adam-cpu" in with_blank
    assert "plain" not in with_blank


def test_a_wrong_filter_is_refused_by_every_command_that_has_one(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    for words in (["show"], ["report", "-o", "p.html"], ["export", "--format", "csv"], ["effects"], ["recommend"]):
        assert main([words[0], RUN, *words[1:], "--filter", "speed<3ms"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err == (
            "stepmark: --filter: 'speed' in 'speed<3ms' is no metric; "
            "allowed: time, memory, energy, accuracy, throughput.\n"
        )


@pytest.fixture(scope="module")
def scripts():
    """The script of each shell."""
    line = [sys.executable, "-m", "suite.cli", "completion"]
    return {
        shell: subprocess.run([*line, shell], capture_output=True, text=True, check=True).stdout for shell in SHELLS
    }


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("stepmark rec", {"recommend"}),
        ("stepmark completion z", {"zsh"}),
        ("stepmark list --profile smo", {"smoke"}),
        ("stepmark run --structure seed_cnn", {"seed_cnn"}),
        ("stepmark export --format cs", {"csv"}),
        ("stepmark show --fil", {"--filter"}),
        ("stepmark show repo", {"reports"}),
    ],
)
def test_bash_completes(project, scripts, typed, offered):
    words = typed.split()
    asked = (
        f"{scripts['bash']}\nCOMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}\n"
        '_shtab_stepmark stepmark "${COMP_WORDS[COMP_CWORD]}"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", asked], cwd=project, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert offered <= {word.strip().rstrip("/") for word in done.stdout.splitlines()}


def test_zsh_gets_a_script_with_every_command_and_option(scripts):
    assert scripts["zsh"].startswith("#compdef stepmark")
    assert all(command in scripts["zsh"] for command in EXAMPLES)
    assert all(f"--{option.name}" in scripts["zsh"] for option in OPTIONS)
    if shutil.which("zsh"):
        subprocess.run(["zsh", "-n"], input=scripts["zsh"], text=True, check=True)
