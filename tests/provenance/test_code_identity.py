"""Identity of measured code: it changes if and only if a file changes that could be imported."""

import os

import pytest

from suite.provenance import code_identity, environment, plugin_identity
from suite.records.compatibility import CODE, NOT_CODE, differences
from tests.fakes.repositories import git, repository, write


@pytest.fixture
def own(tmp_path):
    return repository(tmp_path / "own", {"mine.py": "A = 1\n", "pack/inner.py": "B = 1\n", ".gitignore": "results/\n"})


def diff(folder):
    return code_identity.of_checkout(folder)["diff_sha256"]


def test_a_checkout_without_differences_is_its_commit_and_branch(own):
    revision = git(own, "rev-parse", "HEAD")
    clean = {"revision": revision, "branch": "trunk", "dirty": False, "diff_sha256": None}
    assert code_identity.of_checkout(own) == clean
    assert code_identity.of_checkout(own / "pack") == clean, "from a folder within"
    os.utime(own / "mine.py", (1, 1))
    write(own, {"results/new.py": "", "out/gate.jsonl": "{}"})
    assert code_identity.of_checkout(own) == clean, "results and what git ignores are no code"


def test_every_change_of_code_is_another_hash_and_taking_it_back_is_the_first_one(own):
    seen = [diff(own)]
    changes = [
        lambda: write(own, {"mine.py": "A = 2\n"}),
        lambda: write(own, {"mine.py": "A = 3\n"}),
        lambda: git(own, "add", "mine.py"),
        lambda: write(own, {"pack/new.py": ""}),
        lambda: write(own, {"pack/new.py": "C = 1\n"}),
        lambda: (own / "pack" / "inner.py").unlink(),
    ]
    for change in changes:
        change()
        seen.append(diff(own))
    assert seen[2] == seen[3], "staged or not is the same code"
    assert len(set(seen)) == len(seen) - 1
    git(own, "reset", "--hard", "--quiet")
    git(own, "clean", "-fdq")
    assert diff(own) is None


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_that_git_was_asked_not_to_see_is_another_hash(flag, own):
    git(own, "update-index", flag, "mine.py")
    assert diff(own) is None
    seen = set()
    for text in ("A = 2\n", "A = 3\n"):
        write(own, {"mine.py": text})
        assert code_identity.of_checkout(own)["dirty"]
        seen.add(diff(own))
    assert len(seen - {None}) == 2


def test_files_that_a_sparse_checkout_leaves_out_are_no_change(own):
    git(own, "sparse-checkout", "set", "--no-cone", "/pack/")
    assert not (own / "mine.py").exists()
    assert diff(own) is None


def test_compiled_modules_next_to_others_and_repositories_within_one_are_code(own):
    write(own, {".gitignore": "*.so\nbuild/\n"})
    git(own, "add", ".gitignore")
    git(own, "commit", "--quiet", "--message", "built")
    write(own, {"build/pack/_fast.so": "elsewhere"})
    seen = [diff(own)]
    for text in ("one", "two"):
        write(own, {"pack/_fast.so": text})
        seen.append(diff(own))
    repository(own / "nested", {"net.py": "A = 1\n"})
    seen.append(diff(own))
    write(own / "nested", {"net.py": "A = 2\n"})
    seen.append(diff(own))
    assert seen[0] is None
    assert len(set(seen)) == len(seen)


def test_a_link_to_a_name_that_is_no_utf_8_is_another_hash(own):
    (own / "link.py").symlink_to(os.fsdecode(b"\xff.py"))
    assert diff(own) is not None


def test_a_users_own_settings_of_git_change_no_hash(own, monkeypatch):
    write(own, {"mine.py": "A = 2\n", "ümlaut name.py": ""})
    before = diff(own)
    for setting in ("diff.noprefix", "diff.mnemonicPrefix", "core.quotePath", "status.short"):
        git(own, "config", setting, "true")
    git(own, "config", "status.showUntrackedFiles", "no")
    git(own, "config", "diff.external", "/bin/false")
    assert diff(own) == before


def test_facts_of_an_unknown_commit_give_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "folder").mkdir()
    nothing = dict.fromkeys(("revision", "branch", "dirty", "diff_sha256"))
    outside = code_identity.of_checkout(tmp_path / "folder")
    assert outside == {**nothing, "reason": f"{tmp_path / 'folder'} is in no git repository"}
    git(tmp_path / "folder", "init")
    assert "no such commit" in code_identity.of_checkout(tmp_path / "folder")["reason"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_identity.of_checkout(tmp_path) == {**nothing, "reason": "there is no git on the PATH"}


def test_a_plug_in_is_the_files_of_its_module_or_package(own):
    write(own, {"whole/__init__.py": "", "whole/part.py": "", "whole/data.json": "{}"})

    def now():
        return plugin_identity.of_plugins(["mine", "whole", "pack.inner", "gone"], [str(own)])

    before = now()
    assert before["gone"] is None
    assert None not in (before["mine"], before["whole"], before["pack.inner"])
    write(own, {"whole/part.py": "C = 1\n", "whole/data.json": "[]"})
    after = now()
    assert [name for name in before if before[name] != after[name]] == ["whole"]
    assert plugin_identity.of_plugins(["tests.fakes.repositories"])["tests.fakes.repositories"] is not None


def test_a_library_next_to_a_plug_in_is_code_of_its_run(own, monkeypatch):
    monkeypatch.syspath_prepend(own)

    def changed():
        return differences(before, environment.code_of_run(["mine"]), CODE, ignore=NOT_CODE)

    before = environment.code_of_run(["mine"])
    assert changed() == []
    write(own, {"pack/inner.py": "B = 2\n"})
    assert [text.partition(":")[0] for text in changed()] == ["plugins.project own"]
    git(own, "commit", "--quiet", "--all", "--message", "another")
    assert [text.partition(":")[0] for text in changed()] == ["plugins.project own"]
