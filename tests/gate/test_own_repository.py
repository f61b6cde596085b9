"""The gate in a user's repository: installed Stepmark, three layouts, plug-ins that the baseline does not have."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite.gate.arms import checkouts
from suite.gate.arms.arm import make_both_ready, make_ready
from suite.gate.arms.code_ownership import not_in_checkout, own_plugins
from suite.gate.arms.spec import parse
from suite.matrix.structure_option import words_of
from suite.records import StepmarkError
from tests.fakes.layouts import EXTRA, LEVELS, NETWORK, PROFILE, ROOT, environment
from tests.fakes.repositories import git, repository, write

LAYOUTS = {"flat": ".", "src": "src", "monorepo": "packages/x"}
"""Layout -> folder of the package within the repository. The command runs in the last one's, else at the top."""
PROGRAM = "import sys; from suite.cli import main; sys.exit(main(sys.argv[1:]))"


def state(folder: str, extra: int) -> dict[str, str]:
    """Files of one commit: a package, and a plug-in and a profile next to it or above it."""
    bench = f"{folder}/bench" if folder == LAYOUTS["monorepo"] else "bench"
    levels = LEVELS.format(module="mynet")
    if folder == "src":  # as the user's tests find it
        levels = (
            "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parents[1] / 'src'))" + levels
        )
    return {
        f"{folder}/mynet/__init__.py": NETWORK.format(extra=extra),
        f"{bench}/my_levels.py": levels,
        f"{bench}/profiles.toml": PROFILE,
        ".gitignore": "__pycache__/\nreports/\n",
        "notes.txt": str(extra),
    }


def without_stepmark(folder: Path) -> tuple[Path, Path]:
    """The interpreter of an environment with this one's packages but Stepmark, and its folder of packages."""
    program = environment(folder)
    packages = next(folder.glob("lib/python*/site-packages"))
    shared = packages / "shared.pth"
    shared.write_text("\n".join(line for line in shared.read_text().splitlines() if line != str(ROOT)) + "\n")
    return program, packages


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An environment into which Stepmark is copied, as by a wheel."""
    program, packages = without_stepmark(tmp_path_factory.mktemp("environment"))
    nothing = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "suite", packages / "suite", ignore=nothing)
    if not (packages / "suite" / "cases").exists():
        shutil.copytree(ROOT / "cases", packages / "suite" / "cases", ignore=nothing)
    return program


def gate(python: Path, here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed `stepmark gate` in a folder, judged by allocations, which takes seconds."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHON"))}
    return subprocess.run(
        [str(python), "-P", "-c", PROGRAM, "gate", "--metric", "allocations", *arguments],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=own,
    )


def verdict(done: subprocess.CompletedProcess[str], out: Path) -> dict:
    """The verdict in a folder."""
    assert (out / "verdict.json").is_file(), done.stderr
    read: dict = json.loads((out / "verdict.json").read_text())
    return read


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param("flat", marks=pytest.mark.nightly),
        pytest.param("src", marks=pytest.mark.nightly),
        pytest.param("monorepo", marks=pytest.mark.slow),
    ],
)
def test_the_baseline_alone_is_enough_in_every_layout(layout, python, tmp_path):
    """In a folder with a space, from a package's folder in a monorepo; a plug-in, and once a callable."""
    folder = LAYOUTS[layout]
    top = repository(tmp_path / "my project", *(state(folder, extra) for extra in EXTRA))
    here = top / folder if layout == "monorepo" else top
    level, words = ("build", ("--structure", "src/mynet/__init__.py:build")) if layout == "src" else ("mine", ())
    profile = ("--profiles", "bench/profiles.toml", "--profile", "mine", *words)
    out = tmp_path / "out"
    done = gate(python, here, "--baseline", "rev:HEAD~1", *profile, "--out", str(out))
    assert done.returncode == 10, done.stderr
    found = [(one["name"], one["verdict"]) for one in verdict(done, out)["cases"]]
    assert found == [(f"{level}-sgd-cpu-b4-i8", "regression")]
    assert git(top, "status", "--porcelain") == ""
    if layout == "flat":
        same = gate(python, here, "--baseline", "rev:HEAD", *profile)
        assert (same.returncode, "identical" in same.stdout) == (0, True), same.stderr


