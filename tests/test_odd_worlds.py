"""One case in each of the worlds that machines are: a measured record with its footer, a table, a page, exit code 0."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.matrix import CASES_FOLDER
from tests.conftest import MY_LEVELS, PROFILES

ROOT = CASES_FOLDER.parent
NOBODY = "4321"
CAPABILITY = "+dac_read_search"
"""So that the interpreter may be read wherever it lies; nothing else of root is kept."""
UNNAMED = [
    *("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"),
    *("--inh-caps", CAPABILITY, "--ambient-caps", CAPABILITY),
]
WORLDS: dict[str, tuple[list[str], dict[str, str | None]]] = {
    "a user without a name or a home": (UNNAMED, {"HOME": None, "USER": None, "LOGNAME": None}),
    "a umask of 077": (["sh", "-c", 'umask 077; exec "$@"', "sh"], {}),
    "optimised bytecode": ([], {"PYTHONOPTIMIZE": "1"}),
    "warnings that are errors": ([], {"PYTHONWARNINGS": "error"}),
    "an ASCII terminal": ([], {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}),
    "a closed standard input": (["sh", "-c", 'exec "$@" <&-', "sh"], {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_a_case_is_measured_in(tmp_path: Path, world: str) -> None:
    before, changes = WORLDS[world]
    if "setpriv" in before and os.geteuid():
        pytest.skip("only root can be another user")
    folder = tmp_path / "a folder of Jürgen's"
    folder.mkdir()
    (folder / "profiles.toml").write_text(PROFILES)
    (folder / "my_levels.py").write_text(MY_LEVELS.read_text())
    for path in (folder, *list(folder.parents)[:4]):
        if path.owner() == "root" and path != Path("/tmp"):  # noqa: S108 - the parents that pytest made
            path.chmod(0o777)
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **changes}
    done = subprocess.run(
        [
            *(*before, sys.executable, "-m", "pytest", str(CASES_FOLDER), "-p", "no:cacheprovider", "--passes", "1"),
            *("--profiles", "profiles.toml", "--profile", "tiny", "-k", "tiny-sgd", "--threads", "1"),
            *("--surveys", "none", "--record", "here"),
        ],
        cwd=folder,
        env={name: value for name, value in variables.items() if value is not None},
        capture_output=True,
        check=False,
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, said
    lines = [json.loads(line) for line in (folder / "here" / "record.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["header", "case", "footer"]
    assert lines[-1]["counts"] == {"measured": 1, "skipped": 0, "failed": 0}
    assert (folder / "here" / "report.html").stat().st_size > 10_000
    assert "Name (time in" in said
