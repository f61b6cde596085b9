"""The file system, layers and configuration of an image, read from the archive that an engine writes.

Two images are the same if their configuration digests and layer digests (diffIDs) are equal. Their contents are equal
if each path has the same kind, mode, owner, size, hash and extended attributes; times do not count.
`contents.py ARCHIVE ARCHIVE` compares two archives.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

BLOCK = 1 << 20
"""Bytes that are read at once."""
LARGEST_JSON = 1 << 24
"""Bytes of a configuration or manifest, at most; larger blobs are layers."""
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
"""Names by which a layer removes a file, or all that lower layers have in a folder."""
KINDS = {
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "pipe",
}


class NotAnImage(Exception):
    """An archive is not one that `docker save` writes. The text is a sentence."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A path's properties, without its times.

    Attributes:
        kind: file, folder, link, device or pipe.
        mode: permission bits.
        owner: user and group, as numbers.
        size: bytes of a file, else 0.
        content: SHA-256 of a file, target of a link, numbers of a device.
        attributes: extended attributes, by name.
    """

    kind: str
    mode: int
    owner: tuple[int, int]
    size: int = 0
    content: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Layer:
    """Files that a layer adds and removes.

    Attributes:
        diff_id: SHA-256 of its uncompressed archive.
        entries: by path.
        removed: paths that are removed with all below.
        emptied: folders that lose what lower layers put into them.
    """

    diff_id: str = ""
    entries: dict[str, Entry] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    emptied: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Image:
    """An image, as its archive has it.

    Attributes:
        config: digest of its configuration.
        settings: the configuration.
        layers: diffIDs.
        files: the files that all layers make together, by path.
    """

    config: str
    settings: dict[str, Any]
    layers: tuple[str, ...]
    files: dict[str, Entry]


class Hashed:
    """A stream whose hash is known once all is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        found = self.stream.read(size)
        self.hash.update(found)
        return found

    def digest(self) -> str:
        """The hash of the whole stream, of which the rest is read now."""
        while self.read(BLOCK):
            pass
        return f"sha256:{self.hash.hexdigest()}"


def blobs(stream: BinaryIO) -> Iterator[tuple[str, bytes | BufferedReader]]:
    """Names of an archive's members, with the text of each JSON file, and each layer to be read at once."""
    with tarfile.open(fileobj=stream, mode="r|*", bufsize=BLOCK) as archive:
        for member in archive:
            if member.issym() and member.name.endswith(".tar"):  # Docker links a layer that occurs twice
                yield member.name, b"link " + member.linkname.encode()
            elif member.isfile():
                blob = cast("BufferedReader", archive.extractfile(member))
                if blob.peek(1)[:1] in (b"{", b"["):
                    yield member.name, blob.read(LARGEST_JSON)
                elif member.size >= tarfile.BLOCKSIZE or is_compressed(blob):
                    yield member.name, blob


def is_compressed(blob: BufferedReader) -> bool:
    """Whether gzip wrote a blob."""
    return blob.peek(2)[:2] == b"\x1f\x8b"


def unpacked(blob: BufferedReader) -> BinaryIO:
    """A layer's archive, which may be compressed."""
    return cast("BinaryIO", gzip.GzipFile(fileobj=blob)) if is_compressed(blob) else blob


@contextmanager
def of_an_image() -> Iterator[None]:
    """Say in one sentence that an archive is no image."""
    try:
        yield
    except (tarfile.TarError, KeyError, IndexError, TypeError, json.JSONDecodeError) as error:
        raise NotAnImage(f"the archive is no image that `docker save` writes, nor one of OCI: {error!r}.") from error


def read(stream: BinaryIO) -> Image:
    """The image in an archive of `docker save`, `podman save` or `buildah push`, in Docker's format or OCI's.

    Raises:
        NotAnImage: it is something else.
    """
    texts: dict[str, bytes] = {}
    layers: dict[str, Layer] = {}
    with of_an_image():
        for name, blob in blobs(stream):
            if isinstance(blob, bytes):
                texts[name] = blob
            else:
                layers[name] = layer_of(blob)
        return assembled(texts, layers)


def config_digest(stream: BinaryIO) -> str:
    """The digest of the configuration of an archive's image.

    Raises:
        NotAnImage: it is something else.
    """
    with of_an_image():
        texts = {name: blob for name, blob in blobs(stream) if isinstance(blob, bytes)}
        return f"sha256:{hashlib.sha256(texts[named(texts)[0]]).hexdigest()}"


def file_in(stream: BinaryIO, path: str) -> bytes | None:
    """The content of a file of an archive's image; None if the image has no such file, or it is a hard link.

    Raises:
        NotAnImage: the archive is something else.
    """
    texts: dict[str, bytes] = {}
    found: dict[str, bytes] = {}
    with of_an_image():
        for name, blob in blobs(stream):
            if isinstance(blob, bytes):
                texts[name] = blob
            elif (content := content_in(blob, path)) is not None:
                found[name] = content
        return next((found[name] for name in reversed(named(texts)[1]) if name in found), None)


def content_in(blob: BufferedReader, path: str) -> bytes | None:
    """The content of a file in a layer; None if the layer has no such file."""
    with tarfile.open(fileobj=unpacked(blob), mode="r|", bufsize=BLOCK) as archive:
        for member in archive:
            if path_of(member) == path and member.isreg():
                return cast("BufferedReader", archive.extractfile(member)).read()
    return None


def path_of(member: tarfile.TarInfo) -> str:
    """The path of a layer's member; a point for the root."""
    return member.name.removeprefix("./").strip("/") or "."


