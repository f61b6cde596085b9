"""Checks Stepmark on a machine with a GPU and no network: one call, nine minutes at most, results in a folder.

    python docs/studies/device/check.py [--out DIR] [--seconds S] [--jobs N] [STEP...]

Steps, the most telling first; those that are named run in the order in which they are named. Each has its own limit,
and what no time is left for is named. The first three judge no times: they run at the same time, each in N processes.

    first     every path of the suite once, in a process each: crashes, differences, costs    first.jsonl
    tests     the tests marked gpu                                                           gpu-tests.xml
    levels    other tests of levels with cuda in their name                                  levels.xml
    bare      the suite's step time, a bare loop's, and the device's events                   bare.json
    turns     a worker that has the device alone, and two that take turns                     turns.json
    slice     a run: each CUDA tuning against eager, no instruments                           slice.html
    planted   a gate of two cases, one of which does 3 % more in the candidate                planted.json, .html
    pages     a run with instruments, cpu and cuda                                            pages.html
    torchrun  NCCL with one rank, as on several nodes
    gate      identical sides on the device: no change
    doctor    disturbances here
    quick     the profile quick, with instruments; at no time unless named                    quick.html

`summary.txt` is to be read first. The output of a step is in STEP.log. Wheels that `make device-kit` packed are
installed into an environment in a temporary folder, as far as this machine lacks them. Nothing is fetched, and no
setting of the device is changed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[2]
WHEELS = PROJECT / ".device-kit"
PROFILES = HERE / "profiles.toml"
SECONDS = 540
INSTALL_S = 200.0
LEAST_S = 15
"""Seconds that have to be left for a step to begin."""
NVIDIA_SMI = (
    "nvidia-smi",
    "--query-gpu=name,driver_version,persistence_mode,compute_mode,mig.mode.current,clocks.max.sm,power.limit",
    "--format=csv",
)
EXTRAS = "learning"
TEST_PACKAGES = ("hypothesis", "pytest-xdist")
MOST_JOBS, CORES_A_JOB = 4, 3
"""Processes of a step that judges no times, and cores that each has at least."""
EVERY_LEVEL = "tests/levels/test_every_level.py"
LAST_LINES = 15
"""Lines of a step's output that are printed."""
ON_REQUEST = ("quick",)
"""Steps that are taken only if they are named."""


@dataclass(frozen=True)
class Step:
    """A command, the seconds that it may take, and the file in the results that it makes.

    Attributes:
        with_previous: whether it runs at the same time as the step before it.
    """

    name: str
    most_s: int
    words: tuple[str, ...]
    file: str = ""
    with_previous: bool = False


def steps(out: Path, work: Path, jobs: int = 1) -> list[Step]:
    """All steps in their order.

    Args:
        out: folder of the results.
        work: a temporary folder.
        jobs: processes of a step that judges no times.
    """
    pytest = ("-m", "pytest", "-p", "no:cacheprovider", "-v", "--tb=short", "-n", str(jobs))
    run = ("-m", "suite.cli", "run", "-p", "no:cacheprovider", "-q")
    own = ("--profiles", str(PROFILES), "--profile")
    return [
        Step("first", 215, (str(HERE / "first.py"), str(out / "first.jsonl"), "205", str(jobs))),
        Step(
            "tests", 215, (*pytest, "tests", "-m", "gpu", "--junitxml", str(out / "gpu-tests.xml")), with_previous=True
        ),
        Step(
            "levels",
            215,
            (*pytest, EVERY_LEVEL, "-k", "cuda", "-m", "not gpu", "--junitxml", str(out / "levels.xml")),
            with_previous=True,
        ),
        Step("bare", 40, (str(HERE / "bare.py"), str(out / "bare.json"))),
        Step("turns", 45, (str(HERE / "turns.py"), str(out / "turns.json"))),
        Step(
            "slice",
            110,
            (*run, "--profile", "gpu_slice", "--surveys", "none", "--record", str(work / "slice")),
            "slice.html",
        ),
        Step("planted", 200, (str(HERE / "planted.py"), str(out / "planted.json"))),
        Step("pages", 75, (*run, *own, "device_pages", "--record", str(work / "pages")), "pages.html"),
        Step("torchrun", 40, torchrun(run, work)),
        Step("gate", 75, gate(own, work)),
        Step("doctor", 75, ("-m", "suite.cli", "doctor")),
        Step("quick", 330, (*run, "--profile", "quick", "--record", str(work / "quick")), "quick.html"),
    ]


