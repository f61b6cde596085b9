"""Each side of a gate runs the code of its checkout; the gate refuses a side that does not."""

import _ctypes
import json
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest

from suite.gate.measuring.loaded_code import LoadedCode
from suite.provenance import code_identity
from suite.records import NotComparableError
from suite.runner.import_watch import WITNESS, Watch
from suite.runner.import_witness import Territory
from tests.fakes.layouts import (
    EXTRA,
    INSEPARABLE,
    PROFILE,
    SEPARABLE,
    SETUPTOOLS,
    SLOWER,
    Laid,
    Layout,
    environment,
    laid,
)
from tests.fakes.repositories import git, repository, write

LOADED = """
import importlib, json, subprocess, sys, tempfile
from pathlib import Path
sys.path.insert(0, "bench")
found = importlib.import_module({module!r})  # as the plug-in does, in the process that judges
from suite.gate.arms.arm import make_both_ready
from suite.gate.arms.spec import parse
from suite.runner.import_watch import WITNESS

sides = make_both_ready(*map(parse, {arms!r}), Path.cwd(), Path.cwd() / "bench")
for side in sides:
    with tempfile.TemporaryFile() as report:
        watched = json.dumps({{**side.origin.watched, "report": report.fileno()}})
        probe, path = {probe!r}, json.dumps(side.origin.path or sys.path)
        command = [side.origin.python, "-P", str(WITNESS), watched, probe, path, {module!r}]
        done = subprocess.run(command, pass_fds=[report.fileno()], capture_output=True, text=True)
        report.seek(0)
        print(json.dumps([done.stdout, report.read().decode(), done.stderr[-500:]]))
"""
"""Makes both sides ready as the gate does, and lets a program take the place of each side's zygote."""
PROBE = """
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
print(importlib.import_module(sys.argv[2]).EXTRA)
"""


FETCH_S = 90
"""Seconds for a build backend to be fetched; it takes some two."""


@pytest.fixture(scope="session")
def backend(tmp_path_factory):
    """Folder of a build backend by its name; fetched once."""
    folder = tmp_path_factory.mktemp("backends")

    @cache
    def is_there(name: str) -> bool:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder / name), name, "editables"]
        try:
            return subprocess.run(command, capture_output=True, check=False, timeout=FETCH_S).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def fetched(name: str) -> Path:
        if not is_there(name):
            pytest.skip(f"{name} was not had from the index within {FETCH_S} s, so that its layout is NOT tested")
        return folder / name

    return fetched


def loaded(own: Laid, module: str, tmp_path: Path, *arms: str) -> list[tuple[str, str]]:
    """For each side: the number that differs between the commits, and the file of a module of another checkout."""
    (tmp_path / "probe.py").write_text(PROBE)
    code = LOADED.format(module=module, arms=arms or ("rev:HEAD~1", "dir:."), probe=str(tmp_path / "probe.py"))
    done = own.run("-c", code)
    assert done.returncode == 0, done.stderr
    found = []
    for line in done.stdout.splitlines():
        said, seen, complained = json.loads(line)
        assert said, complained
        found.append((int(said), json.loads(seen.splitlines()[0])[1] if seen else ""))
    return found


def parametrized(layouts: dict[str, Layout]) -> list:
    """Layouts by name; what has to be installed takes seconds."""
    return [pytest.param(one, id=name, marks=[pytest.mark.nightly] * bool(one.toml)) for name, one in layouts.items()]


@pytest.mark.parametrize("layout", parametrized(SEPARABLE))
def test_each_side_loads_the_package_of_its_checkout_in_every_layout(layout, backend, tmp_path):
    own = laid(layout, tmp_path, backend)
    assert loaded(own, layout.module, tmp_path) == [(extra, "") for extra in EXTRA]


@pytest.mark.parametrize("layout", parametrized(INSEPARABLE))
def test_a_baseline_without_code_is_refused_with_the_file_that_it_loads(layout, backend, tmp_path):
    own = laid(layout, tmp_path, backend)
    (baseline, file), (candidate, also) = loaded(own, layout.module, tmp_path)
    assert (baseline, candidate) == (EXTRA[1], EXTRA[1]), "both sides would be the same code"
    assert Path(file).name in ("mynet.py", "__init__.py")
    assert bool(also) == (layout is INSEPARABLE["copied"]), "a copy is neither side's"