@pytest.mark.nightly
def test_levels_that_the_baseline_does_not_have_are_left_out_with_the_reason_and_the_rest_is_compared(python, tmp_path):
    newer = LEVELS.format(module="mynet") + 'STRUCTURES.register("newer", depth=2)(measured.build)\n'
    profile = PROFILE.replace('["mine"]', '["mine", "newer"]')
    first, second = state(".", EXTRA[0]), state(".", EXTRA[1])
    own = {**second, "bench/my_levels.py": newer, "bench/profiles.toml": profile}
    top = repository(tmp_path / "own", {"notes.txt": ""}, first, own)
    words = ("--profiles", "bench/profiles.toml", "--profile", "mine", "--out", str(tmp_path / "out"))
    done = gate(python, top, "--baseline", "rev:HEAD~1", *words)
    assert done.returncode == 10, done.stderr
    found = verdict(done, tmp_path / "out")
    assert [one["name"] for one in found["cases"]] == ["mine-sgd-cpu-b4-i8"]
    assert [(one["name"], one["reason"]) for one in found["left_out"]] == [
        ("newer-sgd-cpu-b4-i8", "the baseline has no structure 'newer'")
    ]
    without = gate(python, top, "--baseline", "rev:HEAD~2", *words[:-1], str(tmp_path / "none"))
    assert (without.returncode, without.stderr.count("\n")) == (12, 1)
    assert without.stderr.startswith(
        "stepmark: the arms have no case in common that runs here: the baseline has no structure 'mine': plug-in "
        "'my_levels' does not import: ModuleNotFoundError: No module named 'my_levels'"
    )


@pytest.fixture
def own(tmp_path):
    """A repository whose baseline has another network and no plug-in `late`."""
    top = repository(tmp_path / "own", {"net.py": "A = 1\n"}, {"net.py": "A = 2\n", "src/late.py": "", "new.py": ""})
    git(top, "tag", "first", "HEAD~1")
    return top


def test_each_side_has_a_callable_s_file_in_its_checkout_there_or_not(own, tmp_path, monkeypatch):
    monkeypatch.chdir(own)
    elsewhere = tmp_path / "elsewhere.py"
    words = words_of(f"net.py:make,new.py:make,package.net:Net,{elsewhere}:make")
    baseline, candidate = make_both_ready(parse("rev:first"), parse("dir:."), own, own)
    checkout = baseline.origin.path[0]
    assert own_plugins(words, candidate.origin.watched) == words
    assert own_plugins(words, baseline.origin.watched) == (
        f"make={checkout}/net.py:make",
        f"make={checkout}/new.py:make",
        "net=package.net:Net",
        f"make={elsewhere}:make",
    )


def test_a_plug_in_that_only_the_working_tree_has_is_not_loaded_on_the_other_side(own, monkeypatch):
    """It would be found there by a search path that the baseline's checkout has no folder for."""
    monkeypatch.chdir(own)
    monkeypatch.setattr(sys, "path", [str(own / "src"), *sys.path])
    baseline, candidate = make_both_ready(parse("rev:first"), parse("dir:."), own, own)
    for side, absent in ((baseline, {"late": "plug-in 'late' is not in its checkout"}), (candidate, {})):
        assert not_in_checkout(["late", "gone", "json"], side.origin.path, side.origin.watched) == absent


def test_another_interpreter_has_its_own_packages_before_those_next_to_an_installed_stepmark(own, tmp_path):
    """Else `python:` would measure the torch next to Stepmark."""
    program, packages = without_stepmark(tmp_path / "environment")
    side = make_ready(parse(f"python:{program}"), own, own)
    assert side.origin.path.index(str(packages)) < side.origin.path.index(str(side.origin.suite.parent))
    assert side.origin.path[-1] == str(ROOT)


@pytest.fixture
def modules(tmp_path):
    """A repository with a submodule in a submodule, each with two commits, cloned with all of them."""
    allowed = ("-c", "protocol.file.allow=always")
    made = {name: repository(tmp_path / name, {"code.py": f"{name} = 1\n"}) for name in ("inner", "outer", "top")}
    for above, below in (("outer", "inner"), ("top", "outer")):
        git(made[above], *allowed, "submodule", "--quiet", "add", str(made[below]), f"libs/{below}")
        git(made[above], "commit", "--quiet", "-m", "with its submodule")
    clone = tmp_path / "own clone"
    git(tmp_path, *allowed, "clone", "--quiet", "--recurse-submodules", str(made["top"]), str(clone))
    git(clone, "tag", "first")
    outer = clone / "libs" / "outer"
    write(outer, {"code.py": "outer = 2\n"})
    git(outer, "commit", "--quiet", "--all", "-m", "two")
    git(clone, "commit", "--quiet", "--all", "-m", "two")
    return clone


