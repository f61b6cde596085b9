"""Parsers of the stepmark commands, which `suite.cli` runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from suite import __version__
from suite.frontend.examples import FIRST_STEPS, Formatter, epilog
from suite.options import COMPARE_OPTIONS, DOCTOR_OPTIONS, GATE_OPTIONS, LIST_OPTIONS, OPTIONS, add_options

FILTER = "--filter"
SHELLS = ("bash", "zsh")
RECORD = "folder of a run, or its record.jsonl"


def parser() -> argparse.ArgumentParser:
    """The parser of every command; `run` hands all but its help to pytest."""
    top = argparse.ArgumentParser(
        prog="stepmark",
        description="Measure the cost of one training step of a CNN, and compare two revisions.",
        epilog=FIRST_STEPS,
        formatter_class=Formatter,
    )
    top.add_argument("--version", action="version", version=f"stepmark {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")

    def command(name: str, use: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=use, epilog=epilog(name), formatter_class=Formatter)

    add_list(command("list", "list the cases of a profile, and whether each runs here"))
    add_run(command("run", "measure cases, and write a record and a page; also takes pytest's options"))
    add_show(command("show", "show the results of a stored run: its table, and a summary"))
    add_report(command("report", "write the HTML page of a stored run"))
    add_export(command("export", "convert a stored run to CSV, Parquet, JUnit and other formats"))
    add_compare(command("compare", "compare stored runs, at the terminal or on a page"))
    add_effects(command("effects", "show what each choice costs, such as an optimizer, all else equal"))
    add_recommend(command("recommend", "show the fastest case within limits, and the Pareto front"))
    add_gate(command("gate", "measure two revisions at the same time and compare them"))
    add_doctor(command("doctor", "find what disturbs measurements here, in about 50 seconds"))
    add_config(command("config", "show the options in effect here, and where each is set"))
    add_init(command("init", "write a configuration and a first plug-in for your project"))
    add_completion(command("completion", "print a script that completes commands in bash or zsh"))
    return top


def with_filters_joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with each filter joined to its option.

    `--filter -outcome:skipped` is `--filter=-outcome:skipped`: argparse takes a word with a dash for an option.
    """
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1] == FILTER:
            joined[-1] = f"{FILTER}={word}"
        else:
            joined.append(word)
    return joined


def add_run(running: argparse.ArgumentParser) -> None:
    """The options of `run`: ours, in front of those of pytest."""
    running.usage = "stepmark run [option ...] [option of pytest ...]"
    running.description = (
        "Measure the cases of a profile, write a record and a page, and print the results. All options of pytest work "
        "too: `pytest --help` lists them."
    )
    add_options(running.add_argument, OPTIONS)
    add_expression(running)


def add_show(showing: argparse.ArgumentParser) -> None:
    """The options of `show`."""
    showing.description = "Show the end of a run again: the measured cases, the fastest first, and a summary."
    showing.add_argument("record", type=Path, metavar="RECORD", help=RECORD)
    showing.add_argument("--all", action="store_true", help="all cases instead of the fastest 40")
    add_filter(showing)


def add_list(listing: argparse.ArgumentParser) -> None:
    """The options of `list`."""
    listing.description = "List the cases of a profile, with the reason if a case cannot run on this machine."
    add_options(listing.add_argument, LIST_OPTIONS)
    add_expression(listing)
    add_format(listing)


def add_report(reporting: argparse.ArgumentParser) -> None:
    """The options of `report`."""
    reporting.description = "Write the HTML page of a stored run."
    reporting.add_argument("record", type=Path, nargs="+", metavar="RECORD", help=RECORD)
    reporting.add_argument("-o", dest="output", type=Path, required=True, metavar="FILE", help="file to write")
    add_filter(reporting)
    add_private(reporting)


def add_export(exporting: argparse.ArgumentParser) -> None:
    """The options of `export`."""
    exporting.description = "Convert a stored run to the format of another tool."
    exporting.add_argument("record", type=Path, metavar="RECORD", help=RECORD)
    exporting.add_argument(
        "--format",
        required=True,
        metavar="NAME",
        help="csv, parquet, junit, markdown, pytest-benchmark, benchmark-action, openmetrics or record",
    )
    exporting.add_argument(
        "-o", dest="output", type=Path, metavar="FILE", help="file to write (default: standard output)"
    )
    add_filter(exporting)
    add_private(exporting)


