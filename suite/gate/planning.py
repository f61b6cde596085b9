"""A user's options -> plan, arms and record; or those of an interrupted gate."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.analysis import exact_metrics
from suite.analysis.thresholds import Thresholds, share, thresholds_of
from suite.gate.arms import arm as arms
from suite.gate.arms.arm import Arm
from suite.gate.arms.spec import ArmSpec, parse
from suite.gate.deciding import forecast
from suite.gate.deciding.attribution import levels_of
from suite.gate.measuring.block import GateSetup, can_be_concurrent, start
from suite.gate.record.store import GateWriter, read_gate
from suite.gate.record.values import SIDES, CasePair, GatePlan, GateRecord
from suite.matrix.cases import choice_of
from suite.matrix.profiles import Profile, load_profile
from suite.matrix.refusals import refusal
from suite.matrix.selection import selector
from suite.options import ARM_PARTS, GATE_OPTIONS, default_texts
from suite.provenance import environment
from suite.records import LEARN, Case, NotComparableError, StepmarkError, WorkerSettings
from suite.records.atomic_files import fresh_folder
from suite.records.compatibility import CODE, NOT_CODE, TO_RESUME, differences
from suite.records.timestamps import for_file_name, now
from suite.runner.settings import MAX_ORDER_SEED

ROOT = Path("reports/gates")
METRICS = ("step_time", *exact_metrics.METRICS)
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")
SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
PLAN_OPTIONS = tuple(option for option in GATE_OPTIONS if option.kind)
"""Options of a run that a gate has too."""
HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,52}\b")
"""A hash, and the digits of it that a sentence has."""
SAME = "both arms run the same case with the same code"


@dataclass(frozen=True, slots=True)
class GateOptions:
    """A gate's options, checked.

    Attributes:
        expression: of case ids, as pytest's `-k` takes it.
        budget_s: seconds that it may take.
        workers: settings of both sides' workers.
    """

    baseline: ArmSpec
    candidate: ArmSpec
    profile: Profile
    expression: str
    limits: Thresholds
    memory_tolerance: float
    metrics: tuple[str, ...]
    budget_s: float
    workers: WorkerSettings
    seed: int


@dataclass(frozen=True, slots=True)
class OpenGate:
    """A gate that can be measured: its arms, its record so far, and the open file."""

    setup: GateSetup
    record: GateRecord
    writer: GateWriter


def options_of(options: Mapping[str, str | None]) -> GateOptions:
    """Options by name as typed, None or absent where not given -> what was asked for.

    Raises:
        StepmarkError: a value is not allowed, or a file or profile is not there.
    """
    given = {**default_texts(GATE_OPTIONS), **{name: value for name, value in options.items() if value is not None}}
    for name in ("baseline", "candidate"):
        if name not in given:
            raise StepmarkError(f"--{name} is missing; allowed: {ARM_PARTS}.")
    typed = {option.field: option.parse(given[option.name]) for option in PLAN_OPTIONS if option.name in given}
    seed = typed.pop("order_seed", None)
    return GateOptions(
        baseline=parse(given["baseline"]),
        candidate=parse(given["candidate"]),
        profile=load_profile(given["profile"], given.get("profiles")),
        expression=given.get("expression", ""),
        limits=thresholds_of(given["tolerance"], given["margin"], given["alpha"]),
        memory_tolerance=share("memory-tolerance", given["memory-tolerance"]),
        metrics=metrics_of(given["metric"]),
        budget_s=seconds_of(given["budget"]),
        workers=WorkerSettings(**typed),
        seed=random.randint(0, MAX_ORDER_SEED) if seed is None else seed,  # noqa: S311 - an order
    )


def metrics_of(text: str) -> tuple[str, ...]:
    """Names joined by commas, in the order of `METRICS`.

    Raises:
        StepmarkError: one is not known, or there is none.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in METRICS:
            raise StepmarkError(f"--metric has {name!r}; allowed: {', '.join(METRICS)}, joined by commas.")
    return tuple(name for name in METRICS if name in names)


