"""The configuration file of a folder: where it is looked for, and files that are no configuration."""

from pathlib import Path

import pytest

from suite.configuration.files import configuration_here, configuration_of, file_for
from suite.options import COMMANDS
from suite.records import StepmarkError

TABLE = '[tool.stepmark]\nprofile = "mine"\n'
NO_TABLE = '[project]\nname = "uses-stepmark"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The top of a repository with folders `a/b`."""
    top = tmp_path / "project"
    (top / "a" / "b").mkdir(parents=True)
    (top / ".git").mkdir()
    return top


@pytest.mark.parametrize(("name", "text"), [("stepmark.toml", 'profile = "mine"\n'), ("pyproject.toml", TABLE)])
def test_the_nearest_folder_above_configures_a_folder(project, name, text):
    (project / name).write_text(text)
    (project / "a" / name).write_text(text)
    assert file_for(project / "a" / "b") == project / "a" / name
    assert file_for(project) == project / name
    assert configuration_here(project / "a" / "b").values_of("gate")["profile"].text == "mine"


def test_a_pyproject_without_the_table_is_passed_over(project):
    (project / "stepmark.toml").write_text("")
    (project / "a" / "pyproject.toml").write_text(NO_TABLE)
    assert file_for(project / "a" / "b") == project / "stepmark.toml"


@pytest.mark.parametrize("mark", ["folder", "file"])
def test_a_file_above_the_top_of_the_repository_configures_nothing(tmp_path, project, mark):
    (tmp_path / "stepmark.toml").write_text("")
    if mark == "file":  # as in a work tree and a submodule
        (project / ".git").rmdir()
        (project / ".git").write_text("gitdir: elsewhere\n")
    assert file_for(project / "a" / "b") is None
    (project / ".git").rename(project / "no_git")
    assert file_for(project / "a" / "b") == tmp_path / "stepmark.toml"


def test_two_files_in_one_folder_are_refused(project):
    (project / "stepmark.toml").write_text("")
    (project / "pyproject.toml").write_text(TABLE)
    with pytest.raises(StepmarkError) as refused:
        file_for(project / "a")
    assert str(refused.value) == (
        f"{project} has both stepmark.toml and a table [tool.stepmark] in pyproject.toml; allowed: one of them; "
        "remove one."
    )
    (project / "pyproject.toml").write_text(NO_TABLE)
    assert file_for(project / "a") == project / "stepmark.toml"


def test_a_broken_pyproject_counts_only_if_it_may_be_about_stepmark(project):
    (project / "pyproject.toml").write_text("[tool.other\n")
    assert file_for(project) is None
    (project / "pyproject.toml").write_text("[tool.stepmark\n")
    with pytest.raises(StepmarkError, match=r"pyproject\.toml is not valid TOML: .*\.$"):
        file_for(project)


@pytest.mark.parametrize("text", ["tool = 3\n# stepmark\n", "[tools.stepmark]\n", ""])
def test_a_pyproject_without_a_table_of_tools_configures_nothing(project, text):
    (project / "pyproject.toml").write_text(text)
    assert file_for(project) is None


def test_a_folder_named_as_the_file_configures_nothing(project):
    (project / "stepmark.toml").mkdir()
    assert file_for(project) is None


def test_a_pyproject_that_is_named_has_to_have_the_table(project):
    (project / "pyproject.toml").write_text(NO_TABLE)
    with pytest.raises(StepmarkError, match=r"pyproject\.toml has no table \[tool\.stepmark\]; allowed: "):
        configuration_of(project / "pyproject.toml")


def test_both_files_mean_the_same_with_the_same_lines(project, tmp_path):
    lines = 'plugins = ["levels"]\nthreads = 2\nprofiles = "more.toml"\n'
    lines += '[{0}gate]\nbudget = "5m"\n[{0}run]\npasses = 4\n'
    (project / "stepmark.toml").write_text(lines.format(""))
    (project / "a" / "pyproject.toml").write_text("[tool.stepmark]\n" + lines.format("tool.stepmark."))
    alone, shared = configuration_here(project), configuration_here(project / "a")
    assert alone.plugins == shared.plugins == ("levels",)
    for command in COMMANDS:
        texts = [{name: value.text for name, value in one.values_of(command).items()} for one in (alone, shared)]
        for folder, found in zip((project, project / "a"), texts, strict=True):
            if command != "compare":
                assert found.pop("profiles") == str(folder / "more.toml")
        assert texts[0] == texts[1]


def test_without_a_file_nothing_is_set(project, monkeypatch):
    monkeypatch.setattr("os.environ", {})
    configuration = configuration_here(project)
    assert [configuration.values_of(command) for command in COMMANDS] == [{}, {}, {}]
    assert configuration.records == Path("reports")
