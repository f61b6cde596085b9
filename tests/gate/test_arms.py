"""Arms: from what a user writes to code, interpreter, levels and variables that can be started."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.gate.arms import checkouts, interpreters
from suite.gate.arms.arm import arms_now, changed, have_same_code, make_both_ready, make_ready
from suite.gate.arms.spec import Checkout, Here, Image, Revision, parse
from suite.gate.options import METRICS, metrics_of, seconds_of
from suite.records import Case, StepmarkError
from suite.registry import load_levels
from suite.runner.code_origin import Origin
from tests.fakes import repositories
from tests.fakes.repositories import git

load_levels()
WORDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20)


@pytest.fixture
def repository(tmp_path):
    """A user's own repository with two commits, the first tagged `first`."""
    folder = repositories.repository(
        tmp_path / "own", {"bench/mine.py": "WIDTH = 1\n"}, {"bench/mine.py": "WIDTH = 2\n"}
    )
    git(folder, "tag", "first", "HEAD~1")
    return folder


def test_the_parts_of_an_arm_are_joined_by_commas():
    arm = parse("rev:main~1,set:optimizer=adam,set:tuning=channels_last,env:A=1,2,env:B=x=y")
    assert (arm.code, arm.python) == (Revision("main~1"), None)
    assert arm.levels == {"optimizer": "adam", "tuning": "channels_last"}
    assert arm.variables == {"A": "1,2", "B": "x=y"}


def test_an_arm_names_its_code_as_a_revision_or_a_folder_or_has_that_of_the_current_folder():
    texts = ("rev:main", "dir:../other,python:python3", "env:A=1")
    assert [parse(text).code for text in texts] == [Revision("main"), Checkout("../other"), Here()]


def test_an_arm_names_an_image_as_engines_do_and_may_set_levels_in_it():
    arm = parse("image:registry:5000/stepmark@sha256:0a,set:optimizer=adam")
    assert (arm.code, arm.levels) == (Image("registry:5000/stepmark@sha256:0a"), {"optimizer": "adam"})


@pytest.mark.parametrize("texts", [("image:a", "dir:."), ("rev:main", "image:a")])
def test_a_container_is_not_compared_with_processes_of_this_machine(texts, tmp_path):
    with pytest.raises(StepmarkError, match="allowed: two images, or none"):
        make_both_ready(parse(texts[0]), parse(texts[1]), tmp_path, tmp_path)


def test_without_an_engine_that_has_the_image_one_sentence_says_what_each_said(tmp_path, monkeypatch):
    (tmp_path / "docker").write_text("#!/bin/sh\necho 'Error: No such image: a' >&2\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StepmarkError, match=r"podman is not installed; docker says: Error: No such image: a; allowed"):
        make_both_ready(parse("image:a"), parse("image:b"), tmp_path, tmp_path)


def test_an_image_that_does_not_start_is_one_sentence_with_the_engine_s_reason(tmp_path, monkeypatch):
    (tmp_path / "podman").write_text("#!/bin/sh\n[ $1 = image ] && echo 0a || { echo 'no cgroup' >&2; exit 125; }\n")
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StepmarkError, match="does not run Python: no cgroup; allowed"):
        make_both_ready(parse("image:a"), parse("image:a"), tmp_path, tmp_path)


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
        ("image:a,rev:b", "one of rev: and image:"),
        ("image:a,python:python3", "the image's interpreter"),
        ("image:-a", "no image's name"),
        ("set:optimizer", "'optimizer'"),
        ("set:colour=red", "'colour'"),
        ("env:=1", "'=1'"),
        ("env:A B=1", "'A B'"),
        ("env:A=1,env:A=2", "once"),
        ("env:OMP_NUM_THREADS=1", "--threads"),
    ],
)
def test_an_arm_of_another_form_is_refused_with_what_is_allowed(text, found):
    with pytest.raises(StepmarkError) as raised:
        parse(text)
    assert found in str(raised.value)
    assert "allowed" in str(raised.value)


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


def test_a_revision_has_a_separate_checkout_with_its_plugins(repository):
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


HOOKED = """#!/bin/sh
{command} > {said} 2>&1
exit 0
"""
CHECKS_OUT = (
    "from pathlib import Path; from suite.gate.arms import checkouts as c; print(c.check_out({!r}, Path({!r})))"
)