def test_a_release_of_the_project_in_the_environment_is_neither_sides_code(tmp_path):
    """A wheel from an index says nothing of the folder that it came from; its name does."""
    layout = Layout(toml=SETUPTOOLS)
    own = Laid(repository(tmp_path / "own", *map(layout.state, EXTRA)), environment(tmp_path / "environment"), "")
    packages = next((tmp_path / "environment").glob("lib/python*/site-packages"))
    meta = {"METADATA": "Metadata-Version: 2.1\nName: MyNet\nVersion: 0.9\n", "RECORD": "mynet/__init__.py,,\n"}
    write(packages / "mynet-0.9.dist-info", meta)
    write(packages / "mynet", {"__init__.py": "EXTRA = 9\n"})
    assert loaded(own, "mynet", tmp_path) == [(9, str(packages / "mynet" / "__init__.py"))] * 2


@pytest.mark.parametrize("other", ["linked worktree", "clone"])
def test_a_package_that_is_installed_from_another_checkout_of_the_repository_is_loaded_from_each_sides_own(
    other, tmp_path
):
    top = repository(tmp_path / "own", *map(Layout().state, EXTRA))
    if other == "clone":
        git(tmp_path, "clone", "--quiet", str(top), str(tmp_path / "other"))
    else:
        git(top, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "other"))
    write(tmp_path / "other", Layout().state(8))
    own = Laid(tmp_path / "other", environment(tmp_path / "environment", top / "src"), "")
    assert loaded(own, "mynet", tmp_path) == [(EXTRA[0], ""), (8, "")]


def test_a_clone_with_commits_that_only_it_has_is_a_checkout_of_the_repository(tmp_path):
    top = repository(tmp_path / "own", *map(Layout().state, EXTRA))
    git(tmp_path, "clone", "--quiet", str(top), str(tmp_path / "other"))
    for folder, extra in ((top, 8), (tmp_path / "other", 9)):
        repository(folder, Layout().state(extra))
    own = Laid(top, environment(tmp_path / "environment", tmp_path / "other" / "src"), "")
    assert loaded(own, "mynet", tmp_path) == [(EXTRA[1], ""), (8, "")]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[project]\nname = "My_Net"\n'),
        ("pyproject.toml", '[tool.poetry]\nname = "my.net"\n'),
        ("setup.cfg", "[metadata]\nname = my-net\n"),
        ("setup.py", 'from setuptools import setup\nif __name__ == "__main__":\n    setup(name="my-net")\n'),
        ("packages/x/pyproject.toml", '[project]\nname = "my-net"\n'),
    ],
    ids=["project", "Poetry", "setup.cfg", "setup.py", "monorepo"],
)
def test_a_copy_of_the_project_without_a_repository_is_neither_sides_code(file, text, tmp_path):
    """As an image has it in place, while its checkout is mounted elsewhere."""
    source = Path(file).parent / "src"
    layout = Layout(str(source / "mynet" / "__init__.py"), more={file: text})
    top = repository(tmp_path / "own", *map(layout.state, EXTRA))
    write(tmp_path / "image", layout.state(9))
    own = Laid(top, environment(tmp_path / "environment", tmp_path / "image" / source), "")
    assert loaded(own, "mynet", tmp_path) == [(extra, "") for extra in EXTRA]


def test_a_package_that_only_a_copy_of_the_project_has_is_refused_with_its_file(tmp_path):
    described = {"pyproject.toml": '[project]\nname = "mynet"\n'}
    top = repository(tmp_path / "own", {**described, "a.txt": "1"}, {**described, "a.txt": "2"})
    write(tmp_path / "image", Layout(more=described).state(9))
    file = tmp_path / "image" / "src" / "mynet" / "__init__.py"
    own = Laid(top, environment(tmp_path / "environment", tmp_path / "image" / "src"), "")
    (top / "bench").mkdir()
    assert loaded(own, "mynet", tmp_path, "rev:HEAD~1", "rev:HEAD") == [(9, str(file))] * 2


