"""Images are compared by what they are: digests first, then every file with its properties."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

import contents
from tests.docker import SCRIPTS


def member(name: str, text: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a layer's archive; a file where the fields say nothing else."""
    found = tarfile.TarInfo(name)
    found.size = len(text)
    for key, value in fields.items():
        setattr(found, key, value)
    return found, text


def packed(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """An archive of members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for found, text in members:
            archive.addfile(found, io.BytesIO(text))
    return stream.getvalue()


def saved(*layers: Sequence[tuple[tarfile.TarInfo, bytes]], created: str = "then") -> bytes:
    """An image as `docker save` writes it."""
    packs = [packed(layer) for layer in layers]
    ids = [f"sha256:{hashlib.sha256(pack).hexdigest()}" for pack in packs]
    config = json.dumps({"created": created, "rootfs": {"diff_ids": ids}}).encode()
    names = [f"{number}/layer.tar" for number in range(len(packs))]
    manifest = json.dumps([{"Config": "config.json", "Layers": names}]).encode()
    files = [*zip(names, packs, strict=True), ("config.json", config), ("manifest.json", manifest)]
    return packed([member(name, text) for name, text in files])


def in_oci_format(*layers: Sequence[tuple[tarfile.TarInfo, bytes]], is_nested: bool = False) -> bytes:
    """An image as BuildKit's `type=oci` writes it, with compressed layers."""
    packs = [packed(layer) for layer in layers]
    ids = [f"sha256:{hashlib.sha256(pack).hexdigest()}" for pack in packs]
    blobs: dict[str, bytes] = {}

    def kept(blob: bytes) -> dict[str, str]:
        name = hashlib.sha256(blob).hexdigest()
        blobs[f"blobs/sha256/{name}"] = blob
        return {"digest": f"sha256:{name}"}

    described = [kept(gzip.compress(pack, mtime=0)) for pack in packs]
    config = kept(json.dumps({"created": "then", "rootfs": {"diff_ids": ids}}).encode())
    index = {"manifests": [kept(json.dumps({"config": config, "layers": described}).encode())]}
    if is_nested:
        index = {"manifests": [kept(json.dumps(index).encode())]}
    files = {**blobs, "index.json": json.dumps(index).encode(), "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    return packed([member(name, text) for name, text in files.items()])


def image(*layers: Sequence[tuple[tarfile.TarInfo, bytes]], **fields: str) -> contents.Image:
    """An image of these layers, read from its archive."""
    return contents.read(io.BytesIO(saved(*layers, **fields)))


def differences(first: contents.Image, second: contents.Image) -> list[str]:
    return list(contents.differences(first.files, second.files))


def test_an_archive_is_read_as_its_digests_and_files():
    layer = [member("etc", type=tarfile.DIRTYPE, mode=0o755), member("etc/name", b"a", mode=0o600, uid=7, gid=8)]
    found = image(layer)
    assert found.layers == (f"sha256:{hashlib.sha256(packed(layer)).hexdigest()}",)
    assert found.files["etc/name"] == contents.Entry("file", 0o600, (7, 8), 1, hashlib.sha256(b"a").hexdigest())
    assert found.files["etc"].kind == "folder"


def test_times_change_digests_and_no_contents():
    first, second = (image([member("file", b"same", mtime=time)], created=str(time)) for time in (1, 2))
    assert first.config != second.config
    assert 'config.created: "1", then "2"' in contents.differing(first.settings, second.settings)
    assert first.layers != second.layers
    assert differences(first, second) == []


def test_the_order_of_a_layer_and_the_number_of_layers_change_no_contents():
    one, other = member("a", b"1"), member("b", b"2")
    assert differences(image([one, other]), image([other], [one])) == []


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"mode": 0o755}, "file: mode 0644, then 0755"),
        ({"uid": 5}, "file: owner 0:0, then 5:0"),
        ({"pax_headers": {"SCHILY.xattr.user.x": "1"}}, "file: attributes (), then (('user.x', '1'),)"),
    ],
)
def test_a_changed_property_is_named_with_both_values(fields, line):
    assert differences(image([member("file", b"1")]), image([member("file", b"1", **fields)])) == [line]