def torchrun(run: Sequence[str], work: Path) -> tuple[str, ...]:
    """One rank of torchrun, which measures one case."""
    where = ("--nnodes", "1", "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", "29511")
    case = ("-k", "seed_cnn-sgd_momentum-distributed and not _r", "--record", str(work / "torchrun"))
    plan = ("--profile", "executions", "--passes", "1", "--surveys", "none")
    return ("-m", "torch.distributed.run", *where, *run, *plan, *case)


def gate(own: Sequence[str], work: Path) -> tuple[str, ...]:
    """A gate of the same code on both sides."""
    sides = ("--baseline", "dir:.", "--candidate", "dir:.,env:SIDE=b")
    return ("-m", "suite.cli", "gate", *sides, *own, "device_gate", "--budget", "45s", "--out", str(work / "gate"))


STEPS = tuple(step.name for step in steps(Path(), Path()))


@dataclass
class Check:
    """A check in progress.

    Attributes:
        out: folder of the results.
        seconds: for all steps together.
        python: the interpreter that has Stepmark.
    """

    out: Path
    seconds: float
    python: str = sys.executable
    started_s: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Print a line, and add it to the summary."""
        print(text, flush=True)
        with (self.out / "summary.txt").open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.seconds - (time.monotonic() - self.started_s)

    def take(self, group: Sequence[Step], work: Path) -> None:
        """Take steps at the same time, if there is time; what they wrote stays if they are cut off."""
        if self.left_s < LEAST_S:
            for step in group:
                self.say(f"-- {step.name}: not reached")
            return
        limits_s = [min(float(step.most_s), self.left_s - 5) for step in group]
        started_s = time.monotonic()
        print(f"-- {', '.join(step.name for step in group)}, of {self.left_s:.0f} s", flush=True)
        logs = [self.out / f"{step.name}.log" for step in group]
        running = [begun([self.python, *step.words], log) for step, log in zip(group, logs, strict=True)]
        for step, process, log, limit_s in zip(group, running, logs, limits_s, strict=True):
            code = ended(process, max(0.0, started_s + limit_s - time.monotonic()))
            cut = ", cut off" if code is None else ""
            print(*log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:], sep="\n", flush=True)
            self.say(f"-- {step.name}: exit {code} after {time.monotonic() - started_s:.0f} s{cut}")
            if step.file:
                self.keep_page(work / step.file.removesuffix(".html"), step.file)

    def keep_page(self, run: Path, name: str) -> None:
        """Copy the page of a run, or make that of a run that was cut off."""
        if (run / "record.jsonl").exists() and not (run / "report.html").exists():
            limited([self.python, "-m", "suite.cli", "report", str(run), "-o", str(run / "report.html")], 30)
        if (run / "report.html").exists():
            shutil.copy(run / "report.html", self.out / name)


def limited(words: Sequence[str], limit_s: float) -> int | None:
    """Run a command in the project; its exit code, or None where it was killed with its children."""
    return ended(begun(words), limit_s)


def begun(words: Sequence[str], log: Path | None = None) -> subprocess.Popen[bytes]:
    """Start a command in the project; its output goes to the log, if there is one."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with log.open("wb") if log else contextlib.nullcontext() as file:
        return subprocess.Popen(
            words,
            cwd=PROJECT,
            env=environment,
            start_new_session=True,
            stdout=file,
            stderr=subprocess.STDOUT if file else None,
        )


