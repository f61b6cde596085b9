"""`--structure` for real: a callable of the user's in every process that has to know it."""

import json
import shlex
import subprocess
import sys

import pytest

from suite.records.store import read_run
from suite.report.provenance import command
from tests.fakes.nodes import HERE, OPTIONS, nodes, outcomes

NET = """
from torch import nn

from .sizes import WIDTH

class Net(nn.Sequential):
    def __init__(self, num_classes, image_size):
        super().__init__(nn.Flatten(), nn.Linear(3 * image_size**2, WIDTH), nn.ReLU(), nn.Linear(WIDTH, num_classes))

def broken(num_classes):
    raise ValueError("not today")

def thousand(image_size):
    return Net(1000, image_size)
"""
TINY = ("--profile", "tiny", "--profiles", "profiles.toml")


@pytest.fixture
def own(desk):
    """A user's folder with a package."""
    package = desk.folder / "mynet"
    package.mkdir()
    for name, text in {"__init__.py": "", "sizes.py": "WIDTH = 16\n", "net.py": NET}.items():
        (package / name).write_text(text)
    return desk


def stepmark(folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-P", "-m", "suite.cli", *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_list_shows_the_cases_of_a_file_s_and_a_module_s_callable_and_of_a_registered_name(own):
    words = ("--structure", "mynet/net.py:Net", "--structure", "other=mynet.net:Net,seed_cnn")
    done = stepmark(own.folder, "list", *TINY, *words, "-k", "adam", "--format", "json")
    assert done.returncode == 0, done.stderr
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["structure"], one["runnable"]) for one in cases] == [
        ("net", True),
        ("other", True),
        ("seed_cnn", True),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("list", *TINY),
        pytest.param(("gate", "--baseline", "dir:.", *TINY), marks=pytest.mark.slow),
        pytest.param(("doctor",), marks=pytest.mark.slow),
    ],
)
def test_a_callable_that_is_not_there_is_one_sentence_before_anything_is_measured(own, command):
    done = stepmark(own.folder, *command, "--structure", "mynet/net.py:Nets")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"stepmark: --structure {own.folder}/mynet/net.py:Nets: there is no 'Nets'; allowed: "
    )
    assert done.stderr.endswith("did you mean Net?\n")


@pytest.mark.nightly
def test_a_run_measures_callables_fails_those_that_do_not_fit_and_says_how_to_repeat_it(own):
    names = ("Net", "broken", "thousand")
    words = [word for name in names for word in ("--structure", f"mynet/net.py:{name}")]
    done = own.run("--profile", "tiny", "-k", "adam", "--record", "here", *words)
    assert done.code == 1, done.out
    run = read_run(own.folder / "here")
    found = {record.case.structure: record for record in run.cases}
    assert {name: record.outcome for name, record in found.items()} == {
        "net": "measured",
        "broken": "failed",
        "thousand": "failed",
    }
    assert found["net"].attributes["structure"]["callable"] == "net.py:Net"
    assert found["broken"].reason == "ValueError: not today"
    assert found["thousand"].reason.startswith("ValueError: the network of net.py:thousand returns logits of shape ")
    assert set(run.header.environment["plugins"]) == {"my_levels", *(f"--structure {name.lower()}" for name in names)}
    line = shlex.split(command(run, found["net"].case.id))
    assert line[:2] == ["stepmark", "run"]
    assert line[line.index("--structure") + 1] == f"net={own.folder}/mynet/net.py:Net"
    again = own.run(*line[3:], "-k", "net-adam", "--record", "again")
    assert again.code == 0, again.out
    assert read_run(own.folder / "again").cases[0].case == found["net"].case


@pytest.mark.nightly
def test_every_rank_of_torchrun_knows_the_callable(own):
    options = (*OPTIONS, "--structure=mynet/net.py:Net", "-k", "distributed and sgd")
    with nodes(own, [HERE], 2, options=options) as (agent,):
        said, _ = agent.communicate(timeout=120)
    measured = {name: record.outcome for name, record in outcomes(own).items()}
    assert measured["net-sgd-distributed-b8-i8"] == "measured", said
