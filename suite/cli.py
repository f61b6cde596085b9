"""The stepmark command; the only module that prints. Imports what a command needs when it runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from suite.errors import ExitCode
from suite.frontend.cli_options import parser
from suite.frontend.signals import as_interruptions, exit_code_of
from suite.frontend.streams import forgiving
from suite.records import StepmarkError
from suite.records.atomic_files import refusal_of, write_whole
from suite.records.failure_reason import unexpected
from suite.records.redaction import host_of, without_names
from suite.records.redaction import is_asked as is_private

if TYPE_CHECKING:
    from suite.gate.measuring.sides import BothSides
    from suite.gate.record.store import Gate, Ledger
    from suite.matrix.designs import Choice

SHOWN_REASONS = 5
"""Reasons quoted for cases that a design could not choose, the most frequent first; more would bury the list."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; a `StepmarkError` becomes its one sentence and its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with forgiving() as output:
        if given[:1] == ["run"]:  # everything behind it is pytest's
            return guarded(lambda: run(given[1:]))
        options = parser().parse_args(given)
        code = guarded(lambda: COMMANDS[options.command](options))
        if output.refusal is None or isinstance(output.refusal, BrokenPipeError):  # as `| head` closes it
            return code
        print(f"stepmark: cannot write standard output: {output.refusal.strerror}.", file=sys.stderr)
        in_files = options.command == "gate"  # so is its verdict
        return code if in_files else code or ExitCode.WRONG_USAGE


def guarded(command: Callable[[], int]) -> int:
    """The command's exit code, or an error's and its one sentence."""
    try:
        with as_interruptions():
            code = command()
            sys.stdout.flush()  # what is buffered meets a full disk here, not when the interpreter ends
            return code
    except KeyboardInterrupt as error:
        print(f"stepmark: {str(error) or 'interrupted'}.", file=sys.stderr)
        return exit_code_of(error)
    except StepmarkError as error:
        print(f"stepmark: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"stepmark: {refusal_of(error)}", file=sys.stderr)
        return ExitCode.WRONG_USAGE
    except Exception as error:  # noqa: BLE001 - a fault of ours or of a library is one sentence, too
        print(f"stepmark: {unexpected(error)}", file=sys.stderr)
        return ExitCode.FAILURE


def run(arguments: list[str]) -> int:
    """Become `pytest cases`, with 2 for a wrong command line.

    Under torchrun the process of rank 0 does so, and the others do its bidding.
    """
    from suite.frontend.pytest_command import pytest_line
    from suite.machine import torchrun
    from suite.matrix.profiles import CASES_FOLDER

    world = torchrun.world()
    if world and world.rank > 0:
        from suite.runner.rank_agent import follow

        follow(arguments, world)
        return ExitCode.SUCCESS
    if not CASES_FOLDER.is_dir():
        raise StepmarkError(f"no benchmark cases at {CASES_FOLDER}; run this from a checkout of stepmark.")
    sys.stdout.flush()
    line = pytest_line(arguments, Path.cwd())
    return os.execv(line[0], line)  # noqa: S606 - no shell is meant


def list_cases(options: argparse.Namespace) -> int:
    """Print every case that a run would plan: a table for a person, or one JSON object a line.

    What a design left out is said behind the table, or on standard error beside JSON.
    """
    from suite.matrix.cases import choice_of
    from suite.matrix.profiles import load_profile
    from suite.matrix.refusals import refusal
    from suite.matrix.selection import selector, shard
    from suite.options import DEFAULT_PROFILE, LIST_OPTIONS, given_options
    from suite.records import INFER
    from suite.records.factors import FACTORS

    given = given_options(options, LIST_OPTIONS)
    selects = selector(options.expression or "")
    choice = choice_of(load_profile(given.get("profile", DEFAULT_PROFILE), given.get("profiles")))
    cases = shard(choice.cases, given["shard"]) if "shard" in given else choice.cases
    chosen = [(case, refusal(case)) for case in cases if selects(case.id)]
    if options.format == "json":
        for case, reason in chosen:
            levels = {factor.name: factor.level_of(case) for factor in FACTORS}
            print(json.dumps({"id": case.id, **levels, "runnable": not reason, "reason": reason}))
        print_left_out(choice, sys.stderr)
        return ExitCode.SUCCESS
    width = max((len(case.id) for case, _ in chosen), default=0)
    for case, reason in chosen:
        print(f"{case.id:<{width}}  {reason or 'runs here'}")
    print_left_out(choice, sys.stdout)
    if any(case.mode == INFER for case, _ in chosen):
        print("an optimizer has no part in inferring: those cases take the profile's first")
    refused = sum(bool(reason) for _, reason in chosen)
    print(f"{len(chosen)} of {len(choice.cases)} cases listed, {len(chosen) - refused} run here, {refused} do not")
    return ExitCode.SUCCESS


def print_left_out(choice: Choice, stream: TextIO) -> None:
    """Say how many cases a design chose of how many, and why others could not be chosen; nothing of a full matrix."""
    if choice.design == "full":
        return
    refused = sum(choice.refused.values())
    print(
        f"design {choice.design}: {len(choice.cases)} of {choice.matrix_cases} cases chosen; "
        f"{choice.matrix_cases - len(choice.cases) - refused} more run here, {refused} do not",
        file=stream,
    )
    for reason, count in list(choice.refused.items())[:SHOWN_REASONS]:
        print(f"  {count} not here: {reason}", file=stream)
    if len(choice.refused) > SHOWN_REASONS:
        print(f"  and {len(choice.refused) - SHOWN_REASONS} more reasons", file=stream)


def report(options: argparse.Namespace) -> int:
    """Write the page of one record."""
    if len(options.record) > 1:
        raise StepmarkError(f"{len(options.record)} records were given; a page shows one record at present.")
    from suite import report as pages
    from suite.records.store import read_run

    record, private = options.record[0], is_private(options.private)
    run = read_run(record)
    if private:
        run = without_names(run, [host_of(run.header.environment)])
    path = pages.write(run, options.output, record_path="" if private else str(record))
    print(path)
    return ExitCode.SUCCESS


def export(options: argparse.Namespace) -> int:
    """Write a record in another format to a file or to standard output."""
    from suite.exports.formats import export as exported
    from suite.records.store import read_run

    run = read_run(options.record)
    if is_private(options.private):
        run = without_names(run, [host_of(run.header.environment)])
    text = exported(run, options.format)
    if options.output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode(errors="backslashreplace"))
        return ExitCode.SUCCESS
    write_whole(options.output, text)
    print(options.output)
    return ExitCode.SUCCESS