def ended(process: subprocess.Popen[bytes], limit_s: float) -> int | None:
    """Wait for a command; its exit code, or None where it was killed with its children."""
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def groups(chosen: Sequence[Step]) -> Iterator[list[Step]]:
    """Steps that run at the same time, group by group."""
    due = list(chosen)
    while due:
        count = 1 + sum(1 for _ in takewhile(lambda step: step.with_previous, due[1:]))
        yield due[:count]
        due = due[count:]


def installed(work: Path) -> str:
    """An interpreter with Stepmark and the packages that this machine lacks, from the wheels of the kit.

    It sees all packages of the present interpreter, also of a virtual environment, and pip installs no others than
    those that are missing or too old.

    Raises:
        SystemExit: they do not install.
    """
    home = work / "environment"
    python = str(home / "bin" / "python")
    (pip,) = WHEELS.glob("pip-*.whl")
    install = [python, str(pip / "pip"), "install", "-q", "--no-index", "--find-links", str(WHEELS)]
    project = ["--no-build-isolation", "-e", f"{PROJECT}[{EXTRAS}]", *TEST_PACKAGES]
    take([sys.executable, "-m", "venv", "--without-pip", str(home)])
    there = [place for place in sys.path if place.endswith(("site-packages", "dist-packages"))]
    (own,) = home.glob("lib/python*/site-packages")
    (own / "machine.pth").write_text("\n".join(there) + "\n", encoding="utf-8")
    take([*install, "setuptools"])
    take([*install, *project])
    return python


def take(words: Sequence[str]) -> None:
    """Run a command that has to succeed.

    Raises:
        SystemExit: it does not.
    """
    if code := limited(words, INSTALL_S):
        sys.exit(f"{' '.join(words)} ended with {code}")


def about_machine(check: Check) -> None:
    """Revision, device and machine, for the summary."""
    revision = WHEELS / "REVISION"
    check.say(f"revision {revision.read_text().strip() if revision.exists() else 'of this checkout'}")
    if shutil.which(NVIDIA_SMI[0]):
        done = subprocess.run(NVIDIA_SMI, capture_output=True, text=True, timeout=30, check=False)
        check.say(done.stdout.strip() or done.stderr.strip())
    else:
        check.say("no nvidia-smi")
    check.say(f"{os.cpu_count()} cores, python {sys.version.split()[0]}")


def about_items(check: Check) -> None:
    """Items of the first step that are not as they should be."""
    file = check.out / "first.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        item = json.loads(line)
        if item["state"] != "ok":
            check.say(f"   {item['state']}: {item['item']}: {item.get('error', '')[:300]}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Take the steps."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "steps", nargs="*", metavar="STEP", help=f"{', '.join(STEPS)} (default: all but {', '.join(ON_REQUEST)})"
    )
    parser.add_argument("--out", type=Path, default=PROJECT / "build" / "device-check", help="folder of the results")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"for all steps (default: {SECONDS})")
    cores = os.cpu_count() or 1
    jobs = max(1, min(MOST_JOBS, cores // CORES_A_JOB))
    parser.add_argument(
        "--jobs", type=int, default=jobs, help="processes of each of the first steps (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.steps) - set(STEPS):
        parser.error(f"no step {', '.join(sorted(unknown))}; allowed: {', '.join(STEPS)}")
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    (out / "summary.txt").unlink(missing_ok=True)
    check = Check(out, options.seconds)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        about_machine(check)
        if WHEELS.is_dir():
            check.python = installed(work)
        named = options.steps or [name for name in STEPS if name not in ON_REQUEST]
        known = {step.name: step for step in steps(out, work, options.jobs)}
        for group in groups([known[name] for name in named]):
            check.take(group, work)
            if group[0].name == "first":
                about_items(check)
        with tarfile.open(out / "records.tar.gz", "w:gz") as archive:
            for record in work.glob("*/*.jsonl"):
                archive.add(record, record.relative_to(work))
    check.say(f"{time.monotonic() - check.started_s:.0f} s of {options.seconds:.0f} s; results in {out}")


if __name__ == "__main__":
    main()
