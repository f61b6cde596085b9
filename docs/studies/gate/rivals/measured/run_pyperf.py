"""The program that pyperf runs: the step of one case, made in the processes that measure it."""

from __future__ import annotations

from argparse import Namespace

import pyperf

from rivals.steps import step_of


def pass_on(command: list[str], options: Namespace) -> None:
    """Pass the case to the processes of a runner."""
    command += ["--case", options.case]


def main() -> None:
    """Measure, or start those that do."""
    runner = pyperf.Runner(add_cmdline_args=pass_on)
    runner.argparser.add_argument("--case", required=True)
    options = runner.parse_args()
    step = step_of(options.case) if options.worker else print  # which is never called
    runner.bench_func(options.case, step)


if __name__ == "__main__":
    main()