@pytest.mark.parametrize("how", ["-a", "--only", "staged"])
@pytest.mark.parametrize(
    "linked", [pytest.param(False, id="main"), pytest.param(True, id="linked", marks=pytest.mark.slow)]
)
def test_a_gate_in_a_hook_leaves_the_commit_and_the_index_to_the_user(linked, how, repository, tmp_path):
    """The hook has the index by a variable: a lock of it (`-a`), another file (`--only`), or a relative path of it."""
    hook, said = repository / ".git" / "hooks" / "pre-commit", tmp_path / "said"
    command = f'{sys.executable} -P -c "{CHECKS_OUT.format("HEAD~1", ".")}"'
    if how == "-a":
        gate = "gate --profile gate --baseline rev:HEAD~1 --candidate dir:/nonexistent"
        command = f"{sys.executable} -P -m suite.cli {gate}"
    hook.write_text(HOOKED.format(command=command, said=said))
    hook.chmod(0o755)
    where = tmp_path / "linked" if linked else repository
    if linked:
        git(repository, "worktree", "add", "--quiet", "-b", "side", str(where))
    repositories.write(where, {"bench/mine.py": "WIDTH = 3\n"})
    git(where, "add", ".")
    chosen = {"-a": ["-a"], "--only": ["--only", "bench/mine.py"], "staged": []}[how]
    git(where, "commit", "--quiet", "-m", "three", *chosen)
    made = git(where, "rev-parse", "HEAD~2")[:12]
    assert (where / ".stepmark" / "checkouts" / made / "bench" / "mine.py").exists(), said.read_text()
    assert git(where, "show", "--format=", "--stat=80", "HEAD").splitlines()[0].split() == [
        "bench/mine.py",
        "|",
        "2",
        "+-",
    ]
    assert git(where, "show", "HEAD:bench/mine.py") == "WIDTH = 3"
    assert git(where, "status", "--porcelain") == ""


def test_a_hook_of_the_users_that_fails_does_not_run_for_our_checkout(repository):
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    side = make_ready(parse("rev:first"), repository, repository / "bench")
    assert side.facts["revision"] == git(repository, "rev-parse", "first")


def test_a_checkout_that_cannot_be_made_is_refused_with_gits_own_reason_and_leaves_nothing(repository):
    git(repository, "config", "filter.broken.smudge", "false")
    git(repository, "config", "filter.broken.required", "true")
    repositories.write(
        repository, {".gitattributes": "*.py filter=broken\n", ".git/info/attributes": "*.py filter=broken"}
    )
    with pytest.raises(StepmarkError, match=r"first cannot be checked out to .*: git refused: .*smudge filter broken"):
        make_ready(parse("rev:first"), repository, repository / "bench")
    assert list((repository / ".stepmark" / "checkouts").iterdir()) == []


def test_gates_that_start_at_once_share_one_checkout(repository):
    code = CHECKS_OUT.format("first", str(repository))
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {one.communicate(timeout=60)[0] for one in started}
    assert [one.returncode for one in started] == [0] * 4
    assert len(said) == 1


def test_an_unknown_revision_is_refused_by_its_name(repository):
    with pytest.raises(StepmarkError, match="revision 'nowhere' is not known"):
        make_ready(parse("rev:nowhere"), repository, repository)


def test_a_revision_outside_of_a_repository_is_refused(tmp_path):
    with pytest.raises(StepmarkError, match="in no git repository"):
        make_ready(parse("rev:first"), tmp_path, tmp_path)


def test_a_checkout_that_was_changed_is_refused_and_not_measured(repository):
    side = make_ready(parse("rev:first"), repository, repository / "bench")
    Path(side.origin.path[1], "mine.py").write_text("WIDTH = 3\n")
    with pytest.raises(StepmarkError, match="was changed; allowed: the files of its commit; remove"):
        make_ready(parse("rev:first"), repository, repository / "bench")


def test_a_checkout_that_was_removed_is_made_anew(repository):
    side = make_ready(parse("rev:first"), repository, repository / "bench")
    shutil.rmtree(side.origin.path[0])
    assert make_ready(parse("rev:first"), repository, repository / "bench").origin == side.origin


