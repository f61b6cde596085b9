"""Records compared: as text for a terminal, or as a page."""

from __future__ import annotations

import argparse
from pathlib import Path

from suite.analysis.thresholds import Thresholds, share, thresholds_of
from suite.configuration.files import configuration_here
from suite.configuration.values import naming_places, texts_of
from suite.markup.printable import printable
from suite.options import COMPARE_OPTIONS, default_texts, given_options
from suite.records import Run, StepmarkError
from suite.records.atomic_files import write_whole
from suite.records.redaction import names_of, wants_redaction, without_names
from suite.records.store import read_run


def compare(options: argparse.Namespace) -> tuple[str, int]:
    """The changes between records as text, and the exit code; write a page if asked.

    Raises:
        StepmarkError: a record cannot be read, a limit is wrong, the page cannot be written; or more than two records
            are given without a page.
        NotComparableError: two records that are not compared, without a page.
    """
    limits, memory_tolerance = limits_of(options)
    if options.output is not None:
        return as_page(options, limits, memory_tolerance)
    from suite.comparison import formats
    from suite.comparison.changes import compare as compared

    if options.others:
        raise StepmarkError(
            f"{2 + len(options.others)} records were given; allowed: two, or more with -o FILE; name a file for the "
            "page."
        )
    baseline, candidate = read_run(options.baseline), read_run(options.candidate)
    if options.format == "table":  # JSON escapes what a terminal would obey
        baseline, candidate = printable(baseline), printable(candidate)
    formats.refuse_unlike(baseline, candidate)
    found = compared(baseline, candidate, limits, memory_tolerance)
    code = formats.exit_code(found, limits)
    return formats.FORMATS[options.format](found, limits), code


def limits_of(options: argparse.Namespace) -> tuple[Thresholds, float]:
    """The limits, and the tolerance of memory, by options and configuration."""
    values = configuration_here().values_of("compare", given_options(options, COMPARE_OPTIONS))
    typed = {**default_texts(COMPARE_OPTIONS), **texts_of(values)}
    with naming_places(values):
        limits = thresholds_of(typed["tolerance"], typed["margin"], typed["alpha"])
        return limits, share("memory-tolerance", typed["memory-tolerance"])


def as_page(options: argparse.Namespace, limits: Thresholds, memory_tolerance: float) -> tuple[str, int]:
    """Write the page; the text is one sentence for each candidate, and the path."""
    from suite.comparison.page import render
    from suite.comparison.pairing import overall_code, pair_up
    from suite.comparison.wording import outcome, sentence

    paths: list[Path] = [options.baseline, options.candidate, *options.others]
    is_private = wants_redaction(options.private)
    pairings = pair_up(
        [public(read_run(path)) if is_private else read_run(path) for path in paths], limits, memory_tolerance
    )
    write_whole(options.output, render(pairings, limits))
    lines = [f"{outcome(one.code)}: {sentence(one, limits)}" for one in pairings]
    named = [f"{path}: {line}" for path, line in zip(paths[1:], lines, strict=True)]
    return "\n".join([*(named if options.others else lines), str(options.output)]), overall_code(pairings)


def public(run: Run) -> Run:
    """A run without the names of host and folders."""
    return without_names(run, names_of(run.header.environment))
