"""The program that asv runs: `sample_asv.py CASE NUMBER ROUNDS` takes one round's samples; 0 calibrates the number."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

from asv_runner.benchmarks.time import TimeBenchmark

from rivals.steps import step_of


def main() -> None:
    """Print what `TimeBenchmark` finds: samples, in seconds a step, and steps a sample."""
    case_id, number, rounds = sys.argv[1:]
    step = step_of(case_id)

    def time_step() -> None:
        step()

    print(json.dumps(TimeBenchmark(case_id, time_step, [SimpleNamespace(number=number, rounds=rounds)]).run()))


if __name__ == "__main__":
    main()
