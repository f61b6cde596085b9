"""The run's plan, and the machine and software that it was measured with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from suite import units
from suite.report.facts import Facts
from suite.report.provenance import Entry, environment_entries, plain, run_entries
from suite.report.view import View

SHORT_HASH = 12
"""Characters of a hash at a glance; the whole of it stands below."""


def view(facts: Facts) -> View:
    """Key facts, run and environment as entries, and the environment as JSON."""
    return View(
        id="environment",
        title="The machine and the software of this run",
        navigation="Environment",
        template="environment.html.j2",
        values={
            "glance": glance(facts.run.header.environment),
            "run": run_entries(facts.run, facts.record_path),
            "environment": environment_entries(facts.run),
            "json": json.dumps(facts.run.header.environment, indent=2, ensure_ascii=False),
        },
    )


def glance(environment: Mapping[str, Any]) -> list[Entry]:
    """Facts that a reader asks for first, as far as they are known."""
    machine, software, container, commit = (
        group(environment, name) for name in ("machine", "software", "container", "commit")
    )
    found = {
        "Processor": machine.get("processor"),
        "Cores granted": machine.get("cores_usable"),
        "Memory": memory(machine.get("memory_bytes")),
        "Accelerators": devices(machine.get("devices")),
        "Container": container_text(container),
        "Commit": commit_text(commit),
        "Lock": short(software.get("lock_sha256")),
        "Threads": group(environment, "threads").get("torch"),
        "Allocator": group(environment, "allocator").get("effective") or group(environment, "allocator").get("name"),
        "torch": software.get("torch"),
        "Python": software.get("python"),
    }
    return [Entry(label, plain(value)) for label, value in found.items() if value not in (None, "")]


def group(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A group of facts; empty where the record has none, or something else."""
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}


def memory(value: Any) -> str:
    """Bytes with their unit; empty if unknown."""
    return units.text(value, "B", 3) if isinstance(value, int | float) else ""


def devices(value: Any) -> str:
    """Names of the devices, each with its count; `none` where the machine has none."""
    if not isinstance(value, Mapping):
        return ""
    names = [str(group(value, index).get("name") or "unnamed") for index in value]
    counts = {name: names.count(name) for name in dict.fromkeys(names)}
    return ", ".join(f"{count} × {name}" for name, count in counts.items()) or "none"


def container_text(container: Mapping[str, Any]) -> str:
    """The image with its digest, or the kind of container, or none; empty if unknown."""
    if not container:
        return ""
    image = group(container, "image")
    if image:
        return " ".join(filter(None, (str(image.get("name") or "an image"), short(image.get("config_digest")))))
    return str(container.get("kind") or "of unknown kind") if container.get("inside") else "none"


def commit_text(commit: Mapping[str, Any]) -> str:
    """The revision, shortened, and whether files had changed."""
    revision = short(commit.get("revision"))
    return f"{revision}, with changes" if revision and commit.get("dirty") else revision


def short(value: Any) -> str:
    """The beginning of a hash, without the name of its kind."""
    return str(value).removeprefix("sha256:")[:SHORT_HASH] if value else ""
