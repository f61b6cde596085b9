"""The workflow of images and the examples for CI: their steps run here, with stand-ins for what is elsewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from suite.machine.containers import ulimits
from suite.records.store import read_run
from tests.conftest import PROJECT
from tests.docker.this_machine import Podman

yaml = pytest.importorskip("yaml", reason="pre-commit brings it")

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"^([A-Z_]+) \\?=", MAKEFILE, re.MULTILINE))
PAGE = (PROJECT / "docs" / "images.md").read_text(encoding="utf-8")
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
GITHUB = next(one for one in EXAMPLES if "jobs" in one)
GITLAB = next(one for one in EXAMPLES if "bench" in one)
REFERENCE = "ghcr.io/OWNER/stepmark@sha256:DIGEST"
SHELLS = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}
"""How GitHub starts the script of a step, by its key `shell`."""
ONE, OTHER = ("sha256:" + digit * 64 for digit in "12")
MAKE = """\
echo "python3 docker/image.py"
case $1 in
image-verify) echo "config    $COMPARED  twice"; exit $DIFFERS ;;
image) echo "image     localhost/stepmark:full"; echo "config    $BUILT" ;;
esac
"""
PODMAN = """\
echo "podman $*" >> "$CALLS"
case $1 in login) cat > /dev/null ;; push) echo sha256:pushed > "$3" ;; esac
"""
DOCKER = """\
for word; do if [ "$word" = "{reference}" ]; then word={image}; fi; words+=("$word"); done
exec podman run {limits} "${{words[@]:1}}"
"""
"""Podman in place of Docker, with an image of this machine in place of the published one.

Without the right to raise a process's limits, a container gets those of this machine.
"""


def steps(workflow: Path) -> Iterator[Mapping[str, Any]]:
    """Steps of a workflow's jobs that run a script."""
    for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
        yield from (step for step in job["steps"] if "run" in step)


def step_with(text: str) -> Mapping[str, Any]:
    """The step of the images' workflow whose script contains a text."""
    (found,) = (step for step in steps(PROJECT / ".github" / "workflows" / "image.yml") if text in step["run"])
    return found


def ran(step: Mapping[str, Any], folder: Path, programs: Mapping[str, str], **variables: str) -> int:
    """Run a step's script as GitHub does, with stand-ins of programs; its exit code."""
    place = folder / "programs"
    place.mkdir(exist_ok=True)
    for name, text in programs.items():
        (place / name).write_text(f"#!/bin/bash\n{text}\n")
        (place / name).chmod(0o755)
    script = folder / "script"
    script.write_text(step["run"])
    path = f"{place}:{os.environ['PATH']}"
    command = [*SHELLS[step.get("shell")], str(script)]
    return subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path, **variables}, check=False).returncode


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_step_of_a_workflow_is_a_script_whose_make_targets_exist(workflow):
    for step in steps(workflow):
        subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)
        for line in re.findall(r"^make .*?(?= \\||$)", step["run"], re.MULTILINE):
            words = shlex.split(line)[1:]
            assert {word for word in words if "=" not in word} <= TARGETS
            assert {word.partition("=")[0] for word in words if "=" in word} <= VARIABLES


@pytest.mark.parametrize(
    ("compared", "built", "differs", "passes"),
    [(ONE, ONE, "0", True), (ONE, OTHER, "0", False), (ONE, ONE, "1", False)],
)
def test_an_image_other_than_the_one_that_was_compared_twice_is_not_pushed(tmp_path, compared, built, differs, passes):
    values = {"COMPARED": compared, "BUILT": built, "DIFFERS": differs}
    assert (ran(step_with("make image-verify ENGINE=podman"), tmp_path, {"make": MAKE}, **values) == 0) is passes


def test_the_digest_of_the_manifest_that_was_pushed_is_signed(tmp_path):
    calls, summary = tmp_path / "calls", tmp_path / "summary"
    programs = {"podman": PODMAN, "cosign": PODMAN.replace("podman", "cosign")}
    variables = {"CALLS": str(calls), "GITHUB_STEP_SUMMARY": str(summary), "TOKEN": "t", "GITHUB_ACTOR": "anna"}
    place = {"IMAGE": "ghcr.io/Owner/Stepmark", "GITHUB_REF_NAME": "v1.0"}
    assert ran(step_with("cosign sign"), tmp_path, programs, **variables, **place) == 0
    push, sign = calls.read_text().splitlines()[-2:]
    assert push.endswith(" localhost/stepmark:full docker://ghcr.io/owner/stepmark:v1.0")
    assert sign == "cosign sign --yes ghcr.io/owner/stepmark@sha256:pushed"
    assert summary.read_text() == "ghcr.io/owner/stepmark@sha256:pushed\n"


def test_an_image_that_could_not_be_pushed_is_not_signed(tmp_path):
    programs = {"podman": PODMAN.replace("push)", "push) exit 1;"), "cosign": PODMAN.replace("podman", "cosign")}
    variables = {"CALLS": str(tmp_path / "calls"), "TOKEN": "t", "GITHUB_ACTOR": "anna", "GITHUB_REF_NAME": "v1.0"}
    assert ran(step_with("cosign sign"), tmp_path, programs, IMAGE="ghcr.io/own/stepmark", **variables) != 0
    assert "cosign sign" not in (tmp_path / "calls").read_text()


def check(folder: Path) -> None:
    """Check that smoke was measured in the image that a job names."""
    (record,) = folder.glob("runs/*-smoke/record.jsonl")
    run = read_run(record)
    assert {one.outcome for one in run.cases} == {"measured", "skipped"}
    assert len([one for one in run.cases if one.outcome == "measured"]) == 4
    assert run.header.environment["container"]["image"]["name"] == REFERENCE
    assert (record.parent / "report.html").stat().st_size > 100_000


@pytest.mark.slow
def test_the_example_for_github_measures_smoke_in_the_image(podman: Podman, open_folder):
    job = GITHUB["jobs"]["bench"]
    docker = DOCKER.format(reference=REFERENCE, image=podman.image("example"), limits=" ".join(ulimits()))
    for step in (one for one in job["steps"] if "run" in one):
        assert ran(step, open_folder, {"docker": docker}, **job["env"]) == 0
    check(open_folder / "reports")


@pytest.mark.nightly
def test_the_example_for_gitlab_measures_smoke_in_the_image(podman: Podman, open_folder):
    """GitLab's runner clones as root into a folder that every user may write, and runs the script there."""
    job = GITLAB["bench"]
    assert (job["image"], job["variables"]) == (REFERENCE, {"STEPMARK_IMAGE": "$CI_JOB_IMAGE"})
    place = ["--volume", f"{open_folder}:/builds/own/net", "--workdir", "/builds/own/net"]
    words = ["run", "--rm", *ulimits(), *place, "--env", f"STEPMARK_IMAGE={REFERENCE}", podman.image("example")]
    done = podman.call(*words, "sh", "-ec", "\n".join(job["script"]))
    assert done.returncode == 0, done.stdout + done.stderr
    check(open_folder / "reports")