def test_arms_of_two_plain_folders_do_not_load_each_others_code(tmp_path):
    for name, extra in (("one", 1), ("two", 2)):
        write(tmp_path / name, Layout("mynet/__init__.py").state(extra))
    own = Laid(tmp_path / "one", environment(tmp_path / "environment", tmp_path / "one"), "")
    assert loaded(own, "mynet", tmp_path, "dir:../one", "dir:../two") == [(1, ""), (2, "")]


WAYS = """
import ctypes, importlib.machinery, importlib.util, json, os, pickle, runpy, subprocess, sys, types
sys.path[:0] = [sys.argv[1]]
import early
def by_file(name):
    spec = importlib.util.spec_from_file_location(name, f"{sys.argv[1]}/{name}.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
by_file("by_file")
sys.modules["by_hand"] = type(sys)("by_hand")
sys.modules["by_hand"].__file__ = f"{sys.argv[1]}/by_hand.py"
if os.fork() == 0:
    import late
    os._exit(0)
os.wait()
try:
    import nowhere
except ModuleNotFoundError:
    pass
import inner.part
ctypes.CDLL(f"{sys.argv[1]}/library.so")
loader = importlib.machinery.SourceFileLoader("by_loader", f"{sys.argv[1]}/by_loader.py")
loader.exec_module(types.ModuleType("by_loader"))
runpy.run_path(f"{sys.argv[1]}/by_path.py")
exec(open(f"{sys.argv[1]}/by_text.py").read())
for name in ("other", "same", "only"):
    json.load(open(f"{sys.argv[1]}/{name}.json"))
class Reader:
    read = open
Reader().read(f"{sys.argv[1]}/same.json").close()
open(f"{sys.argv[1]}/log.json", "w").close()
assert pickle.loads(pickle.dumps(open)) is open
child = "import both, sitecustomize, sys; sys.path.append(sys.argv[1]); import by_child; print(both.A, sitecustomize.A)"
found = os.pathsep.join((os.environ["PYTHONPATH"], sys.argv[1], sys.argv[2]))
command = [sys.executable, "-c", child, sys.argv[1]]
done = subprocess.run(command, env={**os.environ, "PYTHONPATH": found}, capture_output=True, text=True)
assert done.stdout == "own environment's\\n", done.stdout + done.stderr
"""


def test_a_module_of_another_checkout_is_seen_whenever_and_however_it_is_loaded(tmp_path):
    """Early, in a fork, in a process, from a path, by hand; folders alone; a library; code and data that are read.

    Not one that is in no checkout, nor data that is the same in this side's checkout, or missing there.
    """
    other, own = tmp_path / "other", tmp_path / "own"
    modules = ("early", "late", "by_file", "by_hand", "inner/part", "by_loader", "by_path", "by_text", "by_child")
    write(other, {f"{name}.py": "" for name in modules})
    write(tmp_path, {"other/both.py": "A = 'other'", "own/both.py": "A = 'own'"})
    write(tmp_path, {"environment/sitecustomize.py": 'A = "environment\'s"'})
    write(other, {"other.json": "1", "same.json": "1", "only.json": "1"})
    write(own, {"program.py": WAYS, "other.json": "2", "same.json": "1", "log.json": "1"})
    shutil.copy(_ctypes.__file__, other / "library.so")
    with (tmp_path / "seen").open("w+b") as seen:
        free = [str(other / "site-packages")]
        watched = {"roots": [str(other)], "own": str(own), "free": free, "copies": [], "report": seen.fileno()}
        command = [sys.executable, "-P", str(WITNESS), json.dumps(watched), str(own / "program.py"), str(other)]
        subprocess.run([*command, str(tmp_path / "environment")], check=True, pass_fds=[seen.fileno()])
        seen.seek(0)
        names = [json.loads(line)[0] for line in seen.read().splitlines()]
    used = {"library.so", "by_loader", "by_path.py", "by_text.py", "other.json", "by_child"}
    assert set(names) == {"early", "late", "by_file", "by_hand", "inner", "inner.part", *used}


