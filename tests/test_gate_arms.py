"""Arms: from what a user writes to code, interpreter, levels and variables that can be started."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.gate.arms import checkouts, interpreters
from suite.gate.arms.side import have_same_code, make_ready, parse
from suite.gate.settings import METRICS, metrics_of, seconds_of
from suite.launcher import Origin
from suite.records import Case, StepmarkError
from suite.registry import load_levels

load_levels()
WORDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A user's own repository with two commits, the first tagged `first`."""
    folder = tmp_path / "own"
    (folder / "bench").mkdir(parents=True)
    git(folder, "init", "--quiet")
    (folder / "bench" / "mine.py").write_text("WIDTH = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    git(folder, "tag", "first")
    (folder / "bench" / "mine.py").write_text("WIDTH = 2\n")
    git(folder, "commit", "--quiet", "-a", "-m", "two")
    return folder


def test_the_parts_of_an_arm_are_joined_by_commas():
    arm = parse("rev:main~1,set:optimizer=adam,set:tuning=channels_last,env:A=1,2,env:B=x=y")
    assert (arm.revision, arm.folder, arm.python) == ("main~1", None, None)
    assert arm.levels == {"optimizer": "adam", "tuning": "channels_last"}
    assert arm.variables == {"A": "1,2", "B": "x=y"}


def test_an_arm_puts_its_levels_in_the_place_of_a_cases_own():
    case = Case("seed_cnn", "sgd", "cpu", batch_size=16)
    assert parse("set:optimizer=adam").case(case) == Case("seed_cnn", "adam", "cpu", batch_size=16)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "''"),
        ("main", "'main'"),
        ("rev:", "'rev:'"),
        ("rev:a,rev:b", "twice"),
        ("rev:a,dir:b", "one of rev: and dir:"),
        ("image:stepmark", "container images"),
        ("set:optimizer", "'optimizer'"),
        ("set:colour=red", "'colour'"),
        ("env:=1", "'=1'"),
        ("env:A B=1", "'A B'"),
        ("env:A=1,env:A=2", "once"),
    ],
)
def test_an_arm_of_another_form_is_refused_with_what_is_allowed(text, found):
    with pytest.raises(StepmarkError) as raised:
        parse(text)
    assert found in str(raised.value)
    assert "allowed" in str(raised.value) or "cannot be gated yet" in str(raised.value)


@given(st.lists(st.tuples(st.sampled_from(["rev", "dir", "python", "set", "env", "image", "x"]), WORDS), max_size=4))
def test_any_text_is_an_arm_or_refused_in_one_sentence(parts):
    text = ",".join(f"{kind}:{value}" for kind, value in parts)
    try:
        arm = parse(text)
    except StepmarkError as error:
        assert str(error).startswith("arm ")  # noqa: PT017 - either is right
    else:
        assert arm.text == text


def test_a_level_that_is_not_registered_is_refused(tmp_path):
    with pytest.raises(StepmarkError, match="optimizer 'none' is not known"):
        make_ready(parse("set:optimizer=none"), tmp_path, tmp_path)


def test_a_revision_has_a_checkout_of_its_own_and_its_own_plugins(repository):
    side = make_ready(parse("rev:first"), repository, repository / "bench")
    checkout = repository / ".stepmark" / "checkouts" / git(repository, "rev-parse", "first")[:12]
    assert (checkout / "bench" / "mine.py").read_text() == "WIDTH = 1\n"
    assert side.origin.path[:2] == (str(checkout), str(checkout / "bench"))
    assert str(repository / "bench") not in side.origin.path
    assert side.facts["revision"] == git(repository, "rev-parse", "first")
    assert git(repository, "status", "--porcelain") == "", "git leaves the checkouts alone"
    again = make_ready(parse("rev:first"), repository, repository / "bench")
    assert again.origin == side.origin


def test_a_repository_without_stepmark_is_measured_by_this_one(repository):
    side = make_ready(parse("rev:first"), repository, repository / "bench")
    assert side.origin.suite == Origin().suite


def test_an_unknown_revision_is_refused_by_its_name(repository):
    with pytest.raises(StepmarkError, match="revision 'nowhere' is not known"):
        make_ready(parse("rev:nowhere"), repository, repository)


def test_a_revision_outside_of_a_repository_is_refused(tmp_path):
    with pytest.raises(StepmarkError, match="in no git repository"):
        make_ready(parse("rev:first"), tmp_path, tmp_path)


