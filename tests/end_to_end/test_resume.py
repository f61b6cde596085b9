"""A run goes on only with the code that began it, and what an older record does not say is no other code."""

import json
import shutil
from pathlib import Path

import pytest

from suite.provenance.environment import commit
from suite.records.store import read_run
from tests.conftest import Desk, Finished


def rewritten(folder: Path, change) -> None:
    """The record of a run as it would be had it been interrupted after its first case, with its header changed."""
    file = folder / "record.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    change(lines[0])
    file.write_text("".join(json.dumps(line) + "\n" for line in lines[:2]))


@pytest.mark.nightly
def test_a_run_is_resumed_with_the_same_code_alone(desk: Desk) -> None:
    done = desk.run("--profile", "tiny", "--passes", "1", "--record", "run", "-k", "adam")
    assert done.code == 0, done.out
    folder = desk.folder / "run"

    other = {"commit": {**commit(), "revision": "0123456"}, "plugins": {"my_levels": "ab12"}}
    rewritten(folder, lambda header: header["environment"].update(other))
    refused = desk.run("--resume", "run")
    assert refused.code == 2
    said = refused.out + refused.err
    assert "cannot be resumed: the code has changed (commit.revision: 0123456, now " in said
    assert "plugins.my_levels: ab12, now " in said

    def as_an_older_version_wrote_it(header):
        environment = header["environment"]
        environment["commit"] = commit()
        del environment["plugins"], environment["variables"]

    rewritten(folder, as_an_older_version_wrote_it)
    done = desk.run("--resume", "run")
    assert done.code == 0, done.out + done.err
    (resumed,) = read_run(folder).footer.resumed
    assert resumed["not_compared"] == ["plugins", "variables"], "a record of before these were recorded"


@pytest.fixture
def interrupted(finished: Finished, tmp_path: Path) -> Desk:
    """A desk with a run of four cases that ended after the first."""
    desk = Desk(tmp_path / "desk")
    shutil.copytree(finished.folder, desk.folder)
    profiles = str(desk.folder / "profiles.toml")
    rewritten(desk.folder / "here", lambda header: header["selection"].update(profiles_file=profiles))
    return desk


@pytest.mark.nightly
def test_a_run_that_is_resumed_with_some_of_its_cases_stays_open_for_the_others(interrupted: Desk) -> None:
    folder = interrupted.folder / "here"
    before = read_run(folder)
    chosen = next(case_id for case_id in before.header.planned if case_id != before.cases[0].case.id)
    done = interrupted.run("--resume", "here", "-k", chosen)
    assert done.code == 0, done.out + done.err
    assert "interrupted: 2 cases have no outcome; continue with: " in done.out
    assert read_run(folder).footer is None
    done = interrupted.run("--resume", "here")
    assert done.code == 0, done.out + done.err
    assert read_run(folder).footer.counts["measured"] == 4


@pytest.mark.slow
def test_a_run_whose_profile_lost_a_planned_case_is_not_resumed(interrupted: Desk) -> None:
    profiles = interrupted.folder / "profiles.toml"
    profiles.write_text(profiles.read_text().replace('"tiny", "tinier"', '"raises"'))
    done = interrupted.run("--resume", "here")
    assert done.code == 2
    assert "here cannot be resumed: profile 'tiny' no longer has 3 of its cases, such as " in done.out + done.err


@pytest.mark.nightly
def test_a_run_whose_code_changes_before_its_end_says_so_in_its_summary_and_its_record(desk: Desk) -> None:
    levels = desk.folder / "my_levels.py"
    levels.write_text(levels.read_text() + "\nopen(__file__, 'a').write('#')\n")
    done = desk.run("--profile", "tiny", "--passes", "2", "--record", "run", "-k", "tiny-adam")
    assert done.code == 0, done.out + done.err
    assert "note    the code changed or was committed during the run (plugins.my_levels: " in done.out
    (changed,) = read_run(desk.folder / "run").footer.environment["code_changed"]
    assert changed.startswith("plugins.my_levels: ")
