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


def read(stream: BinaryIO) -> Image:
    """The image in an archive of `docker save`, `podman save` or `buildah push docker-archive:`.

    Raises:
        NotAnImage: it is something else.
    """
    texts: dict[str, bytes] = {}
    layers: dict[str, Layer] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|*", bufsize=BLOCK) as archive:
            for member in archive:
                if member.issym() and member.name.endswith(".tar"):  # Docker links a layer that occurs twice
                    texts[member.name] = b"link " + member.linkname.encode()
                elif member.isfile():
                    blob = cast("BinaryIO", archive.extractfile(member))
                    if blob.peek(1)[:1] in (b"{", b"["):  # type: ignore[attr-defined]
                        texts[member.name] = blob.read(LARGEST_JSON)
                    elif member.size >= tarfile.BLOCKSIZE:
                        layers[member.name] = layer_of(blob)
        return assembled(texts, layers)
    except (tarfile.TarError, KeyError, IndexError, TypeError, json.JSONDecodeError) as error:
        raise NotAnImage(f"the archive is no image that `docker save` writes: {error!r}.") from error


def assembled(texts: dict[str, bytes], layers: dict[str, Layer]) -> Image:
    """The image of an archive's manifest, configuration and layers."""
    manifest = json.loads(texts["manifest.json"])[0]
    config = texts[manifest["Config"]]
    stack = [layers[resolved(name, texts)] for name in manifest["Layers"]]
    found = tuple(layer.diff_id for layer in stack)
    settings = json.loads(config)
    if list(found) != settings["rootfs"]["diff_ids"]:
        raise NotAnImage("the archive's layers are not those that its configuration names.")
    return Image(f"sha256:{hashlib.sha256(config).hexdigest()}", settings, found, flattened(stack))


def resolved(name: str, texts: dict[str, bytes]) -> str:
    """The name of a layer, behind a link such as `../<id>/layer.tar`."""
    link = texts.get(name, b"")
    return link.removeprefix(b"link ").decode().removeprefix("../") if link else name


def layer_of(blob: BinaryIO) -> Layer:
    """A layer of an archive that may be compressed."""
    is_compressed = blob.peek(2)[:2] == b"\x1f\x8b"  # type: ignore[attr-defined]
    reader = Hashed(cast("BinaryIO", gzip.GzipFile(fileobj=blob)) if is_compressed else blob)
    layer = Layer()
    with tarfile.open(fileobj=cast("BinaryIO", reader), mode="r|", bufsize=BLOCK) as archive:
        for member in archive:
            add(layer, archive, member)
    layer.diff_id = reader.digest()
    return layer


def add(layer: Layer, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    """Add a member of a layer's archive to the layer."""
    path = member.name.removeprefix("./").strip("/") or "."
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