def test_a_checkout_that_was_interrupted_at_its_submodules_is_made_anew(repository, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkouts, "complete", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_ready(parse("rev:first"), repository, repository / "bench")
    (half,) = (repository / ".stepmark" / "checkouts").glob("*/bench/mine.py")
    half.unlink()
    side = make_ready(parse("rev:first"), repository, repository / "bench")
    assert Path(side.origin.path[1], "mine.py").read_text() == "WIDTH = 1\n"
    assert not list((repository / ".stepmark" / "checkouts").glob("*.unfinished"))


def test_a_folder_in_the_place_of_a_checkout_is_not_taken_for_the_commit_around_it(repository):
    folder = repository / ".stepmark" / "checkouts" / git(repository, "rev-parse", "HEAD")[:12]
    folder.mkdir(parents=True)
    with pytest.raises(StepmarkError, match="was changed; allowed: the files of its commit"):
        make_ready(parse("rev:HEAD"), repository, repository / "bench")


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a folder to another user")
def test_a_checkout_of_another_user_is_refused_with_git_s_reason(repository, monkeypatch):
    side = make_ready(parse("rev:first"), repository, repository / "bench")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    os.chown(side.origin.path[0], 4321, 4321)
    with pytest.raises(StepmarkError, match=r"cannot be read: git refused: detected dubious ownership .* allows it"):
        make_ready(parse("rev:first"), repository, repository / "bench")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(StepmarkError, match="there is no folder"):
        make_ready(parse(f"dir:{tmp_path / 'gone'}"), tmp_path, tmp_path)


def test_a_folder_without_code_is_refused_and_not_measured_as_the_code_that_gates(tmp_path):
    project, profiles = tmp_path / "project", tmp_path / "profiles"
    for folder in (project, profiles):
        folder.mkdir()
    (profiles / "elsewhere.py").write_text("")
    with pytest.raises(StepmarkError, match="contains no code to measure"):
        make_ready(parse(f"dir:{project}"), tmp_path, profiles)
    (tmp_path / "python").symlink_to(sys.executable)
    other = make_ready(parse(f"dir:{project},python:{tmp_path / 'python'}"), tmp_path, profiles)
    assert other.origin.path[0] == str(project), "another interpreter is something to measure"
    (project / "plugins").mkdir()
    (project / "plugins" / "__init__.py").write_text("")
    assert make_ready(parse(f"dir:{project}"), tmp_path, profiles).origin.path[0] == str(project)


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_an_interpreter_that_does_not_run_is_refused(python, tmp_path):
    with pytest.raises(StepmarkError, match=r"no interpreter|does not run as Python"):
        make_ready(parse(f"python:{python}"), tmp_path, tmp_path)


def test_another_interpreter_searches_its_own_folders(tmp_path):
    other = tmp_path / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(other)], check=True)
    side = make_ready(parse(f"python:{other / 'bin' / 'python'}"), tmp_path, tmp_path)
    assert side.origin.python == str(other / "bin" / "python")
    assert any(path.startswith(str(other)) for path in side.origin.path)


@pytest.mark.slow
def test_another_lock_gets_a_separate_environment(repository, monkeypatch):
    """A lock of what is asked for never takes no download. Comments make no difference."""
    never = f'torch==1.0 ; python_version < "3" \\\n    --hash=sha256:{"0" * 64}\n'
    repositories.write(repository, {"requirements.lock": "# ours\n"})
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "lock")
    same = checkouts.check_out("HEAD", repository)
    assert interpreters.of_checkout(same, repository) == (sys.executable, "")
    (repository / "requirements.lock").write_text("# ours, later\n")
    assert interpreters.of_checkout(same, repository) == (sys.executable, "")
    (same / "requirements.lock").write_text(never)
    misled = {"PYTHONPATH": "/nowhere", "PYTHONHOME": "", "PIP_TARGET": "/nowhere", "PIP_USER": "1", "VIRTUAL_ENV": "/"}
    for name, value in misled.items():
        monkeypatch.setenv(name, value)
    python, note = interpreters.of_checkout(same, repository)
    assert python.startswith(str(repository / ".stepmark" / "environments"))
    assert note == ""
    assert interpreters.surroundings(python)["path"]


def test_a_lock_that_is_neither_stepmarks_nor_pins_torch_makes_no_environment_and_that_is_said(repository):
    repositories.write(repository, {"requirements.lock": "requests==2.0\n"})
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "lock")
    repositories.write(repository, {"requirements.lock": "requests==2.1\ntorchmetrics==1.0\n"})
    side = make_ready(parse("rev:HEAD"), repository, repository / "bench")
    assert side.origin.python == sys.executable
    assert side.facts["note"] == "this interpreter, since requirements.lock differs but pins no torch"
    assert not (repository / ".stepmark" / "environments").exists()


@pytest.mark.slow
def test_an_environment_that_cannot_be_made_is_refused_with_the_message_of_pip(repository):
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


def both(repository, *texts):
    with contextlib.chdir(repository):
        return tuple(make_ready(parse(text), repository, repository / "bench") for text in texts)


