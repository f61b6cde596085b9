"""Packages of `requirements.lock`: which a variant of the image needs, and which files of them are allowed."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from engines import ImageError

READING = ("altair", "jinja2", "msgspec", "vl-convert-python")
"""Packages that pages are made with from records, without torch."""
VARIANTS = ("full", "reading", "test")
"""`full` measures, `reading` makes pages of records, `test` has the packages of the tests as well."""
HEAD = re.compile(r"^([A-Za-z0-9][\w.-]*)==(\S+)(?: ; (.+?))? *\\?$")
NAME = re.compile(r"^[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class Locked:
    """A package of the lock.

    Attributes:
        name: normalised.
        version: the only one allowed.
        marker: condition on the platform; empty for none.
        hashes: SHA-256 of each allowed file.
        via: names of the packages that need it.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]

    def requirement(self) -> str:
        """Its line for pip, with all hashes."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash=sha256:{one}" for one in self.hashes)])


@dataclass(frozen=True, slots=True)
class ExtraWheel:
    """A wheel of the caller's own: its file's name and hash, and the names of the packages that it needs."""

    file: str
    name: str
    version: str
    digest: str
    needs: frozenset[str]

    def locked(self, via: tuple[str, ...]) -> Locked:
        """The wheel in place of the lock's package."""
        return Locked(self.name, self.version, "", (self.digest,), via)


def normalised(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse(text: str) -> list[Locked]:
    """The packages of a lock in the form that `uv pip compile` writes."""
    found: list[Locked] = []
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    for block in blocks:
        first, *rest = block.splitlines() or [""]
        head = HEAD.match(first)
        if head is None:
            continue
        hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
        said = " ".join(line.strip(" #") for line in rest if line.lstrip().startswith("#"))
        via = tuple(normalised(name) for name in re.sub(r"\([^)]*\)", "", said.removeprefix("via")).split())
        found.append(Locked(normalised(head[1]), head[2], head[3] or "", hashes, via))
    return found


def roots(project: dict[str, object], variant: str) -> set[str]:
    """Names of the packages that a variant needs first.

    Args:
        project: the table `project` of `pyproject.toml`.
        variant: one of `VARIANTS`.
    """
    if variant == "reading":
        return set(READING)
    groups: dict[str, Sequence[str]] = project.get("optional-dependencies", {})  # type: ignore[assignment]
    wanted = [one for name, group in groups.items() if variant == "test" or name != "dev" for one in group]
    return {name_in(one) for one in [*project["dependencies"], *wanted]}  # type: ignore[misc]


def name_in(requirement: str) -> str:
    """The package that a requirement is about."""
    found = NAME.match(requirement.strip())
    if found is None:
        raise ImageError(f"{requirement!r} is no requirement; allowed: a package's name, then a version.")
    return normalised(found[0])


def needed(locked: Sequence[Locked], first: Iterable[str], extra: Sequence[ExtraWheel] = ()) -> list[Locked]:
    """The packages of the lock that some need, directly or not, in the lock's order; extra wheels replace theirs.

    Raises:
        ImageError: an extra wheel needs a package that the lock lacks, or replaces none.
    """
    own = {wheel.name: wheel for wheel in extra}
    known = {one.name for one in locked}
    for wheel in extra:
        if wheel.name not in known:
            raise ImageError(f"{wheel.file} replaces no package of requirements.lock; allowed: {some(known)}.")
    chosen = set(first)
    while True:
        more = {one.name for one in locked if any(needs(by, one.name, own) for by in chosen.intersection(one.via))}
        if more <= chosen:
            break
        chosen |= more
    return [own[one.name].locked(one.via) if one.name in own else one for one in locked if one.name in chosen]


def needs(name: str, other: str, own: dict[str, ExtraWheel]) -> bool:
    """Whether a package needs another, which the lock says it does."""
    return name not in own or other in own[name].needs


def some(names: Iterable[str]) -> str:
    """Some of many names, for a sentence."""
    return ", ".join(sorted(names)[:6]) + " and others"


def holds(marker: str, python: str, machine: str) -> bool:
    """Whether a marker of the lock holds for a version of Python on Linux.

    Args:
        marker: a condition as PEP 508 has it.
        python: such as `3.11`.
        machine: such as `x86_64`.

    Raises:
        ImageError: it has a part that is not known here.
    """
    values = {
        "python_version": python,
        "python_full_version": f"{python}.99",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "os_name": "posix",
    }
    return not marker or truth(ast.parse(marker, mode="eval").body, values)


def truth(node: ast.expr, values: dict[str, str]) -> bool:
    """The truth of a marker's part, which has the form of an expression in Python."""
    if isinstance(node, ast.BoolOp):
        parts = [truth(part, values) for part in node.values]
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name) and node.left.id in values:
        wanted, compare = node.comparators[0], COMPARED.get(type(node.ops[0]))
        if compare is not None and isinstance(wanted, ast.Constant):
            is_version = "version" in node.left.id
            left, right = values[node.left.id], str(wanted.value)
            return compare(version(left), version(right)) if is_version else compare([left], [right])
    raise ImageError(f"the marker {ast.unparse(node)!r} of requirements.lock is not known; extend lockfile.truth.")


COMPARED: dict[type[ast.cmpop], Callable[[list[Any], list[Any]], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
"""Comparisons of two lists."""


def version(text: str) -> list[int]:
    """A version's numbers."""
    return [int(part) for part in text.split(".") if part.isdigit()]