def test_submodules_of_a_baseline_come_from_the_user_s_clones_of_them(modules):
    folder = checkouts.check_out("first", modules)
    outer = folder / "libs" / "outer"
    assert (outer / "code.py").read_text() == "outer = 1\n"
    assert (outer / "libs" / "inner" / "code.py").read_text() == "inner = 1\n"
    assert (modules / "libs" / "outer" / "code.py").read_text() == "outer = 2\n"
    assert git(folder, "status", "--porcelain") == ""
    assert git(modules, "status", "--porcelain") == ""
    assert checkouts.check_out("first", modules) == folder
    (outer / "code.py").write_text("outer = 3\n")
    with pytest.raises(StepmarkError, match=r"the checkout .* was changed"):
        checkouts.check_out("first", modules)


def test_a_commit_of_a_submodule_that_the_clone_does_not_have_is_named_with_what_fetches_it(modules, tmp_path):
    outer = modules / "libs" / "outer"
    sha = git(outer, "rev-parse", "HEAD~1")
    shutil.rmtree(outer)
    lacking = repository(outer, {"code.py": "outer = 2\n"})
    with pytest.raises(StepmarkError) as raised:
        checkouts.check_out("first", modules)
    assert str(raised.value) == (
        f"first has commit {sha[:12]} of submodule {lacking}, which that clone does not have; "
        f"`git -C {lacking} fetch origin {sha}` fetches it."
    )
    assert [path.name for path in (modules / ".stepmark" / "checkouts").iterdir()] == []


def test_a_submodule_that_the_user_has_not_checked_out_stays_empty_on_both_sides(modules):
    shutil.rmtree(modules / "libs" / "outer")
    (modules / "libs" / "outer").mkdir()
    folder = checkouts.check_out("first", modules)
    assert list((folder / "libs" / "outer").iterdir()) == []


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def test_pointers_of_git_lfs_in_a_baseline_are_refused_where_the_work_tree_has_the_files(tmp_path):
    """As in a clone that fetched the files of one commit alone."""
    files = {".gitattributes": "*.bin filter=lfs\n", "data/one.bin": POINTER, "data/two.bin": POINTER, "net.py": ""}
    top = repository(tmp_path / "own", files, {"net.py": "A = 1\n"})
    assert checkouts.check_out("HEAD~1", top).is_dir(), "the user works with the pointers"
    (top / "data" / "one.bin").write_bytes(bytes(2000))
    with pytest.raises(StepmarkError) as raised:
        checkouts.check_out("HEAD~1", top)
    sha = git(top, "rev-parse", "HEAD~1")[:12]
    assert str(raised.value) == (
        "1 file of HEAD~1, such as data/one.bin, came as pointers of Git LFS; allowed: the files themselves, as in the "
        f"work tree; `git lfs install && git lfs fetch origin {sha}` fetches them, then start the gate again."
    )
    assert list((top / ".stepmark" / "checkouts").iterdir()) == []
    (top / "data" / "one.bin").write_text(POINTER)
    assert checkouts.check_out("HEAD~1", top).is_dir()


def test_a_branch_that_only_the_remote_has_is_named_with_its_remote(tmp_path):
    origin = repository(tmp_path / "origin", {"net.py": "A = 1\n"})
    git(origin, "branch", "release")
    git(tmp_path, "clone", "--quiet", str(origin), str(tmp_path / "own"))
    with pytest.raises(StepmarkError, match=r"revision 'release' is not known in .*; rev:origin/release is there\.$"):
        checkouts.check_out("release", tmp_path / "own")


def test_a_shallow_clone_is_refused_with_what_fetches_the_rest_here_and_in_ci(tmp_path):
    origin = repository(tmp_path / "origin", {"net.py": "A = 1\n"}, {"net.py": "A = 2\n"})
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{origin}", str(tmp_path / "own"))
    with pytest.raises(StepmarkError) as raised:
        checkouts.check_out("HEAD~1", tmp_path / "own")
    assert str(raised.value).endswith(
        "this clone is shallow: `git fetch --unshallow` fetches the rest; in CI give actions/checkout "
        "`fetch-depth: 0`, or set `GIT_DEPTH: 0` for GitLab."
    )