def seconds_of(text: str) -> float:
    """A duration such as `90s`, `10m`, `1h` in seconds.

    Raises:
        StepmarkError: it is none, or nothing.
    """
    match = DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        raise StepmarkError(f"--budget is {text!r}; allowed: a duration above 0, such as 90s, 10m or 1h.")
    return seconds


def begin(wanted: GateOptions, folder: Path | None) -> OpenGate:
    """Make the arms ready, find the cases, and create the record.

    Raises:
        StepmarkError: an arm cannot be made ready or does not start, or the folder cannot be written.
        NotComparableError: the arms have no case in common that runs here.
    """
    choice = choice_of(wanted.profile)
    selects = selector(wanted.expression)
    sides = made_ready(wanted.baseline, wanted.candidate, wanted.profile)
    setting = GateSetup(sides, wanted.workers, wanted.profile.plugins)
    rows, left_out = rows_of([case for case in choice.cases if selects(case.id)], sides, wanted.workers.threads)
    if not rows and not left_out:
        raise StepmarkError(f"no case of profile {wanted.profile.name!r} matches -k {wanted.expression!r}.")
    identical = not rows and all(reason == SAME for reason in left_out.values())
    if not rows and not identical:
        reason = next(reason for reason in left_out.values() if reason != SAME)
        raise NotComparableError(f"the arms have no case in common that runs here: {reason}.")
    refuse_too_many(rows, wanted)
    facts, torches = tried(setting, wanted.seed)
    planned = GatePlan(
        started_at=now(),
        arms=arms.arms_now(sides, torches, setting.plugins),
        rows=tuple(rows),
        levels=levels_of(rows),
        left_out=left_out,
        limits=wanted.limits,
        memory_tolerance=wanted.memory_tolerance,
        metrics=wanted.metrics,
        budget_s=wanted.budget_s,
        workers=wanted.workers,
        seed=wanted.seed,
        selection=selection_of(wanted.profile),
        environment=facts,
        identical=identical,
    )
    return OpenGate(setting, GateRecord(planned), opened(folder, planned))


def opened(folder: Path | None, planned: GatePlan) -> GateWriter:
    """Create the record in a folder; without one, in a fresh one named by the time.

    Raises:
        StepmarkError: the folder holds a gate already, or cannot be written.
    """
    if folder is not None:
        return GateWriter.create(folder, planned)
    with fresh_folder(ROOT / for_file_name(planned.started_at)) as fresh:
        return GateWriter.create(fresh, planned)


def refuse_too_many(rows: Sequence[CasePair], wanted: GateOptions) -> None:
    """Raise if too few blocks fit in the budget to show a regression of any size."""
    if not rows or "step_time" not in wanted.metrics:
        return
    names, reads_memory = len(rows) + len(levels_of(rows)), len(wanted.metrics) > 1
    by_kind = {kind: forecast.estimated(rows, reads_memory, kind) for kind in ("least", "expected")}
    if forecast.too_few(by_kind["least"], len(rows), wanted.budget_s, wanted.limits, names):
        raise StepmarkError(
            f"{forecast.too_few(by_kind['expected'], len(rows), wanted.budget_s, wanted.limits, names)}."
        )


def rows_of(cases: Sequence[Case], sides: tuple[Arm, Arm], threads: int) -> tuple[list[CasePair], dict[str, str]]:
    """The pairs of cases that can be compared, each once, and why others cannot."""
    same_code = arms.have_same_code(sides)
    rows: dict[tuple[Case, Case], CasePair] = {}
    left_out: dict[str, str] = {}
    names: set[str] = set()
    for case in cases:
        pair = (sides[0].arm.case(case), sides[1].arm.case(case))
        if pair in rows:
            continue
        name = pair[0].id if pair[0].id not in names else f"{pair[0].id} to {pair[1].id}"
        reason = refusal(pair[0]) or refusal(pair[1]) or unfit(pair[0])
        if not reason and same_code and pair[0] == pair[1]:
            reason = SAME
        if reason:
            left_out.setdefault(name, reason)
        else:
            rows[pair] = CasePair(name, *pair, can_be_concurrent(pair, threads))
            names.add(name)
    return list(rows.values()), left_out