def compare(options: argparse.Namespace) -> int:
    """Print what changed from one run to another."""
    from suite.analysis.thresholds import limits_of, share
    from suite.comparison import formats
    from suite.comparison.changes import compare as compared
    from suite.options import COMPARE_OPTIONS, default_texts, given_options
    from suite.records.store import read_run

    typed = {**default_texts(COMPARE_OPTIONS), **given_options(options, COMPARE_OPTIONS)}
    limits = limits_of(typed["tolerance"], typed["margin"], typed["alpha"])
    memory_tolerance = share("memory-tolerance", typed["memory-tolerance"])
    baseline, candidate = read_run(options.baseline), read_run(options.candidate)
    formats.refuse_unlike(baseline, candidate)
    found = compared(baseline, candidate, limits, memory_tolerance)
    code = formats.exit_code(found, limits)
    print(formats.FORMATS[options.format](found, limits))
    return code


def gate(options: argparse.Namespace) -> int:
    """Measure both arms, log after each block, write the verdict's files and print it."""
    from suite.gate import output
    from suite.gate.measuring import machine_lock
    from suite.gate.runner import LiveGate

    log = partial(print, "gate:", flush=True)
    warn = cache(lambda text: print(f"stepmark: {text}", file=sys.stderr))  # each sentence once
    setting, begun, ledger = gate_of(options)
    with ledger, resumable(ledger.folder):
        if ledger.note:
            warn(ledger.note)
        log(f"{len(begun.planned.rows)} cases, up to {begun.planned.budget_s:.0f} s, in {ledger.folder}")
        lock = partial(machine_lock.turn, log, warn)
        verdict = LiveGate(setting, begun, ledger, lambda _, text: log(text), lock).run()
    if is_private(options.private):
        verdict = without_names(verdict, [host_of(begun.planned.environment)])
    for text in output.write(verdict, ledger.folder, warn):
        print(text)
    return verdict.exit_code


def gate_of(options: argparse.Namespace) -> tuple[BothSides, Gate, Ledger]:
    """A new gate, or the interrupted one that `--resume` names."""
    from suite.gate import planning
    from suite.options import GATE_OPTIONS, given_options, refuse_with_resume

    given = given_options(options, GATE_OPTIONS)
    others = {"-k": options.expression, "--out": options.out}
    if options.resume is None:
        return planning.begin(planning.asked({**given, "expression": options.expression}), options.out)
    refuse_with_resume(f"--{name}" for name in given)
    refuse_with_resume(flag for flag, value in others.items() if value is not None)
    return planning.resume(options.resume)


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Within it, an interruption says how to continue."""
    try:
        yield
    except KeyboardInterrupt as error:
        error.args = (f"{str(error) or 'interrupted'}; `stepmark gate --resume {folder}` continues",)
        raise


def doctor(options: argparse.Namespace) -> int:
    """Print each finding as soon as it is known: lines for a person, or one JSON object a line."""
    from suite.doctor import examine

    disturbing = 0
    for finding in examine():
        disturbing += finding.state == "disturbs"
        if options.format == "json":
            print(json.dumps(asdict(finding)), flush=True)
            continue
        print(f"{finding.state:<8}  {finding.name}: {finding.found}", flush=True)
        if finding.advice:
            print(f"{'':<10}{finding.advice}", flush=True)
    if options.format == "table":
        print(f"{disturbing} disturb{'s' if disturbing == 1 else ''} a measurement here; nothing was changed")
    return ExitCode.SUCCESS


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": list_cases,
    "report": report,
    "export": export,
    "compare": compare,
    "gate": gate,
    "doctor": doctor,
}
"""Name of a command -> what does it; `run` hands its arguments to pytest as they are."""

if __name__ == "__main__":
    sys.exit(main())
