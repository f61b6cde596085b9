"""Examples of each command, which its `--help` ends with. Tests run them."""

from __future__ import annotations

import argparse

RUN = "reports/runs/2026-11-26T22-47-14-quick"
"""Stands for the folder of any run."""
LATER = "reports/runs/2026-11-27T09-12-40-quick"
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "list": (
        ("stepmark list --profile full -k 'residual and adam'", "which of these cases run here, and why others do not"),
        ("stepmark list --format json | head", "one JSON object a line, for a program"),
    ),
    "run": (
        ("stepmark run", "measure the profile quick: 24 cases on the CPU"),
        ("stepmark run --profile smoke -k 'seed_cnn and adam'", "some cases of another profile"),
        ("stepmark run --structure net.py:make_model", "your own network, with the optimizers of the profile quick"),
        ("stepmark run --resume reports/runs/2026-11-26T22-47-14-quick", "complete an interrupted run"),
    ),
    "show": (
        (f"stepmark show {RUN}", "the table that the run printed"),
        (f"stepmark show {RUN} --filter 'optimizer:adam* time<50ms'", "some cases, each with its rank among all"),
        (f"stepmark show {RUN} --filter '-verdict:steady -outcome:skipped' --all", "cases that deserve less trust"),
    ),
    "report": (
        (f"stepmark report {RUN} -o page.html", "write the page again"),
        (f"stepmark report {RUN} -o page.html --private", "without names of host and folders"),
        (f"stepmark report {RUN} -o page.html --filter structure:resnet18", "a page about some cases"),
    ),
    "export": (
        (f"stepmark export {RUN} --format csv -o cases.csv", "a table, one row a case"),
        (f"stepmark export {RUN} --format csv --filter 'mode:train time<1s'", "some rows, to standard output"),
    ),
    "compare": (
        (f"stepmark compare {RUN} {LATER}", "changes of all cases that both runs measured"),
        (f"stepmark compare {RUN} {LATER} --tolerance 3%", "only a slowdown above 3 % is a regression"),
        (f"stepmark compare {RUN} {LATER} -o compare.html", "a page instead of a table"),
    ),
    "effects": (
        (f"stepmark effects {RUN}", "what each level costs in step time"),
        (f"stepmark effects {RUN} --metric peak_memory --filter 'execution:cpu'", "in memory, for cases on the CPU"),
    ),
    "recommend": (
        (f"stepmark recommend {RUN} --max-memory 600MiB", "the fastest case that needs no more memory"),
        (f"stepmark recommend {RUN} --max-time 50ms --filter -optimizer:rmsprop", "without one optimizer"),
    ),
    "gate": (
        ("stepmark gate --baseline rev:main", "is the working tree slower than main?"),
        ("stepmark gate --baseline rev:main -k resnet18 --budget 5m", "some cases, in five minutes"),
    ),
    "doctor": (("stepmark doctor", "what disturbs measurements here, and how to fix it"),),
    "config": (("stepmark config", "the options in effect in this folder"),),
    "init": (("stepmark init --github", "with a workflow that gates each pull request"),),
    "completion": (
        (
            "stepmark completion bash > ~/.local/share/bash-completion/completions/stepmark",
            "for the shells that start from now on",
        ),
        ("stepmark completion zsh > ~/.zfunc/_stepmark", "with `fpath+=~/.zfunc` before `compinit` in ~/.zshrc"),
    ),
}
"""Command -> command lines, each with its use."""

FIRST_STEPS = """first steps:
  stepmark run --profile smoke         measure 4 small cases, in a few seconds
  stepmark doctor                      what disturbs measurements here
  stepmark gate --baseline rev:main    is the working tree slower than main?
  stepmark COMMAND --help              options and examples of a command

exit codes:
  0 success, 1 a case failed, 2 wrong usage, 10 regression, 11 inconclusive,
  12 not comparable"""


class Formatter(argparse.HelpFormatter):
    """Wraps texts as argparse does, and leaves those with several lines as they stand."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "".join(indent + line for line in text.splitlines(keepends=True))
        return super()._fill_text(text, width, indent)


def epilog(command: str) -> str:
    """The examples of a command, as `--help` shows them."""
    lines = ["examples:"]
    for line, use in EXAMPLES[command]:
        lines += [f"  {line}", f"      {use}"]
    return "\n".join(lines)