def assembled(texts: dict[str, bytes], layers: dict[str, Layer]) -> Image:
    """The image of an archive's manifest, configuration and layers."""
    name, names = named(texts)
    config, stack = texts[name], [layers[one] for one in names]
    found = tuple(layer.diff_id for layer in stack)
    settings = json.loads(config)
    if list(found) != settings["rootfs"]["diff_ids"]:
        raise NotAnImage("the archive's layers are not those that its configuration names.")
    return Image(f"sha256:{hashlib.sha256(config).hexdigest()}", settings, found, flattened(stack))


def named(texts: dict[str, bytes]) -> tuple[str, list[str]]:
    """Names of the configuration and of the layers, the lowest first, in an archive of either format."""
    if "manifest.json" in texts:
        manifest = json.loads(texts["manifest.json"])[0]
        return manifest["Config"], [resolved(name, texts) for name in manifest["Layers"]]
    found = json.loads(texts["index.json"])
    while "manifests" in found:  # an index may contain another one
        found = json.loads(texts[blob_name(found["manifests"][0])])
    return blob_name(found["config"]), [blob_name(layer) for layer in found["layers"]]


def blob_name(descriptor: dict[str, Any]) -> str:
    """The name of what a descriptor of OCI points to."""
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def resolved(name: str, texts: dict[str, bytes]) -> str:
    """The name of a layer, behind a link such as `../<id>/layer.tar`."""
    link = texts.get(name, b"")
    return link.removeprefix(b"link ").decode().removeprefix("../") if link else name


def layer_of(blob: BufferedReader) -> Layer:
    """A layer of an archive that may be compressed."""
    reader = Hashed(unpacked(blob))
    layer = Layer()
    with tarfile.open(fileobj=cast("BinaryIO", reader), mode="r|", bufsize=BLOCK) as archive:
        for member in archive:
            add(layer, archive, member)
    layer.diff_id = reader.digest()
    return layer


def add(layer: Layer, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    """Add a member of a layer's archive to the layer."""
    path = path_of(member)
    above, _, name = path.rpartition("/")
    if name == OPAQUE:
        layer.emptied.add(above)
    elif name.startswith(WHITEOUT):
        layer.removed.add(f"{above}/{name.removeprefix(WHITEOUT)}".lstrip("/"))
    elif member.islnk():
        layer.entries[path] = layer.entries[member.linkname.removeprefix("./").strip("/")]
    else:
        layer.entries[path] = entry_of(archive, member)


def entry_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    """A member's properties."""
    content, size = "", 0
    if member.isreg():
        size = member.size
        content = hashlib.file_digest(cast("BufferedReader", archive.extractfile(member)), "sha256").hexdigest()
    elif member.issym():
        content = member.linkname
    elif member.isdev() and not member.isfifo():
        content = f"{member.devmajor}:{member.devminor}"
    prefix = "SCHILY.xattr."
    attributes = {key.removeprefix(prefix): str(value) for key, value in member.pax_headers.items() if prefix in key}
    mode = 0o777 if member.issym() else member.mode & 0o7777
    owner = (member.uid, member.gid)
    return Entry(KINDS.get(member.type, "file"), mode, owner, size, content, tuple(sorted(attributes.items())))


def flattened(stack: list[Layer]) -> dict[str, Entry]:
    """The files that layers make together, the lowest first."""
    files: dict[str, Entry] = {}
    for layer in stack:
        gone = {path for path in files if is_gone(path, layer)}
        files = {path: entry for path, entry in files.items() if path not in gone} | layer.entries
    return files


def is_gone(path: str, layer: Layer) -> bool:
    """Whether a layer removes a path of lower ones."""
    words = path.split("/")
    above = ["/".join(words[:count]) for count in range(len(words))]
    return path in layer.removed or not layer.removed.isdisjoint(above) or not layer.emptied.isdisjoint(above)


def differing(first: object, second: object, name: str = "config") -> Iterator[str]:
    """A line for each setting that differs, such as `config.config.User: "1", then "2"`."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted(first.keys() | second.keys()):
            yield from differing(first.get(key), second.get(key), f"{name}.{key}")
    elif first != second:
        yield f"{name}: {json.dumps(first)}, then {json.dumps(second)}"


def differences(first: dict[str, Entry], second: dict[str, Entry]) -> Iterator[str]:
    """A line for each path that differs, such as `etc/built: content 6c3a, then 91fe`."""
    for path in sorted(first.keys() | second.keys()):
        one, other = first.get(path), second.get(path)
        if one is None or other is None:
            yield f"{path}: only in the {'second' if one is None else 'first'}"
        elif one != other:
            yield f"{path}: {', '.join(changes(one, other))}"


def changes(one: Entry, other: Entry) -> Iterator[str]:
    """The properties in which two entries of a path differ."""
    for name in Entry.__slots__:
        before, after = getattr(one, name), getattr(other, name)
        if before != after:
            yield f"{name} {shown(name, before)}, then {shown(name, after)}"


def shown(name: str, value: object) -> str:
    """A property's value for a reader."""
    if name == "mode":
        return f"{value:04o}"
    if name == "owner":
        return ":".join(map(str, cast("tuple[int, int]", value)))
    text = str(value)
    return text[:12] if name == "content" and len(text) == 64 else text or "none"


def main(first: str, second: str) -> int:
    """Compare two archives; 0 if their contents are equal, 1 if not."""
    try:
        with Path(first).open("rb") as one, Path(second).open("rb") as other:
            images = read(one), read(other)
    except (OSError, NotAnImage) as error:
        print(f"contents: {error}", file=sys.stderr)
        return 2
    found = list(differences(images[0].files, images[1].files))
    print(*found, f"{len(found)} of {len(images[0].files)} paths differ", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
