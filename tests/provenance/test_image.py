"""A record made inside an image names the image, its digest and the commit of its files; no other record does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suite import report
from suite.provenance import environment, image
from suite.records.compatibility import IGNORED, TO_COMPARE, TO_RESUME, differences
from tests.fakes.html_page import Page
from tests.fakes.made_runs import ENVIRONMENT, measured, quick_run, run

WRITTEN = {"variant": "full", "base": "debian", "lock_sha256": "1" * 64, "built_by": "make image BASE_IMAGE=debian"}
COMMIT = {"revision": "2" * 40, "branch": None, "dirty": False, "diff_sha256": None}


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder in an image, without git."""
    monkeypatch.setattr(image, "FACTS", tmp_path / "stepmark-image.json")
    image.FACTS.write_text(json.dumps(WRITTEN))
    monkeypatch.setenv("STEPMARK_IMAGE", "localhost/stepmark:full")
    monkeypatch.setenv("STEPMARK_IMAGE_DIGEST", "sha256:" + "3" * 64)
    project = tmp_path / "stepmark"
    project.mkdir()
    (project / "commit.json").write_text(json.dumps(COMMIT))
    monkeypatch.setattr(environment, "PROJECT", project)
    monkeypatch.setenv("PATH", str(tmp_path))
    return project


def test_the_image_s_name_digest_and_lock_are_facts_of_the_container(inside):
    found = environment.container()
    own = {"name": "localhost/stepmark:full", "config_digest": "sha256:" + "3" * 64}
    assert found["image"] == {**own, **WRITTEN}
    assert found["inside"] is True


def test_an_image_that_was_started_by_hand_has_no_known_digest(inside, monkeypatch):
    monkeypatch.delenv("STEPMARK_IMAGE_DIGEST")
    assert environment.container()["image"]["config_digest"] is None


def test_no_other_container_has_an_image(monkeypatch, tmp_path):
    monkeypatch.setattr(image, "FACTS", tmp_path / "none")
    monkeypatch.setenv("STEPMARK_IMAGE_DIGEST", "sha256:" + "3" * 64)
    assert environment.container()["image"] is None


def test_the_commit_is_that_of_the_image_s_files(inside):
    assert environment.commit() == COMMIT


def test_a_checkout_mounted_over_the_image_s_files_does_not_have_their_commit(inside):
    (inside / "commit.json").unlink()
    assert environment.commit()["revision"] is None


@pytest.mark.parametrize("text", ["", "[]", "no json"])
def test_a_damaged_file_of_facts_is_a_note_and_no_error(inside, text, monkeypatch):
    monkeypatch.setattr("suite.machine.readings.NOTES", notes := {})
    image.FACTS.write_text(text)
    (inside / "commit.json").write_text(text)
    assert environment.container()["image"] is None
    assert environment.commit()["revision"] is None
    assert set(notes) == {"image.facts", "image.commit_of"}


def test_a_run_is_resumed_in_the_same_image_alone_and_compared_with_any():
    one, other = ({**ENVIRONMENT, "container": {"image": {"config_digest": digest}}} for digest in "12")
    assert differences(one, other, TO_RESUME) == ["container.image.config_digest: 1, now 2"]
    assert differences(one, other, TO_COMPARE, ignore=IGNORED) == []


def test_a_record_from_before_says_nothing_of_images():
    before, after = ({**ENVIRONMENT, "container": {**ENVIRONMENT["container"], **more}} for more in ({}, {"image": {}}))
    assert differences(before, after, TO_RESUME) == []


@pytest.mark.slow
def test_the_page_shows_the_image_and_the_command_that_builds_it():
    record = quick_run().cases[0]
    facts = {**ENVIRONMENT, "container": {"inside": True, "image": {"config_digest": "sha256:3", **WRITTEN}}}
    page = Page(report.render(run([measured(record.case, 0.01)], environment=facts)))
    assert "sha256:3" in page.words("environment")
    assert "make image BASE_IMAGE=debian" in page.words("environment")
