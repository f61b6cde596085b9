"""A page with `--private` names neither the machine nor a folder."""

import subprocess
import sys
from dataclasses import replace

import pytest

from suite.records.redaction import without_names
from tests.fakes.made_runs import ENVIRONMENT, SELECTION, quick_run


def test_names_and_folders_are_left_out_at_any_depth():
    machine = {**ENVIRONMENT["machine"], "host": "bench-1", "paths": ["/home/jo/x.py", "~/y", "/proc/self", "a/b"]}
    run = quick_run()
    header = replace(
        run.header,
        environment={**ENVIRONMENT, "machine": machine, "note": "bench-1 wrote /srv/data/a.txt, 'rev:/home/jo/b'"},
        selection={**SELECTION, "profiles_file": "/home/jo/bench/mine.toml"},
    )
    found = without_names(replace(run, header=header), ["bench-1", ""])
    assert found.header.environment["machine"]["host"] == "hidden"
    assert found.header.environment["machine"]["paths"] == ["…/x.py", "…/y", "/proc/self", "a/b"]
    assert found.header.environment["note"] == "hidden wrote …/a.txt, 'rev:…/b'"
    assert found.header.selection["profiles_file"] == "…/mine.toml"
    assert found.cases == run.cases


@pytest.mark.parametrize("way", ["option", "variable"])
def test_a_private_export_has_no_host(tmp_path, way):
    golden = "tests/golden/record_schema_5"
    line = [sys.executable, "-m", "suite.cli", "export", golden, "--format", "pytest-benchmark"]
    open_text = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert '"node": "golden"' in open_text
    if way == "option":
        done = subprocess.run([*line, "--private"], capture_output=True, text=True, check=True)
    else:
        done = subprocess.run(["env", "STEPMARK_PRIVATE=1", *line], capture_output=True, text=True, check=True)
    assert '"node": "hidden"' in done.stdout
