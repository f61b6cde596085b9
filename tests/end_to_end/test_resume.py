"""A run goes on only with the code that began it, and what an older record does not say is no other code."""

import json
from pathlib import Path

import pytest

from suite.provenance.environment import commit
from suite.records.store import read_run
from tests.conftest import Desk


def rewritten(folder: Path, change) -> None:
    """The record of a run as it would be had it been interrupted after its first case, with its header changed."""
    file = folder / "record.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    change(lines[0])
    file.write_text("".join(json.dumps(line) + "\n" for line in lines[:2]))


@pytest.mark.slow
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