def test_folders_within_one_repository_are_the_code_in_them_and_not_its_commit(repository):
    """Tracked ones, and a revision that the user unpacked into a folder that git ignores."""
    repositories.write(
        repository, {"old/net.py": "A = 1\n", "new/net.py": "A = 2\n", "same/net.py": "A = 1\n", ".gitignore": "out/\n"}
    )
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "three versions")
    assert not have_same_code(both(repository, "dir:old", "dir:new"))
    assert not have_same_code(both(repository, "dir:old", "dir:."))
    assert have_same_code(both(repository, "dir:old", "dir:same"))
    repositories.write(repository, {"out/old/bench/mine.py": "WIDTH = 1\n"})
    unpacked, here = both(repository, "dir:out/old", "dir:.")
    assert not have_same_code((unpacked, here))
    assert unpacked.facts["reason"] == f"the repository that {repository / 'out' / 'old'} is in ignores it"
    before = {"baseline": unpacked.facts, "candidate": here.facts}
    repositories.write(repository, {"out/old/bench/mine.py": "WIDTH = 3\n"})
    unpacked, here = both(repository, "dir:out/old", "dir:.")
    assert changed(before, {"baseline": unpacked.facts, "candidate": here.facts}), "another code is not gone on with"


@pytest.mark.parametrize("flag", ["--assume-unchanged", pytest.param("--skip-worktree", marks=pytest.mark.slow)])
def test_a_change_that_git_was_asked_not_to_see_is_other_code(flag, repository):
    assert have_same_code(both(repository, "rev:HEAD", "dir:."))
    git(repository, "update-index", flag, "bench/mine.py")
    assert have_same_code(both(repository, "rev:HEAD", "dir:."))
    repositories.write(repository, {"bench/mine.py": "WIDTH = 3\n"})
    assert git(repository, "status", "--porcelain") == ""
    assert not have_same_code(both(repository, "rev:HEAD", "dir:."))


@pytest.mark.parametrize(
    "name",
    [
        "bench/_fast.so",
        "bench/sizes.json",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("bench/_version.py", "build/fast.py", "bench/fast.pyc")
        ),
    ],
)
def test_a_module_that_git_ignores_is_not_the_commit_s_code(name, repository, tmp_path):
    repositories.write(repository, {".gitignore": "*.so\n_version.py\nbuild/\n.venv/\n*.pyc\nsizes.json\n"})
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "ignored")
    repositories.write(repository, {".venv/pyvenv.cfg": "", ".venv/lib/python3/site-packages/torch.py": ""})
    git(tmp_path, "clone", "--quiet", str(repository), str(tmp_path / "other"))
    assert have_same_code(both(repository, "dir:.", "dir:../other"))
    repositories.write(repository, {name: "one"})
    repositories.write(tmp_path / "other", {name: "two"})
    assert not have_same_code(both(repository, "dir:.", "dir:../other"))


def test_a_repository_that_git_ignores_is_not_the_commit_s_code(repository, tmp_path):
    repositories.write(repository, {".gitignore": "library/\n"})
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "ignored")
    git(tmp_path, "clone", "--quiet", str(repository), str(tmp_path / "other"))
    assert have_same_code(both(repository, "dir:.", "dir:../other"))
    repositories.repository(repository / "library", {"fast.py": "A = 1\n"})
    repositories.repository(tmp_path / "other" / "library", {"fast.py": "A = 2\n"})
    assert not have_same_code(both(repository, "dir:.", "dir:../other"))


def test_a_link_out_of_the_repository_is_not_the_commit_s_code(repository, tmp_path):
    (repository / "library").symlink_to("../../elsewhere")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "link")
    (tmp_path / "deeper").mkdir()
    git(tmp_path, "clone", "--quiet", str(repository), str(tmp_path / "deeper" / "other"))
    assert not have_same_code(both(repository, "dir:.", "dir:../deeper/other"))


def test_a_change_within_a_submodule_that_git_does_not_show_is_other_code(repository, tmp_path):
    """A module that its repository ignores, and a file that git was asked not to look at."""
    library = repositories.repository(tmp_path / "library", {"fast.py": "A = 1\n", ".gitignore": "*.so\n"})
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "part")
    git(repository, "commit", "--quiet", "--message", "submodule")
    assert have_same_code(both(repository, "rev:HEAD", "dir:."))
    repositories.write(repository, {"part/_fast.so": ""})
    assert not have_same_code(both(repository, "rev:HEAD", "dir:."))
    (repository / "part" / "_fast.so").unlink()
    git(repository / "part", "update-index", "--assume-unchanged", "fast.py")
    repositories.write(repository, {"part/fast.py": "A = 2\n"})
    assert not have_same_code(both(repository, "rev:HEAD", "dir:."))


