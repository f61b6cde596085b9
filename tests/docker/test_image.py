"""Images are built twice and are the same; a difference is named, and a missing engine is one sentence."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

import context
import engines
import inside
import lockfile
import make
import wheelhouse
from tests.conftest import PROJECT
from tests.docker import SCRIPTS

BASE = f"localhost/stepmark-base:tests-{os.getpid()}"
"""Another session of tests may use the same storage."""
ENGINES = [name for name in ("buildah", "mmdebstrap") if shutil.which(name) is None]
builds = pytest.mark.skipif(
    bool(ENGINES) or os.getuid() != 0,
    reason=f"images are not built here: root, buildah and mmdebstrap are needed ({ENGINES})",
)


def call(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Call `docker/image.py`."""
    command = [sys.executable, str(SCRIPTS / "image.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, check=False)


@pytest.mark.parametrize("command", [["build"], ["verify"], ["run", "--", "true"]])
def test_without_an_engine_one_sentence_says_how_to_get_one(command, tmp_path):
    done = call(*command, PATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "podman is not installed" in done.stderr
    assert "apt-get install" in done.stderr


def test_an_engine_that_does_not_answer_is_not_used(tmp_path):
    for name in engines.NAMES:
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    done = call("build", PATH=str(tmp_path))
    assert "buildah does not answer" in done.stderr


def test_an_unknown_engine_is_refused_with_those_allowed():
    done = call("run", "--engine", "buildah", "--", "true")
    assert done.returncode == 2
    assert "allowed: podman, docker" in done.stderr


def test_a_base_whose_python_is_unknown_needs_its_version():
    assert context.Wanted(base="debian").python_version() == "3.11"
    assert context.Wanted(base="registry/python:3.13-slim@sha256:0").python_version() == "3.13"
    assert context.Wanted(base="mine", python="3.12").python_version() == "3.12"
    with pytest.raises(engines.ImageError, match="add --python"):
        context.Wanted(base="mine").python_version()


def test_the_recipe_s_own_base_is_pinned_by_its_digest():
    name, _, digest = context.Wanted().base_name().partition("@sha256:")
    assert name.startswith("docker.io/library/python:")
    assert len(digest) == 64


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """A build context without wheels."""
    (tmp_path / "wheels").mkdir()
    context.stage(tmp_path / "one", context.Wanted("reading", "debian"), tmp_path / "wheels", "0" * 64)
    return tmp_path / "one"


def test_two_contexts_have_the_same_files_and_modes(staged, tmp_path):
    old = os.umask(0o077)
    context.stage(tmp_path / "two" / "far", context.Wanted("reading", "debian"), tmp_path / "wheels", "0" * 64)
    os.umask(old)
    both = [
        {str(file.relative_to(top)): (file.read_bytes(), file.stat().st_mode & 0o777) for file in files(top)}
        for top in (staged, tmp_path / "two" / "far")
    ]
    assert both[0] == both[1]


def files(top: Path) -> Iterator[Path]:
    """The files in a folder and below."""
    return (file for file in top.rglob("*") if file.is_file())


def test_a_context_names_no_folder_of_this_machine(staged):
    found = [file for file in files(staged) if str(PROJECT).encode() in file.read_bytes()]
    assert found == []


def test_a_context_has_tracked_files_alone_and_the_facts_of_the_image(staged):
    known = set(context.git("ls-files").splitlines()) | {"commit.json"}
    inner = {str(file.relative_to(staged / "project")) for file in files(staged / "project")}
    assert inner <= known
    assert {"suite/cli.py", "cases/profiles.toml", "requirements.lock"} <= inner
    assert not any(name.startswith(("tests/", "docs/")) for name in inner)
    facts = json.loads((staged / "image.json").read_text())
    assert facts["variant"] == "reading"
    assert facts["built_by"].endswith("make image VARIANT=reading BASE_IMAGE=debian")
    commit = json.loads((staged / "project" / "commit.json").read_text())
    assert commit["revision"] == context.git("rev-parse", "HEAD").strip()


def test_a_command_inside_has_no_network_no_rights_and_a_root_that_cannot_be_written(tmp_path):
    engine = engines.Engine("docker", "docker", "20.10")
    limits = inside.Limits(cores="0", cpus="1.5", memory="1g")
    line = " ".join(inside.command(engine, "name", "sha256:0", tmp_path, limits, ["true"], (1000, 1000)))
    for words in (
        *("--network none", "--read-only", "--cap-drop ALL", "--security-opt no-new-privileges"),
        *("--user 1000:1000", "--cpuset-cpus 0", "--cpus 1.5", "--memory 1g --memory-swap 1g"),
        *(f"--volume {tmp_path}:/stepmark/reports", "--env STEPMARK_IMAGE_DIGEST=sha256:0", "name true"),
    ):
        assert words in line


ENGINE = """#!/bin/sh
for word; do case $word in *:/stepmark/reports*) folder=${word%%:*};; esac; done
mkdir "$folder/runs"
echo line > "$folder/runs/record.jsonl"
kill -INT $PPID
exec sleep 10
"""
INTERRUPTED = """
import signal, sys
from pathlib import Path
import inside
from engines import Engine
signal.signal(signal.SIGINT, signal.default_int_handler)
program, reports = sys.argv[1:]
inside.run(Engine("podman", program, "4.3"), "name", "sha256:0", Path(reports), inside.Limits(), ["true"])
"""


@pytest.mark.skipif(os.getuid() != 0, reason="any other user writes to the folder itself")
def test_a_record_of_an_interrupted_command_belongs_to_the_caller(tmp_path):
    program, reports = tmp_path / "podman", tmp_path / "reports"
    program.write_text(ENGINE)
    program.chmod(0o755)
    variables = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    words = [sys.executable, "-c", INTERRUPTED, str(program), str(reports)]
    done = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=60)
    assert "KeyboardInterrupt" in done.stderr
    record = reports / "runs" / "record.jsonl"
    assert record.read_text() == "line\n"
    assert record.stat().st_uid == os.getuid()
    assert [path.name for path in reports.iterdir()] == ["runs"]


def test_the_list_of_debian_s_packages_has_a_hash_for_each_and_no_server():
    packages, epoch = make.locked(make.LOCK)
    text = make.LOCK.read_text(encoding="utf-8")
    assert {"base-files", "dpkg", "libc6", "python3", "libstdc++6"} <= {package.name for package in packages}
    assert len(packages) == len(text.splitlines()) - text.count("#")
    assert "://" not in text
    assert epoch % 86400 == 0


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of Debian, of the locked packages, or of today's where Debian no longer has those."""
    folder = tmp_path_factory.mktemp("base")
    target = folder / "base.tar"
    try:
        make.make(target)
    except engines.ImageError as error:
        print(f"the lock of the base is old, today's packages are used: {error}")
        make.write_lock(folder / "packages.lock")
        make.make(target, folder / "packages.lock")
    engine = engines.find("buildah")
    engine.build(folder, SCRIPTS / "base" / "Dockerfile", BASE, {}, 1)
    yield BASE
    engine.remove(BASE)


def options(base: str) -> list[str]:
    """Options of an image that is small."""
    return ["--engine", "buildah", "--variant", "reading", "--base", base, "--python", "3.11"]


@builds
@pytest.mark.slow
def test_an_image_is_the_same_from_two_folders_at_two_times(base):
    done = call("verify", *options(base))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "same: config and 2 layers are equal" in done.stdout
    assert done.stdout.count("twice") >= 3


@builds
@pytest.mark.slow
def test_a_file_with_the_time_of_the_build_is_named(base, tmp_path):
    recipe = tmp_path / "Dockerfile"
    recipe.write_text(
        "ARG BASE\nFROM ${BASE} AS build\nRUN mkdir -p /out/etc && date +%s > /out/etc/built\n"
        "FROM ${BASE}\nCOPY --from=build /out/ /\n"
    )
    viewer = tmp_path / "diffoscope"
    viewer.write_text('#!/bin/sh\nexec diff "$@"\n')
    viewer.chmod(0o755)
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = call("verify", *options(base), "--recipe", str(recipe), **variables)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "etc/built: content " in done.stdout
    assert "different: 1 of " in done.stdout
    shown = done.stdout.partition("diffoscope of etc/built:\n")[2].splitlines()
    times = [int(line[2:]) for line in shown if line[:2] in ("< ", "> ")]
    assert len(times) == 2
    assert times[0] < times[1]
    assert "localhost/stepmark:verify-" not in engines.find("buildah").said("images", "--format", "{{.Name}}:{{.Tag}}")


@builds
@pytest.mark.nightly
def test_an_image_has_a_bill_of_its_packages_without_a_time(base):
    done = call("build", *options(base))
    assert done.returncode == 0, done.stdout + done.stderr
    engine, bill = engines.find("buildah"), None
    with engine.archive("localhost/stepmark:reading") as stream, tarfile.open(fileobj=stream, mode="r|") as outer:
        for member in outer:
            if member.name.endswith(".tar"):
                bill = bill or bill_in(outer.extractfile(member))
    engine.remove("localhost/stepmark:reading")
    assert bill is not None
    assert "timestamp" not in bill["metadata"]
    listed = {lockfile.normalised(one["name"]): one for one in bill["components"]}
    locked = wheelhouse.packages("reading", "3.11", platform.machine())
    assert {name: one["version"] for name, one in listed.items() if name != "stepmark"} == {
        one.name: one.version for one in locked
    }
    assert {name for name, one in listed.items() if not one.get("licenses")} <= {"stepmark"}


def bill_in(layer: IO[bytes] | None) -> dict[str, Any] | None:
    """The bill of materials in a layer; None where it has none."""
    with tarfile.open(fileobj=layer, mode="r|*") as inner:
        for member in inner:
            if member.name.removeprefix("./") == "opt/stepmark/bom.json":
                return json.load(inner.extractfile(member))
    return None
