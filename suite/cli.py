"""The stepmark command. Each subcommand imports its modules when it runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from suite.errors import ExitCode
from suite.frontend.cli_options import parser, with_filters_joined
from suite.frontend.signals import as_interruptions, exit_code_of
from suite.frontend.streams import forgiving
from suite.markup.printable import printable
from suite.records import StepmarkError
from suite.records.atomic_files import refusal_of, write_whole
from suite.records.failure_reason import unexpected
from suite.records.redaction import names_of, wants_redaction, without_names

if TYPE_CHECKING:
    from suite.records import Run


HELP = {"-h", "--help"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with forgiving() as output:
        if given[:1] == ["run"] and not HELP & set(given):  # everything behind it is pytest's
            return guarded(lambda: run(given[1:]))
        options = parser().parse_args(with_filters_joined(given))
        code = guarded(lambda: COMMANDS[options.command](options))
        if output.refusal is None or isinstance(output.refusal, BrokenPipeError):  # as `| head` closes it
            return code
        print(f"stepmark: cannot write standard output: {output.refusal.strerror}.", file=sys.stderr)
        in_files = options.command == "gate"  # so is its verdict
        return code if in_files else code or ExitCode.WRONG_USAGE


def guarded(command: Callable[[], int]) -> int:
    """Run a command; an error becomes one sentence and an exit code."""
    try:
        with as_interruptions():
            code = command()
            sys.stdout.flush()  # what is buffered meets a full disk here, not when the interpreter ends
            return code
    except KeyboardInterrupt as error:
        print(f"stepmark: {str(error) or 'interrupted'}.", file=sys.stderr)
        return exit_code_of(error)
    except StepmarkError as error:
        print(f"stepmark: {printable(str(error))}", file=sys.stderr)  # a record's ids may be in it
        return error.exit_code
    except OSError as error:
        print(f"stepmark: {refusal_of(error)}", file=sys.stderr)
        return ExitCode.WRONG_USAGE
    except Exception as error:  # noqa: BLE001 - a fault of ours or of a library is one sentence, too
        print(f"stepmark: {unexpected(error)}", file=sys.stderr)
        return ExitCode.FAILURE


def run(arguments: list[str]) -> int:
    """Become `pytest cases`; under torchrun only as rank 0, which the others follow."""
    from suite.frontend.pytest_command import pytest_line
    from suite.machine import torchrun
    from suite.provenance.installation import CASES_FOLDER

    world = torchrun.world()
    if world and world.rank > 0:
        from suite.runner.rank_agent import follow

        follow(arguments, world)
        return ExitCode.SUCCESS
    if not CASES_FOLDER.is_dir():
        raise StepmarkError(
            f"there are no benchmark cases at {CASES_FOLDER}: the installation is incomplete; install stepmark again."
        )
    sys.stdout.flush()
    line = pytest_line(arguments, Path.cwd())
    return os.execv(line[0], line)  # noqa: S606 - no shell is meant


def list_cases(options: argparse.Namespace) -> int:
    """Print the cases that a run would plan.

    With JSON, the lines about the design go to standard error.
    """
    from suite.configuration.files import configuration_here
    from suite.frontend import case_list
    from suite.options import LIST_OPTIONS, given_options

    listing = case_list.list_of(given_options(options, LIST_OPTIONS), options.expression or "", configuration_here())
    if options.format == "json":
        print_lines(case_list.json_lines(listing))
        print_lines(case_list.design_lines(listing.choice), sys.stderr)
    else:
        print_lines(case_list.table_lines(listing))
    return ExitCode.SUCCESS


def print_lines(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Print lines, to standard output by default."""
    for line in lines:
        print(line, file=stream)


def show(options: argparse.Namespace) -> int:
    """Print the results of a record."""
    from suite.frontend.show_command import lines_of

    run = read_record(options.record, options.filter, private=False)
    has_colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print_lines(lines_of(run, options.record, has_colours=has_colours, shows_all=options.all))
    return ExitCode.SUCCESS


def report(options: argparse.Namespace) -> int:
    """Write the page of one record."""
    if len(options.record) > 1:
        raise StepmarkError(
            f"{len(options.record)} records were given; allowed: one; run `stepmark report` for each record."
        )
    from suite import report as pages

    record, private = options.record[0], wants_redaction(options.private)
    run = read_record(record, options.filter, private=private)
    print(pages.write(run, options.output, record_path="" if private else str(record)))
    return ExitCode.SUCCESS