def test_a_changed_file_is_named_with_both_hashes():
    [line] = differences(image([member("built", b"now")]), image([member("built", b"new")]))
    assert (
        line
        == f"built: content {hashlib.sha256(b'now').hexdigest()[:12]}, then {hashlib.sha256(b'new').hexdigest()[:12]}"
    )


def test_links_and_missing_files_are_named():
    first = image([member("link", type=tarfile.SYMTYPE, linkname="a"), member("gone", b"1")])
    second = image([member("link", type=tarfile.SYMTYPE, linkname="b")])
    assert differences(first, second) == ["gone: only in the first", "link: content a, then b"]


def test_a_hard_link_is_the_file_that_it_leads_to():
    twice = [member("a", b"1"), member("b", type=tarfile.LNKTYPE, linkname="a")]
    assert differences(image(twice), image([member("a", b"1"), member("b", b"1")])) == []


def test_a_layer_removes_files_and_empties_folders_of_lower_ones():
    below = [member("dir/a", b"1"), member("dir/b", b"2"), member("old/c", b"3"), member("older", b"4")]
    above = [member("dir/.wh.a"), member("old/.wh..wh..opq"), member("old/d", b"5"), member(".wh.older")]
    assert set(image(below, above).files) == {"dir/b", "old/d"}


def test_a_root_named_by_a_point_is_no_different_path():
    assert set(image([member("./", type=tarfile.DIRTYPE), member("./a", b"1")]).files) == {".", "a"}


@pytest.mark.parametrize("is_nested", [False, True])
def test_an_archive_of_oci_has_the_same_digests_and_files_as_one_of_docker(is_nested):
    layers = [member("etc", type=tarfile.DIRTYPE), member("etc/name", b"a")], [member("etc/name", b"b")]
    assert contents.read(io.BytesIO(in_oci_format(*layers, is_nested=is_nested))) == image(*layers)


def test_the_digest_of_a_configuration_is_read_without_the_layers():
    layers = [member("a", b"1")], [member("b", b"2")]
    assert contents.config_digest(io.BytesIO(saved(*layers))) == image(*layers).config
    assert contents.config_digest(io.BytesIO(in_oci_format(*layers))) == image(*layers).config
    with pytest.raises(contents.NotAnImage):
        contents.config_digest(io.BytesIO(packed([])))


@pytest.mark.parametrize("made", [saved, in_oci_format])
def test_a_file_is_that_of_the_highest_layer_that_has_it(made):
    archive = made([member("./a", b"low"), member("b", b"1")], [member("a", b"high")], [member("c", b"2")])
    found = {path: contents.file_in(io.BytesIO(archive), path) for path in ("a", "b", "none")}
    assert found == {"a": b"high", "b": b"1", "none": None}


@pytest.mark.parametrize("text", [b"", b"no archive", packed([member("file", b"1")]), saved([])[:700]])
def test_a_file_that_is_no_image_is_one_sentence(text, tmp_path):
    (tmp_path / "image.tar").write_bytes(text)
    command = [sys.executable, str(SCRIPTS / "contents.py"), "image.tar", "image.tar"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "no image that `docker save` writes" in done.stderr


def test_layers_other_than_those_of_the_configuration_are_refused():
    text = saved([member("file", b"1")]).replace(b"sha256:", b"sha257:")
    with pytest.raises(contents.NotAnImage, match="not those that its configuration names"):
        contents.read(io.BytesIO(text))


def test_the_command_compares_two_archives(tmp_path: Path):
    for name, text in {"a": b"1", "b": b"1", "c": b"2"}.items():
        (tmp_path / name).write_bytes(saved([member("file", text, mtime=ord(name))]))
    assert contents.main(str(tmp_path / "a"), str(tmp_path / "b")) == 0
    assert contents.main(str(tmp_path / "a"), str(tmp_path / "c")) == 1