def add_compare(comparing: argparse.ArgumentParser) -> None:
    """The options of `compare`."""
    comparing.description = (
        "Compare two stored runs, or write a page that compares several with the first. A gate finds smaller changes, "
        "since it measures both sides at the same time."
    )
    comparing.add_argument("baseline", type=Path, metavar="BASELINE", help=RECORD)
    comparing.add_argument("candidate", type=Path, metavar="CANDIDATE", help=RECORD)
    comparing.add_argument("others", type=Path, nargs="*", metavar="CANDIDATE", help="further candidates; they need -o")
    comparing.add_argument(
        "-o", dest="output", type=Path, metavar="FILE", help="write a page to this file instead of printing a table"
    )
    add_options(comparing.add_argument, COMPARE_OPTIONS)
    add_format(comparing)
    add_private(comparing)


def add_effects(asking: argparse.ArgumentParser) -> None:
    """The options of `effects`."""
    asking.description = (
        "Show what each level of a factor costs, such as each optimizer, in otherwise equal cases. Show which factors "
        "interact, and how much of the variance each explains. Predict the cases that were not measured."
    )
    asking.add_argument("record", type=Path, metavar="RECORD", help=RECORD)
    asking.add_argument(
        "--metric",
        choices=("step_time", "peak_memory", "energy", "accuracy"),
        default="step_time",
        help="step_time, peak_memory, energy or accuracy (default: step_time)",
    )
    add_expression(asking)
    add_filter(asking)
    add_format(asking)


def add_recommend(asking: argparse.ArgumentParser) -> None:
    """The options of `recommend`."""
    asking.description = (
        "Show the fastest case of a stored run within limits, and the Pareto front of time, memory, energy and "
        "accuracy. Exit code 1: no case is within the limits."
    )
    asking.add_argument("record", type=Path, metavar="RECORD", help=RECORD)
    asking.add_argument("--max-time", metavar="TIME", help="longest step time, such as 10ms")
    asking.add_argument("--max-memory", metavar="SIZE", help="largest peak memory, such as 600MiB")
    asking.add_argument("--max-energy", metavar="ENERGY", help="largest energy of a step, such as 2.5J")
    asking.add_argument("--min-accuracy", metavar="SHARE", help="smallest final accuracy, such as 0.95")
    add_expression(asking)
    add_filter(asking)
    add_format(asking)


def add_gate(gating: argparse.ArgumentParser) -> None:
    """The options of `gate`."""
    gating.description = (
        "Measure two revisions at the same time and compare them. Exit code 0: no regression, and the margin is ruled "
        "out. 10: regression. 11: the budget was too short. 12: not comparable."
    )
    add_options(gating.add_argument, GATE_OPTIONS)
    add_expression(gating)
    gating.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to write to (default: a new one under reports/gates)"
    )
    gating.add_argument("--resume", type=Path, metavar="DIR", help="folder of an interrupted gate to continue")
    add_private(gating)


def add_doctor(examining: argparse.ArgumentParser) -> None:
    """The options of `doctor`."""
    examining.description = "Find what disturbs measurements on this machine. This command changes nothing."
    add_options(examining.add_argument, DOCTOR_OPTIONS)
    add_format(examining)


def add_config(showing: argparse.ArgumentParser) -> None:
    """The options of `config`."""
    showing.description = (
        "Show the value of each option that is in effect in this folder, and the variable or file that sets it."
    )
    add_format(showing)


def add_init(starting: argparse.ArgumentParser) -> None:
    """The options of `init`."""
    starting.description = (
        "Write stepmark.toml, and a module with a network and an optimizer that you replace by yours. If one of the "
        "files exists, write nothing."
    )
    starting.add_argument("--github", action="store_true", help="also write a workflow that gates each pull request")
    starting.add_argument("--gitlab", action="store_true", help="also write a pipeline that gates each merge request")


def add_completion(completing: argparse.ArgumentParser) -> None:
    """The shell of `completion`."""
    completing.description = "Print the script that completes commands, options, profiles, structures and files."
    completing.add_argument("shell", choices=SHELLS, help=" or ".join(SHELLS))


def add_filter(to: argparse.ArgumentParser) -> None:
    """The option that selects cases by levels, outcome, verdict and metrics."""
    to.add_argument(
        FILTER,
        metavar="WORDS",
        default="",
        help="only cases that match all words, such as 'optimizer:adam* time<10ms -verdict:bimodal'",
    )


def add_expression(to: argparse.ArgumentParser) -> None:
    """The option that selects cases, as pytest's."""
    to.add_argument(
        "-k", dest="expression", metavar="EXPRESSION", help="only cases whose id matches, such as 'adam and not cuda'"
    )


def add_format(to: argparse.ArgumentParser) -> None:
    """The option of a table for a person, or of JSON for a program."""
    to.add_argument("--format", choices=("table", "json"), default="table", help="table or json (default: table)")


def add_private(to: argparse.ArgumentParser) -> None:
    """The option that makes what is written fit to be published."""
    to.add_argument("--private", action="store_true", help="remove the host's name, and the folders from paths")