def export(options: argparse.Namespace) -> int:
    """Write a record in another format to a file or to standard output."""
    from suite.exports.formats import export as exported

    run = read_record(options.record, options.filter, private=wants_redaction(options.private))
    content = exported(run, options.format)
    if options.output is not None:
        write_whole(options.output, content)
        print(options.output)
    elif isinstance(content, str):
        sys.stdout.flush()
        sys.stdout.buffer.write(content.encode(errors="backslashreplace"))
    elif sys.stdout.isatty():
        raise StepmarkError(f"export format {options.format!r} is not text; give a file with -o, or a pipe.")
    else:
        sys.stdout.buffer.write(content)
    return ExitCode.SUCCESS


def read_record(path: Path, words: str, *, private: bool) -> Run:
    """Read the cases of a record that a filter shows.

    A private record loses the names of host and folders.
    """
    from suite.records.store import read_run

    run = read_run(path)
    run = without_names(run, names_of(run.header.environment)) if private else run
    if not words:
        return run
    from suite.overview.filtering import filtered

    return filtered(run, words)


def compare(options: argparse.Namespace) -> int:
    """Print the changes between runs, or write the page about them."""
    from suite.frontend.compare_command import compare as compared

    text, code = compared(options)
    print(text)
    return code


def effects(options: argparse.Namespace) -> int:
    """Print the effects of levels on a metric."""
    from suite.frontend.choice_commands import effects_text

    print(effects_text(options))
    return ExitCode.SUCCESS


def recommend(options: argparse.Namespace) -> int:
    """Print the case to choose within limits."""
    from suite.frontend.choice_commands import recommendation

    text, code = recommendation(options)
    print(text)
    return code


def gate(options: argparse.Namespace) -> int:
    """Measure both arms, log after each block, write the verdict's files and print it."""
    from suite.frontend.gate_command import open_gate, resumable
    from suite.gate import output
    from suite.gate.deciding.verdict_builder import build_verdict
    from suite.gate.measuring import machine_lock
    from suite.gate.runner import GateRunner

    log = partial(print, "gate:", flush=True)
    warn = cache(lambda text: print(f"stepmark: {text}", file=sys.stderr))  # each sentence once
    begun = open_gate(options)
    planned, writer = begun.record.planned, begun.writer
    with writer, resumable(writer.folder):
        if writer.note:
            warn(writer.note)
        if begun.setup is None:  # it was killed before it had written its verdict
            verdict = build_verdict(begun.record)
        else:
            log(f"{len(planned.rows)} cases, up to {planned.budget_s:.0f} s, in {writer.folder}")
            lock = partial(machine_lock.turn, log, warn)
            verdict = GateRunner(begun.setup, begun.record, writer, log, lock).run()
        if wants_redaction(options.private):
            verdict = without_names(verdict, names_of(planned.environment))
        for text in output.write(verdict, writer.folder, warn):
            print(text)
    return verdict.exit_code


def doctor(options: argparse.Namespace) -> int:
    """Print each finding when it is known: as text, or as one JSON object a line."""
    from suite.configuration.files import configuration_here
    from suite.doctor import examine
    from suite.options import DOCTOR_OPTIONS, given_options
    from suite.runner.settings import workers_here

    disturbing = 0
    structures = given_options(options, DOCTOR_OPTIONS).get("structure", "")
    for finding in examine(workers_here(configuration_here()), structures):
        disturbing += finding.state == "disturbs"
        if options.format == "json":
            print(json.dumps(asdict(finding)), flush=True)
            continue
        print(f"{finding.state:<8}  {finding.name}: {finding.found}", flush=True)
        if finding.advice:
            print(f"{'':<10}{finding.advice}", flush=True)
    if options.format == "table":
        subject = "1 finding disturbs" if disturbing == 1 else f"{disturbing} findings disturb"
        print(f"{subject} measurements here; nothing was changed")
    return ExitCode.SUCCESS


def config(options: argparse.Namespace) -> int:
    """Print the value of each option that holds here, and its origin."""
    from suite.configuration.files import configuration_here
    from suite.frontend import configuration_list

    listing = configuration_list.list_of(configuration_here())
    if options.format == "json":
        print(configuration_list.json_text(listing))
    else:
        print_lines(configuration_list.table_lines(listing))
    return ExitCode.SUCCESS


def init(options: argparse.Namespace) -> int:
    """Write a project's first files; print their paths, and what to type next."""
    from suite import starter

    print_lines(starter.start(Path.cwd(), github=options.github, gitlab=options.gitlab))
    return ExitCode.SUCCESS


def completion(options: argparse.Namespace) -> int:
    """Print the script that completes commands in a shell."""
    from suite.frontend.completion import script

    print(script(options.shell))
    return ExitCode.SUCCESS


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": list_cases,
    "show": show,
    "report": report,
    "export": export,
    "compare": compare,
    "effects": effects,
    "recommend": recommend,
    "gate": gate,
    "doctor": doctor,
    "config": config,
    "init": init,
    "completion": completion,
}
"""Command -> its function. `run` hands its arguments to pytest unchanged."""

if __name__ == "__main__":
    sys.exit(main())