def test_each_side_starts_in_its_checkout_where_the_user_is(repository, monkeypatch):
    """Files that a step reads by relative paths are the side's, too."""
    git(repository, "mv", "bench", "newer")
    git(repository, "commit", "--quiet", "--message", "moved")
    for folder, there in (("newer", "."), (".", ".")):
        monkeypatch.chdir(repository / folder)
        baseline = make_ready(parse("rev:first"), Path.cwd(), repository / "newer")
        assert baseline.origin.start == Path(baseline.origin.path[0]) / there
    monkeypatch.chdir(repository / "newer")
    candidate = make_ready(parse("dir:."), repository / "newer", repository / "newer")
    assert candidate.origin.start == repository / "newer"


@pytest.mark.slow
def test_the_sides_build_extensions_of_one_name_in_different_folders(repository, monkeypatch):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", "/users")

    def folder_of(text):
        (side,) = both(repository, text)
        return side.origin.variables.get("TORCH_EXTENSIONS_DIR")

    built = [folder_of(text) for text in ("rev:first", "rev:HEAD", "env:CXXFLAGS=-O0", "env:CXXFLAGS=-O3")]
    assert len(set(built)) == 4
    assert built[0].startswith(str(repository / ".stepmark" / "extensions"))
    assert built == [folder_of(text) for text in ("rev:first", "rev:HEAD", "env:CXXFLAGS=-O0", "env:CXXFLAGS=-O3")]
    assert folder_of("dir:.") is None, "the work tree has the user's, in which it may be built already"
    assert folder_of("rev:first,env:TORCH_EXTENSIONS_DIR=/own") == "/own"


@pytest.mark.parametrize("code", ["", "rev:first,"])
def test_a_search_path_of_an_arm_replaces_the_user_s(code, repository, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "users"))
    monkeypatch.syspath_prepend(tmp_path / "users")
    plain = make_ready(parse(code + "env:A=1"), repository, repository / "bench").origin
    assert str(tmp_path / "users") in (plain.path or sys.path)
    side = make_ready(parse(f"{code}env:PYTHONPATH={tmp_path / 'arms'}:near"), repository, repository / "bench").origin
    start = side.start or repository
    found = [side.path.index(str(folder)) for folder in (tmp_path / "arms", start / "near")]
    assert found == sorted(found)
    assert max(found) < side.path.index(str(Path(pytest.__file__).parents[1]))
    assert str(tmp_path / "users") not in side.path


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"bench/mine.py": "WIDTH = 3\n"}, "candidate.identity.diff_sha256"),
        pytest.param({"bench/helper.py": "WIDTH = 3\n"}, "candidate.identity.diff_sha256", marks=pytest.mark.slow),
        pytest.param({"requirements.lock": "torch==2.0\n"}, "candidate.identity.lock_sha256", marks=pytest.mark.slow),
        pytest.param(
            {"../elsewhere/plugged.py": "A = 2\n"}, "baseline.identity.plugins.plugged", marks=pytest.mark.slow
        ),
        pytest.param(
            {"../shared/more-1.0.dist-info/METADATA": ""}, "baseline.identity.packages_sha256", marks=pytest.mark.slow
        ),
        ({"out/gate.jsonl": "{}", "notes.txt": ""}, ""),
    ],
)
def test_a_gate_goes_on_only_with_the_code_lock_packages_and_plug_ins_that_it_began_with(
    change, found, repository, tmp_path, monkeypatch
):
    elsewhere = tmp_path / "elsewhere"
    repositories.write(tmp_path, {"elsewhere/plugged.py": "A = 1\n", "shared/other.py": ""})
    monkeypatch.syspath_prepend(tmp_path / "shared")
    asked = parse("rev:first"), parse("dir:.")

    def now():
        sides = make_both_ready(*asked, repository, elsewhere)
        return json.loads(json.dumps(arms_now(sides, ("2.11", "2.11"), ["plugged", "mine"])))

    monkeypatch.chdir(repository)
    monkeypatch.syspath_prepend(repository / "bench")
    before = now()
    repositories.write(repository, change)
    differing = changed(before, now())
    assert any(text.startswith(f"arms.{found}: ") for text in differing) or not found
    assert bool(differing) == bool(found)


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
