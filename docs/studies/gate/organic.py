"""Changes that people really make, each as one gate: is it caught, and called by its name?

A line for each in `reports/studies/gate_organic.jsonl`; those that are there are not measured again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from live import RAW, SAME, gated

from suite.store import LineFile

OUT = RAW.with_name("gate_organic.jsonl")
MORE_BYTES = 3 * 2**20
"""Bytes that a step of residual_d4w32 holds more: some 5 % of its peak with 32 images."""


@dataclass(frozen=True)
class Change:
    """A change, as arms and options."""

    name: str
    arms: tuple[str, str]
    options: tuple[str, ...]


ONE = ("--profile", "eight", "--budget", "4m", "-k")
CHANGES = (
    Change("foreach off", ("set:optimizer=adam_foreach", "set:optimizer=adam"), (*ONE, "adam")),
    Change("foreach on", ("set:optimizer=adam", "set:optimizer=adam_foreach"), (*ONE, "adam")),
    Change("channels_last off", ("set:tuning=channels_last", "set:tuning=eager"), (*ONE, "plain or residual")),
    Change(
        "a normalisation layer more in each block",
        ("set:structure=residual_nonorm_d4w32", "set:structure=residual_d4w32"),
        (*ONE, "residual"),
    ),
    Change("the loss read in each step", (SAME[0], "env:SYNCHRONISING=*=1"), (*ONE, "seed or mlp")),
    Change("a larger peak of memory", (SAME[0], f"env:HUNGRIER=residual*={MORE_BYTES}"), (*ONE, "residual")),
)


def main() -> None:
    """Gate what has not been gated yet."""
    done = {json.loads(line)["change"] for line in OUT.read_text().splitlines()} if OUT.exists() else set()
    file = LineFile(OUT)
    for change in CHANGES:
        if change.name in done:
            continue
        found = gated(change.arms, *change.options)
        file.append({"change": change.name, "arms": change.arms, **found})
        print(f"{change.name}: exit {found['exit_code']}, {found['seconds']:.0f} s", flush=True)
        for one in found["verdict"]["cases"]:
            if one["verdict"] != "no change":
                print(f"  {one['metric']:12} {one['name']:40} {one['verdict']} {one['change']:+.1%}", flush=True)
    file.close()


if __name__ == "__main__":
    main()