def test_a_checkout_that_was_changed_is_refused_and_not_measured(repository):
    side = make_ready(parse("rev:first"), repository, repository / "bench")
    Path(side.origin.path[1], "mine.py").write_text("WIDTH = 3\n")
    with pytest.raises(StepmarkError, match="was changed; remove it"):
        make_ready(parse("rev:first"), repository, repository / "bench")


def test_a_checkout_that_was_removed_is_made_anew(repository):
    side = make_ready(parse("rev:first"), repository, repository / "bench")
    shutil.rmtree(side.origin.path[0])
    assert make_ready(parse("rev:first"), repository, repository / "bench").origin == side.origin


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(StepmarkError, match="there is no folder"):
        make_ready(parse(f"dir:{tmp_path / 'gone'}"), tmp_path, tmp_path)


def test_a_folder_without_code_is_refused_and_not_measured_as_the_code_that_gates(tmp_path):
    project, profiles = tmp_path / "project", tmp_path / "profiles"
    for folder in (project, profiles):
        folder.mkdir()
    (profiles / "elsewhere.py").write_text("")
    with pytest.raises(StepmarkError, match="has nothing that is measured"):
        make_ready(parse(f"dir:{project}"), tmp_path, profiles)
    (tmp_path / "python").symlink_to(sys.executable)
    other = make_ready(parse(f"dir:{project},python:{tmp_path / 'python'}"), tmp_path, profiles)
    assert other.origin.path[0] == str(project), "another interpreter is something to measure"
    (project / "plugins").mkdir()
    (project / "plugins" / "__init__.py").write_text("")
    assert make_ready(parse(f"dir:{project}"), tmp_path, profiles).origin.path[0] == str(project)


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_an_interpreter_that_does_not_run_is_refused(python, tmp_path):
    with pytest.raises(StepmarkError, match=r"no interpreter|no Python that runs"):
        make_ready(parse(f"python:{python}"), tmp_path, tmp_path)


def test_another_interpreter_searches_its_own_folders(tmp_path):
    other = tmp_path / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(other)], check=True)
    side = make_ready(parse(f"python:{other / 'bin' / 'python'}"), tmp_path, tmp_path)
    assert side.origin.python == str(other / "bin" / "python")
    assert any(path.startswith(str(other)) for path in side.origin.path)


def test_an_environment_of_its_own_is_made_where_the_lock_is_another(repository):
    """A lock of what is installed nowhere and asked for never takes no download. Comments make no difference."""
    never = 'nothing==1.0 ; python_version < "3"\n'
    (repository / "requirements.lock").write_text("# ours\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "lock")
    same = checkouts.check_out("HEAD", repository)
    assert interpreters.of_checkout(same, repository) == sys.executable
    (repository / "requirements.lock").write_text("# ours, later\n")
    assert interpreters.of_checkout(same, repository) == sys.executable
    (same / "requirements.lock").write_text(f"{never}    --hash=sha256:{'0' * 64}\n".replace("\n    ", " \\\n    ", 1))
    python = interpreters.of_checkout(same, repository)
    assert python.startswith(str(repository / ".stepmark" / "environments"))
    assert interpreters.path_of(python)


def test_an_environment_that_cannot_be_made_is_told_by_what_pip_said(repository):
    lock = repository / "requirements.lock"
    lock.write_text("no such thing at all\n")
    with pytest.raises(StepmarkError, match="pip said"):
        interpreters.make(repository / "environment", lock)


def test_the_same_commit_twice_is_the_same_code_and_a_changed_file_is_not(repository):
    def same() -> bool:
        here = make_ready(parse(f"dir:{repository}"), repository, repository / "bench")
        return have_same_code((make_ready(parse("rev:HEAD"), repository, repository / "bench"), here))

    assert same()
    (repository / "bench" / "new.py").write_text("")
    assert not same()


def test_other_variables_are_not_the_same_code(tmp_path):
    sides = [make_ready(parse(text), tmp_path, tmp_path) for text in ("env:A=1", "env:A=2")]
    assert not have_same_code(sides)
    assert have_same_code([sides[0], sides[0]])


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("1.5m", 90.0), ("2h", 7200.0)])
def test_a_budget_is_a_duration(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1m", "10 parsecs", "m"])
def test_a_budget_that_is_no_duration_is_refused(text):
    with pytest.raises(StepmarkError, match="--budget is"):
        seconds_of(text)


def test_metrics_are_names_joined_by_commas():
    assert metrics_of("allocations, step_time") == ("step_time", "allocations")
    with pytest.raises(StepmarkError, match=", ".join(METRICS)):
        metrics_of("step_time,speed")
