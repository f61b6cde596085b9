"""What can be asked of the stepmark command, and how; what is done is in `suite.cli`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from suite import __version__

LIMITS = (
    ("tolerance", "1%", "PCT", "slowdown that a case has to be shown to exceed"),
    ("margin", "5%", "PCT", "slowdown that has to be ruled out"),
    ("alpha", "1%", "PCT", "chance of any false alarm among all cases"),
)
"""Options of `compare` and of `gate`: name, default, what a value is called, meaning."""


def parser() -> argparse.ArgumentParser:
    """The command line of everything but `run`."""
    top = argparse.ArgumentParser(prog="stepmark", description="What one training step of a CNN costs.")
    top.add_argument("--version", action="version", version=f"stepmark {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", dest="command")

    listing = commands.add_parser("list", help="every case of a profile, and whether it runs here")
    listing.add_argument("--profile", default=None, metavar="NAME", help="profile to list (default: quick)")
    listing.add_argument("--profiles", type=Path, default=None, metavar="FILE", help="TOML file with profiles")
    listing.add_argument("-k", dest="expression", default="", metavar="EXPRESSION", help="only ids that match")
    listing.add_argument("--format", choices=("table", "json"), default="table")

    commands.add_parser("run", help="measure: `pytest cases` with the same arguments")

    reporting = commands.add_parser("report", help="one HTML page from a record")
    reporting.add_argument("record", type=Path, nargs="+", metavar="RECORD", help="a run's folder or record.jsonl")
    add_private(reporting)
    reporting.add_argument("-o", dest="output", type=Path, required=True, metavar="FILE")

    add_export_options(commands.add_parser("export", help="a record in another tool's format"))

    add_compare_options(
        commands.add_parser("compare", help="two stored runs: 10 regression, 11 inconclusive, 12 not comparable")
    )

    add_gate_options(
        commands.add_parser(
            "gate",
            help="two sides measured at once; exit codes as compare, 0: none slower by 1 %% shown, 5 %% ruled out",
        )
    )

    examining = commands.add_parser("doctor", help="what on this machine disturbs a measurement, about 50 seconds")
    examining.add_argument("--format", choices=("table", "json"), default="table")
    return top


def add_options(to: argparse.ArgumentParser, options: Sequence[tuple[str, str | None, str, str]]) -> None:
    """Options with a value each, and the default in their help."""
    for name, default, value, meaning in options:
        told = f"{meaning} (default: {default})".replace("%", "%%") if default else meaning
        to.add_argument(f"--{name}", default=default, metavar=value, help=told)


def add_export_options(exporting: argparse.ArgumentParser) -> None:
    """The command line of `export`."""
    add_private(exporting)
    exporting.add_argument("record", type=Path, metavar="RECORD", help="a run's folder or record.jsonl")
    exporting.add_argument("--format", required=True, metavar="F", help="csv or pytest-benchmark")
    exporting.add_argument(
        "-o", dest="output", type=Path, default=None, metavar="FILE", help="default: standard output"
    )


def add_private(to: argparse.ArgumentParser) -> None:
    """The option of what may be published."""
    to.add_argument("--private", action="store_true", help="leave out the machine's name and the folders of paths")


def add_compare_options(comparing: argparse.ArgumentParser) -> None:
    """The command line of `compare`."""
    comparing.add_argument("baseline", type=Path, metavar="BASELINE", help="a run's folder or record.jsonl")
    comparing.add_argument("candidate", type=Path, metavar="CANDIDATE", help="likewise")
    add_options(comparing, (*LIMITS, ("memory-tolerance", "5%", "PCT", "growth of memory that is no regression")))
    comparing.add_argument("--format", choices=("table", "json"), default="table")


def add_gate_options(gating: argparse.ArgumentParser) -> None:
    """The command line of `gate`."""
    for name in ("baseline", "candidate"):
        gating.add_argument(
            f"--{name}", default=None, metavar="ARM", help="rev:REV, dir:, python:, set:, env:, with commas"
        )
    gating.add_argument("-k", dest="expression", default=None, metavar="EXPRESSION", help="only ids that match")
    own = (
        ("profile", None, "NAME", "profile to gate (default: gate)"),
        ("profiles", None, "FILE", "TOML file with profiles"),
        *LIMITS,
        ("memory-tolerance", "2%", "PCT", "growth of memory that is no regression"),
        ("budget", "10m", "TIME", "how long it may take, such as 90s, 10m, 1h"),
        ("metric", "step_time,peak_memory,allocations,host_reads", "NAMES", "what is compared"),
        ("threads", None, "N", "threads of torch (default: 1)"),
        ("allocator", None, "NAME", "memory allocator of the workers (default: steady)"),
        ("priority", None, "NAME", "of the workers, where the machine allows (default: high)"),
        ("case-timeout", None, "S", "seconds without an answer after which a worker is ended (default: 120)"),
        ("order-seed", None, "N", "seed of all that chance decides (default: a new one, recorded)"),
    )
    add_options(gating, own)
    add_private(gating)
    gating.add_argument("--out", type=Path, default=None, metavar="DIR", help="folder to write to")
    gating.add_argument("--resume", type=Path, default=None, metavar="DIR", help="interrupted gate to go on with")