def unfit(case: Case) -> str:
    """Why a case cannot be gated; empty where it can."""
    return "cases that learn are no steps that repeat; gate the same case in mode train" if case.mode == LEARN else ""


def made_ready(baseline: ArmSpec, candidate: ArmSpec, profile: Profile) -> tuple[Arm, Arm]:
    """Both arms, seen from the current folder."""
    here, folder = Path.cwd(), profile.file.parent
    return arms.make_both_ready(baseline, candidate, here, folder)


def tried(setting: GateSetup, seed: int) -> tuple[dict[str, Any], tuple[str, str]]:
    """Start a process of each side: facts of the environment, both torch versions.

    Raises:
        StepmarkError: one of them does not start, or speaks another protocol.
    """
    with ExitStack() as stack:
        launchers = setting.launchers("comparison", random.Random(0))  # noqa: S311 - nothing is measured
        for launcher in launchers:
            stack.enter_context(launcher)
        start(launchers, 0)
        torches = (str(launchers[0].torch["version"]), str(launchers[1].torch["version"]))
        first = launchers[0]
        facts = environment.facts(setting.workers, seed, first.torch, first.priority, first.allocator, setting.plugins)
        return facts, torches


def selection_of(profile: Profile) -> dict[str, Any]:
    """The name and file by which a resumed gate finds its profile."""
    return {"profile": profile.name, "profiles_file": str(profile.file)}


def resume(folder: Path) -> OpenGate:
    """Go on with a gate that was interrupted.

    Raises:
        StepmarkError: it is over, another process still writes it, or code, machine or software are not what they were.
    """
    place = folder if folder.is_dir() else folder.parent
    read_gate(folder)
    writer = GateWriter(place)
    try:
        record = read_gate(folder)  # read again: nobody else writes it now
        if record.finished:
            raise StepmarkError(f"{folder} is complete; there is nothing to resume.")
        setting = as_planned(folder, record.planned)
        writer.resumed(now())
    except BaseException:  # an interruption, too
        writer.close()
        raise
    return OpenGate(setting, record, writer)


def as_planned(folder: Path, planned: GatePlan) -> GateSetup:
    """The arms and plan of an interrupted gate, made ready again.

    Raises:
        StepmarkError: code, machine or software are not what they were.
    """
    profile = load_profile(planned.selection["profile"], Path(planned.selection["profiles_file"]))
    choice_of(profile)  # registers the levels of its plug-ins
    baseline, candidate = (parse(planned.arms[who]["text"]) for who in SIDES)
    sides = made_ready(baseline, candidate, profile)
    setting = GateSetup(sides, planned.workers, profile.plugins)
    before = tuple(str(planned.arms[who].get("torch")) for who in SIDES)
    refuse_others(folder, arms.changed(planned.arms, arms.arms_now(sides, before, setting.plugins)))
    facts, torches = tried(setting, planned.seed)
    found = differences(planned.environment, facts, (*TO_RESUME, *CODE), ignore=NOT_CODE)
    refuse_others(folder, found + arms.changed(planned.arms, arms.arms_now(sides, torches, setting.plugins)))
    return setting


def refuse_others(folder: Path, found: Sequence[str]) -> None:
    """Check that a gate compares what it did.

    Args:
        folder: of the gate.
        found: what differs.

    Raises:
        StepmarkError: something does.
    """
    if found:
        what = HASH.sub(r"\1", "; ".join(found))
        raise StepmarkError(f"cannot resume {folder}: the code or environment has changed: {what}; start a new gate.")
