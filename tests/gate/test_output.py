"""Files, summary and annotations of a verdict; none that cannot be made costs the verdict."""

import pytest

from suite.gate import output
from suite.gate.formats import FORMATS, render
from tests.fakes import made_verdicts

REGRESSION = made_verdicts.regression_of_a_case()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes the verdict to `tmp_path`; what is printed, and the sentences."""
    for variable in (output.SUMMARY_VARIABLE, output.ACTIONS_VARIABLE):
        monkeypatch.delenv(variable, raising=False)

    def write(verdict=REGRESSION, **variables):
        for variable, value in variables.items():
            monkeypatch.setenv(variable, str(value))
        warnings: list[str] = []
        return list(output.write(verdict, tmp_path, warnings.append)), warnings

    return write


def test_a_verdict_is_printed_and_written_in_every_format(written, tmp_path):
    summary = tmp_path / "summary"
    summary.write_text("of a step before\n")
    printed, warnings = written(GITHUB_STEP_SUMMARY=summary, GITHUB_ACTIONS="true")
    assert printed == [render(REGRESSION, "github"), render(REGRESSION, "table"), str(tmp_path / "gate.html")]
    assert warnings == []
    assert {path.name for path in tmp_path.iterdir()} == {*output.FILES, "summary"}
    assert summary.read_text() == "of a step before\n" + render(REGRESSION, "markdown") + "\n"


def test_no_file_and_no_line_has_a_character_that_a_terminal_obeys(written, tmp_path):
    printed, warnings = written(made_verdicts.nasty(), GITHUB_STEP_SUMMARY=tmp_path / "summary", GITHUB_ACTIONS="true")
    assert warnings == []
    texts = [*printed, *(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())]
    assert [text for text in texts if "\x00" in text or "\x1b" in text] == []


def test_a_job_summary_that_is_not_there_costs_one_sentence(written, tmp_path):
    summary = tmp_path / "gone" / "step_summary"
    printed, warnings = written(GITHUB_STEP_SUMMARY=summary)
    assert render(REGRESSION, "table") in printed
    assert warnings == [f"cannot write {summary}: No such file or directory. The verdict stands."]
    assert {path.name for path in tmp_path.iterdir()} == set(output.FILES)


@pytest.mark.parametrize("name", output.FILES)
def test_a_file_that_cannot_be_written_costs_one_sentence(written, tmp_path, name):
    (tmp_path / name).mkdir()
    printed, warnings = written()
    assert render(REGRESSION, "table") in printed
    assert warnings == [f"cannot write {tmp_path / name}: Is a directory. The verdict stands."]
    assert all((tmp_path / other).is_file() for other in output.FILES if other != name)


@pytest.mark.parametrize("form", ["json", "junit", "markdown", "page", "github"])
def test_a_format_that_fails_costs_its_sentences(written, monkeypatch, tmp_path, form):
    def fail(_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setitem(FORMATS, form, fail)
    printed, warnings = written(GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=tmp_path / "summary")
    assert render(REGRESSION, "table") in printed
    assert len(warnings) == (2 if form == "markdown" else 1), "the summary is the same text"
    assert all("RuntimeError: Could not determine home directory; " in text for text in warnings)