def test_files_of_a_sides_modules_are_known_with_their_contents_at_import(tmp_path):
    """Also an archive, and a file that changes as soon as it was imported."""
    own = tmp_path / "own"
    program = (
        "import sys; sys.path += sys.argv[1:]; import changing, packed; open(changing.__file__, 'w').write('A = 2')"
    )
    write(own, {"program.py": program, "changing.py": "A = 1"})
    with zipfile.ZipFile(own / "archive.zip", "w") as archive:
        archive.writestr("packed.py", "")
    before = code_identity.of_file(own / "changing.py")
    watch = Watch({"roots": [], "own": str(own), "free": [], "copies": []})
    command = [sys.executable, *watch.command, str(own / "program.py"), str(own), str(own / "archive.zip")]
    subprocess.run(command, check=True, pass_fds=watch.open_files)
    found = dict(watch.loaded_files())
    watch.close()
    assert found[own / "changing.py"] == before != code_identity.of_file(own / "changing.py")
    assert found[own / "archive.zip"] == code_identity.of_file(own / "archive.zip")


def test_code_that_changed_since_it_was_imported_or_since_the_gate_was_interrupted_is_refused(tmp_path):
    file = tmp_path / "net.py"
    kept: dict[str, str] = {}
    file.write_text("A = 1")
    loaded_code, was = LoadedCode(), str(code_identity.of_file(file))
    loaded_code.refuse_changed([(file, was), (tmp_path / "gone.py", "removed")], 1, "comparison")
    loaded_code.keep_in(kept.update)
    assert kept == {str(file): was, str(tmp_path / "gone.py"): "removed"}
    file.write_text("A = 2")
    now = str(code_identity.of_file(file))
    for code, seen in ((loaded_code, was), (LoadedCode(), was), (LoadedCode(kept), now)):
        with pytest.raises(NotComparableError, match="changed while it was measured"):
            code.refuse_changed([(file, seen)], 1, "comparison")
    LoadedCode().refuse_changed([(file, now)], 1, "comparison")


def test_the_deepest_checkout_decides_whose_a_file_is(tmp_path):
    """The gate's checkouts lie within the repository, and an environment may."""
    top = tmp_path.resolve()
    nested, packages = top / ".stepmark" / "checkouts" / "abc", top / ".venv" / "lib" / "site-packages"
    (nested / "src").mkdir(parents=True)
    (top / "src").mkdir()
    roots, free = [str(top), str(nested)], [str(top / "conda")]
    baseline = Territory(roots, str(nested), free, [str(packages / "mine")])
    candidate = Territory(roots, str(top), free, [str(packages / "mine")])
    for file, of in (
        (nested / "src" / "a.py", (False, True)),
        (top / "src" / "a.py", (True, False)),
        (packages / "a.py", (False, False)),
        (packages / "mine" / "a.py", (True, True)),
        (top / "conda" / "a.py", (False, False)),
        (top.parent / "a.py", (False, False)),
    ):
        assert (baseline.is_stray(str(file)), candidate.is_stray(str(file))) == of, file
    assert baseline.moved(str(top / "src")) == str(nested / "src")
    assert baseline.moved(str(top / "gone")) == str(top / "gone")
    assert candidate.moved(str(nested / "src")) == str(top / "src")


@pytest.mark.slow
def test_a_gate_whose_baseline_would_run_the_candidates_code_ends_with_12_and_the_modules_name(tmp_path):
    layout = INSEPARABLE["ignored-by-git"]
    own = laid(layout, tmp_path, lambda name: tmp_path / name)
    done = own.gate("--baseline", "rev:HEAD~1", "--candidate", "dir:.", "--out", "out")
    assert done.returncode == 12, done.stderr
    checkout = own.top / ".stepmark" / "checkouts" / git(own.top, "rev-parse", "HEAD~1")[:12]
    assert done.stderr == (
        f"stepmark: the baseline cannot be measured: module 'mynet' comes from {own.top / 'build' / 'mynet.py'}, "
        f"and not from the checkout that is measured ({checkout}); install its project in place (`pip install -e`) "
        "from a folder that git keeps, or build in that checkout what git does not keep.\n"
    )
    assert not (own.top / "out").exists()


