"""`make validity`: do validity labels name disturbances, and no others?

Runs of six cases by the default plan, in rotation: alone; with a busy loop on another core; in a control group with a
quota; with a process that holds, takes and copies memory; and with glibc's default allocator. `RUNS=10 THREADS=1 make
validity` sets how many of each. The verdicts of each run are appended to `reports/studies/validity.jsonl`, to which a
further sitting adds, and the table is of all of them. A quota needs the right to make a control group.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from suite.analysis.run_validity import issues_of_run
from suite.machine.cgroups import groups
from suite.records.store import read_run
from suite.records.timestamps import now

RUNS = int(os.environ.get("RUNS", "10"))
THREADS = int(os.environ.get("THREADS", "1"))
KEPT = Path("reports/studies/validity.jsonl")
PROFILE = """
[six]
structures = ["seed_cnn", "plain_d4w32", "residual_d4w32"]
optimizers = ["sgd_momentum", "adam"]
executions = ["cpu"]
"""
BUSY = "while True: pass"
HUNGRY = """
import mmap
held = bytearray(b"x") * (512 << 20)
while True:
    with mmap.mmap(-1, 512 << 20) as block:
        block[:] = held
        held[:] = block
"""
QUOTA = 0.6
"""Of one core: a thread that computes all the time is held back for two fifths of it."""
PERIOD_US = 100_000

Command = list[str]


@contextmanager
def alone(command: Command) -> Iterator[Command]:
    """The run alone."""
    yield command


def beside(code: str) -> Callable[[Command], Any]:
    """A process that works during the run."""

    @contextmanager
    def disturbed(command: Command) -> Iterator[Command]:
        bound = f"from suite.machine.process_lifetime import die_with_parent; die_with_parent({os.getpid()})\n"
        process = subprocess.Popen([sys.executable, "-c", bound + code])
        try:
            yield command
        finally:
            process.kill()
            process.wait()

    return disturbed


@contextmanager
def with_quota(command: Command) -> Iterator[Command]:
    """The run in a control group with a quota, of either version."""
    group = next(groups("cpu")) / f"stepmark-validity-{os.getpid()}"
    group.mkdir()
    try:
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{int(QUOTA * PERIOD_US)} {PERIOD_US}")
        else:
            (group / "cpu.cfs_quota_us").write_text(str(int(QUOTA * PERIOD_US)))
        yield ["sh", "-c", f'echo $$ > {group / "cgroup.procs"}; exec "$@"', "sh", *command]
    finally:
        group.rmdir()


@contextmanager
def with_usual_allocator(command: Command) -> Iterator[Command]:
    """The run with glibc's settings as they come."""
    yield [*command, "--allocator", "default"]


CONDITIONS: dict[str, tuple[Callable[[Command], Any], str]] = {
    "quiet": (alone, ""),
    "load": (beside(BUSY), "loaded"),
    "quota": (with_quota, "throttled"),
    "memory": (beside(HUNGRY), "memory-hungry neighbour"),
    "allocator": (with_usual_allocator, "allocator"),
}
"""What is done to a run, and the verdict that names it."""


def main() -> None:
    """Measure in rotation, then print the table."""
    chosen = [name for name in CONDITIONS if name in os.environ.get("CONDITIONS", " ".join(CONDITIONS)).split()]
    with tempfile.TemporaryDirectory() as folder:
        profiles = Path(folder) / "profiles.toml"
        profiles.write_text(PROFILE)
        for number in range(RUNS):
            for condition in chosen:
                keep(condition, measured(condition, profiles, Path(folder) / f"{condition}-{number}"))
                print(f"{condition} {number + 1}/{RUNS}", flush=True)
    print(table([json.loads(line) for line in KEPT.read_text().splitlines()]))


def measured(condition: str, profiles: Path, record: Path) -> dict[str, list[tuple[str, str]]]:
    """The doubts about each case of a run: kind and text."""
    surveys = "all" if condition == "allocator" else "none"
    command = [sys.executable, "-m", "suite.cli", "run", "--profiles", str(profiles), "--profile", "six"]
    command += ["--threads", str(THREADS), "--surveys", surveys, "--record", str(record)]
    with CONDITIONS[condition][0](command) as disturbed:
        subprocess.run(disturbed, check=True, stdout=subprocess.DEVNULL)
    if kept := os.environ.get("KEEP"):  # the records themselves, to try other thresholds on
        Path(kept).mkdir(exist_ok=True)
        (Path(kept) / f"{record.name}-{os.getpid()}.jsonl").write_bytes((record / "record.jsonl").read_bytes())
    found = issues_of_run(read_run(record).cases)
    return {case_id: [(doubt.kind, doubt.text) for doubt in doubted] for case_id, doubted in found.items()}


def keep(condition: str, found: dict[str, list[tuple[str, str]]]) -> None:
    """Append a run's verdicts."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    with KEPT.open("a") as file:
        line = {"at": now(), "condition": condition, "threads": THREADS, "doubts": found}
        file.write(json.dumps(line) + "\n")


def table(lines: list[dict[str, Any]]) -> str:
    """Runs of each condition that name it in half of their cases, and other labels.

    Of quiet runs, those with any label.
    """
    rows = [f"{'condition':<12}{'threads':>8}{'runs':>6}{'named':>7}  other verdicts, and runs with one"]
    for condition, (_, wanted) in CONDITIONS.items():
        for threads in sorted({line["threads"] for line in lines if line["condition"] == condition}):
            runs = [one["doubts"] for one in lines if (one["condition"], one["threads"]) == (condition, threads)]
            named = sum(of_most(run, wanted) for run in runs) if wanted else sum(accused(run) for run in runs)
            kinds = [{kind for case in run.values() for kind, _ in case} - {wanted} for run in runs]
            others = ", ".join(f"{kind} {sum(kind in one for one in kinds)}" for kind in sorted(set().union(*kinds)))
            rows.append(f"{condition:<12}{threads:>8}{len(runs):>6}{named:>7}  {others}")
    return "\n".join(rows)


def of_most(run: dict[str, list[list[str]]], wanted: str) -> bool:
    """Whether at least half of the cases carry the verdict."""
    return sum(wanted in {kind for kind, _ in case} for case in run.values()) * 2 >= len(run)


def accused(run: dict[str, list[list[str]]]) -> bool:
    """Whether any case carries any verdict."""
    return any(run.values())


if __name__ == "__main__":
    main()
