"""A run as a record again: without names, to be published, or of some cases."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

from suite.records import Run
from suite.records.codec import encode_case, encode_footer, encode_header


def render(run: Run) -> str:
    """The lines of `record.jsonl`: header, cases, and the footer of a complete run.

    The footer counts the cases that are written.
    """
    lines = [encode_header(run.header), *map(encode_case, run.cases)]
    if run.footer is not None:
        found: Counter[str] = Counter(record.outcome for record in run.cases)
        counts = {outcome: found[outcome] for outcome in run.footer.counts}
        lines.append(encode_footer(replace(run.footer, counts=counts)))
    return "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
