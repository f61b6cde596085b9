"""Changes that people really make, each as one gate: is it caught, and called by its name?

A line for each in `reports/studies/gate_organic.jsonl`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from live import RAW, START_S, gated, keep
from parts import Part
from suite.gate.options import seconds_of
from suite.records.line_file import read_lines

OUT = RAW.with_name("gate_organic.jsonl")
MORE_BYTES = 3 * 2**20
"""Bytes that a step of residual_d4w32 holds more: some 5 % of its peak with 32 images."""


@dataclass(frozen=True)
class Change:
    """A change, as arms and options."""

    name: str
    arms: tuple[str, str]
    options: tuple[str, ...]


BUDGET = "4m"
ONE = ("--profile", "eight", "--budget", BUDGET, "-k")
CHANGES = (
    Change("foreach off", ("set:optimizer=adam_foreach", "set:optimizer=adam"), (*ONE, "adam")),
    Change("foreach on", ("set:optimizer=adam", "set:optimizer=adam_foreach"), (*ONE, "adam")),
    Change("channels_last off", ("set:tuning=channels_last", "set:tuning=eager"), (*ONE, "plain or residual")),
    Change(
        "a normalisation layer more in each block",
        ("set:structure=residual_nonorm_d4w32", "set:structure=residual_d4w32"),
        (*ONE, "residual"),
    ),
    Change(
        "the loss read in each step",
        ("env:SYNCHRONISING=none=1", "env:SYNCHRONISING=*=1"),
        (*ONE, "seed or mlp"),
    ),
    Change(
        "a larger peak of memory", ("env:HUNGRIER=none=0", f"env:HUNGRIER=residual*={MORE_BYTES}"), (*ONE, "residual")
    ),
)


def parts() -> list[Part]:
    """Every change, once."""
    done = {(line["change"], *line["arms"]) for line in gates()}
    longest_s = seconds_of(BUDGET) + START_S
    return [Part(0, 1, (one.name, *one.arms) in done, longest_s, partial(measure, one)) for one in CHANGES]


def gates() -> list[dict[str, Any]]:
    """Lines measured so far, in order; older gates of a revised change are among them."""
    return read_lines(OUT)[0] if OUT.exists() else []


def measure(change: Change) -> str:
    """Gate a change and keep what was said."""
    found = gated(change.arms, *change.options)
    keep(OUT, {"change": change.name, "arms": change.arms, **found})
    changed = sum(one["verdict"] != "no change" for one in found["verdict"]["cases"])
    return f"exit {found['exit_code']:2}  {found['seconds']:4.0f} s  {change.name}: {changed} not without a change"