@pytest.mark.nightly
def test_a_module_that_a_step_loads_late_ends_the_gate_while_it_measures(tmp_path):
    layout = INSEPARABLE["ignored-by-git"]
    own = laid(layout, tmp_path, lambda name: tmp_path / name)
    late = "def build(*sizes):\n    import mynet\n    return mynet.build(*sizes)\n"
    levels = f"from suite.registry import STRUCTURES\n{late}STRUCTURES.register('mine', depth=1)(build)\n"
    write(own.top, {"bench/my_levels.py": levels})
    git(own.top, "commit", "--quiet", "--all", "-m", "late")
    write(own.top, {"notes.txt": "another state"})
    done = own.gate("--baseline", "rev:HEAD", "--candidate", "dir:.", "--metric", "allocations", "--out", "out")
    assert done.returncode == 12, done.stderr
    assert "the baseline cannot be measured: module 'mynet' comes from " in done.stderr


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["src-path", "src-hatchling", "renamed-setuptools-finder"])
def test_a_package_that_grew_is_found_by_the_gate_wherever_it_lies(name, backend, tmp_path):
    own = laid(SEPARABLE[name], tmp_path, backend)
    done = own.gate("--baseline", "rev:HEAD~1", "--candidate", "dir:.", "--metric", "allocations", "--out", "out")
    assert done.returncode == 10, done.stderr
    same = own.gate("--baseline", "rev:HEAD", "--candidate", "dir:.,env:A=1", "--metric", "allocations")
    assert same.returncode == 0, same.stderr


@pytest.mark.nightly
@pytest.mark.alone
@pytest.mark.parametrize("name", SEPARABLE)
def test_a_package_that_makes_a_step_about_30_percent_slower_is_found_in_every_layout(name, backend, tmp_path):
    own = laid(SEPARABLE[name], tmp_path, backend, SLOWER)
    done = own.gate("--baseline", "rev:HEAD~1", "--candidate", "dir:.", "--metric", "step_time", "--budget", "2m")
    assert done.returncode == 10, done.stdout + done.stderr
    assert "regression: mine-sgd-cpu-b4-i8 has regressed by " in done.stdout


@pytest.mark.nightly
@pytest.mark.parametrize("name", INSEPARABLE)
def test_a_gate_of_a_package_that_no_commit_keeps_apart_ends_with_12_and_the_module(name, backend, tmp_path):
    own = laid(INSEPARABLE[name], tmp_path, backend, SLOWER)
    done = own.gate("--baseline", "rev:HEAD~1", "--candidate", "dir:.", "--metric", "step_time", "--budget", "2m")
    assert done.returncode == 12, done.stdout + done.stderr
    assert "module 'mynet' comes from " in done.stderr


RELATIVE = """
import _ctypes
import json
import shutil
from torch import nn
from suite.registry import STRUCTURES

@STRUCTURES.register("mine", depth=1)
def mine(num_classes, image_size):
    with open("bench/layers.json") as file:
        more = [nn.Linear(64, 64) for _ in range(json.load(file))]
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size * image_size, 64), *more, nn.Linear(64, num_classes))
"""


@pytest.mark.nightly
def test_a_side_reads_the_files_of_its_checkout_by_relative_paths(tmp_path):
    states = [
        {"bench/layers.json": number, "bench/my_levels.py": RELATIVE, "bench/profiles.toml": PROFILE} for number in "06"
    ]
    own = Laid(repository(tmp_path / "own", *states), environment(tmp_path / "environment"), "")
    done = own.gate("--baseline", "rev:HEAD~1", "--metric", "allocations", "--out", "out")
    assert done.returncode == 10, done.stdout + done.stderr


@pytest.mark.slow
def test_a_gate_whose_code_changes_while_it_measures_ends_with_12_and_the_file(tmp_path):
    """Blocks of two codes would make one verdict. Here the candidate's network changes its module."""
    layout = Layout(search="src")
    later = layout.state(EXTRA[1])
    later[layout.package] = later[layout.package].replace("nn\n", "nn\n    open(__file__, 'a').write('#')\n", 1)
    own = Laid(
        repository(tmp_path / "own", layout.state(EXTRA[0]), later), environment(tmp_path / "environment"), "src"
    )
    done = own.gate("--baseline", "rev:HEAD~1", "--metric", "allocations", "--out", "out")
    assert done.returncode == 12, done.stdout + done.stderr
    assert f"{own.top / layout.package} of the candidate changed while it was measured" in done.stderr
    assert '"kind": "memory"' not in (own.top / "out" / "gate.jsonl").read_text(), (
        "what was measured with it is not kept"
    )
