"""A Docker whose builder sets the times of files repeats digests; an older one repeats contents alone."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

import contents
import engines
from tests.docker.test_contents import in_oci_format, member

ARCHIVE = in_oci_format([member("file", b"1")])
DOCKER = """#!/bin/sh
echo "$*" >> "{folder}/calls"
case "$1 $2" in
version*) echo {version} ;;
info*) echo '[[driver-type {store}]]' ;;
"buildx inspect") printf 'Name:   default\\nDriver: docker\\n{buildkit}\\n' ;;
"buildx build") for word; do case $word in type=oci,dest=*) out=${{word#type=oci,dest=}}; done=${{out%%,*}}; esac; done
    cp "{folder}/image.tar" "$done" ;;
load*) cp "$3" "{folder}/loaded.tar" ;;
save*) cat "{folder}/loaded.tar" ;;
esac
"""


def docker(folder: Path, version: str, buildkit: str, store: str) -> engines.Engine:
    """A stand-in of Docker, as the scripts find it."""
    (folder / "image.tar").write_bytes(ARCHIVE)
    program = folder / "docker"
    program.write_text(DOCKER.format(folder=folder, version=version, buildkit=buildkit, store=store))
    program.chmod(0o755)
    return engines.find(str(program))


def built(engine: engines.Engine, folder: Path) -> list[str]:
    """Build an image; the calls of Docker for it."""
    (folder / "calls").write_text("")
    context = folder / "place" / "context"
    context.mkdir(parents=True)
    engine.build(context, folder / "Dockerfile", "name:tag", {"BASE": "localhost/base"}, 1700000000)
    assert [path.name for path in context.parent.iterdir()] == ["context"], "no archive stays"
    return (folder / "calls").read_text().splitlines()


def test_a_new_docker_builds_an_archive_of_oci_whose_files_have_the_time_of_the_image(tmp_path):
    engine = docker(tmp_path, "29.1.0", "BuildKit version: v0.13.0", "io.containerd.snapshotter.v1")
    assert engine.repeats
    build, load = built(engine, tmp_path)
    for words in (
        *("buildx build --no-cache", "--network none", "--tag name:tag", "rewrite-timestamp=true"),
        *("--build-arg SOURCE_DATE_EPOCH=1700000000", "--provenance=false", "--sbom=false"),
    ):
        assert words in build
    assert load.startswith("load --input ")
    assert (tmp_path / "loaded.tar").read_bytes() == ARCHIVE


def test_the_digest_of_a_configuration_is_no_id_that_containerd_gives(tmp_path):
    engine = docker(tmp_path, "29.1.0", "Buildkit:  v0.16.2+x", "io.containerd.snapshotter.v1")
    shutil.copy(tmp_path / "image.tar", tmp_path / "loaded.tar")
    assert engine.config_digest("name:tag") == contents.read(io.BytesIO(ARCHIVE)).config


@pytest.mark.parametrize(
    ("version", "buildkit", "store"),
    [
        ("20.10.24", "", "overlay2"),
        ("25.0.1", "Buildkit: v0.12.5", "io.containerd.snapshotter.v1"),
        ("27.0.1", "BuildKit version: v0.14.1", "overlay2"),
    ],
)
def test_an_older_docker_or_another_store_repeats_contents_alone(tmp_path, version, buildkit, store):
    engine = docker(tmp_path, version, buildkit, store)
    assert not engine.repeats
    [build] = built(engine, tmp_path)
    assert build.startswith("build --no-cache")
    assert "--output" not in build
