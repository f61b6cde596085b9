"""A gate's options -> plan, arms and record; or those of an interrupted gate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.configuration.files import configuration_here
from suite.configuration.values import NOTHING
from suite.gate.arms import arm as arms
from suite.gate.arms.arm import Arm
from suite.gate.arms.spec import ArmSpec, parse
from suite.gate.deciding import forecast
from suite.gate.deciding.attribution import levels_of
from suite.gate.measuring.block import GateSetup, can_be_concurrent
from suite.gate.measuring.first_start import first_start, without_lacking
from suite.gate.measuring.loaded_code import LoadedCode
from suite.gate.options import GateOptions
from suite.gate.record.store import RECORD_NAME, GateWriter, read_gate
from suite.gate.record.values import SIDES, CasePair, GatePlan, GateRecord
from suite.machine import device_facts
from suite.machine.inherited_state import kept_state
from suite.matrix.cases import choice_of
from suite.matrix.designs import Choice
from suite.matrix.profiles import Profile, load_profile, with_structures
from suite.matrix.refusals import refusal
from suite.matrix.selection import selector
from suite.records import LEARN, Case, NotComparableError, StepmarkError
from suite.records.atomic_files import fresh_folder
from suite.records.compatibility import CODE, NOT_CODE, TO_RESUME, differences
from suite.records.result_folders import gates_folder
from suite.records.timestamps import for_file_name, now
from suite.registry import EXECUTIONS

HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,52}\b")
"""A hash, and the digits of it that a sentence has."""
SAME = "both arms run the same case with the same code"


@dataclass(frozen=True, slots=True)
class OpenGate:
    """A gate that can be measured: its arms, its record so far, and the open file.

    Attributes:
        setup: the arms and how workers run; None for a gate that is complete.
    """

    setup: GateSetup | None
    record: GateRecord
    writer: GateWriter


def begin(wanted: GateOptions, folder: Path | None) -> OpenGate:
    """Make the arms ready, find the cases, and create the record.

    Raises:
        StepmarkError: an arm cannot be made ready or does not start, or the folder cannot be written.
        NotComparableError: the arms have no case in common that runs here.
    """
    choice = chosen(wanted.profile)
    selects = selector(wanted.expression)
    sides = made_ready(wanted.baseline, wanted.candidate, wanted.profile)
    setting = GateSetup(sides, wanted.workers, wanted.profile.plugins)
    rows, left_out = rows_of([case for case in choice.cases if selects(case.id)], sides, wanted.workers.threads)
    refuse_none(rows, left_out, wanted)
    refuse_exclusive_devices(rows)
    refuse_too_many(rows, wanted)
    setting, started = first_start(setting, wanted.seed)
    rows, missing = without_lacking(rows, started)
    left_out |= missing
    refuse_none(rows, left_out, wanted)
    planned = GatePlan(
        started_at=now(),
        arms=arms.arms_now(sides, started.torches, setting.plugins),
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
        environment=started.facts,
        identical=not rows,
    )
    writer = opened(folder, planned, wanted.records)
    setting.loaded.keep_in(writer.loaded)
    return OpenGate(setting, GateRecord(planned), writer)


def chosen(profile: Profile) -> Choice:
    """The cases of a profile.

    Its plug-ins are the candidate's code. What they set in this process when it imports them reaches no side: each
    imports its own.
    """
    with kept_state():
        return choice_of(profile)


def refuse_none(rows: Sequence[CasePair], left_out: Mapping[str, str], wanted: GateOptions) -> None:
    """Raise if no case is left to compare, unless both arms are the same code."""
    if rows:
        return
    if not left_out:
        raise StepmarkError(
            f"no case of profile {wanted.profile.name!r} matches -k {wanted.expression!r}; allowed: an expression that "
            f"matches one; `stepmark list --profile {wanted.profile.name}` lists them."
        )
    for reason in left_out.values():
        if reason != SAME:
            raise NotComparableError(f"the arms have no case in common that runs here: {reason}.")


def refuse_exclusive_devices(rows: Sequence[CasePair]) -> None:
    """Raise if a device that both sides need takes one process at a time.

    Raises:
        StepmarkError: the devices are so, and the command that ends it.
    """
    if device_facts.are_exclusive() and any(is_on_cuda(case) for row in rows for case in (row.baseline, row.candidate)):
        raise StepmarkError(
            "a device here takes one process at a time (compute mode exclusive process), and a gate has a worker of "
            "each side on it; sudo nvidia-smi -c 0 ends that."
        )


def is_on_cuda(case: Case) -> bool:
    """Whether a case runs on a CUDA device."""
    return EXECUTIONS[case.execution].strategy.device_type() == "cuda"


def is_on_device(case: Case) -> bool:
    """Whether a case computes on a device and not on the host's cores."""
    return EXECUTIONS[case.execution].strategy.device_type() != "cpu"


def opened(folder: Path | None, planned: GatePlan, records: Path) -> GateWriter:
    """Create the record in a folder, or in a new one of `records` named by the time.

    Raises:
        StepmarkError: the folder holds a gate already, or cannot be written.
    """
    if folder is not None:
        return GateWriter.create(folder, planned)
    with fresh_folder(gates_folder(records) / for_file_name(planned.started_at)) as fresh:
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
            rows[pair] = CasePair(name, *pair, can_be_concurrent(pair, threads), any(map(is_on_device, pair)))
            names.add(name)
    return list(rows.values()), left_out


def unfit(case: Case) -> str:
    """Why a case cannot be gated; empty where it can."""
    return "cases that learn are no steps that repeat; gate the same case in mode train" if case.mode == LEARN else ""


def made_ready(baseline: ArmSpec, candidate: ArmSpec, profile: Profile) -> tuple[Arm, Arm]:
    """Both arms, seen from the current folder."""
    here, folder = Path.cwd(), profile.file.parent
    return arms.make_both_ready(baseline, candidate, here, folder)


def selection_of(profile: Profile) -> dict[str, Any]:
    """The name and file by which a resumed gate finds its profile."""
    words = {"structures": list(profile.structures)} if profile.structures else {}
    return {"profile": profile.name, "profiles_file": str(profile.file), **words}


def resume(folder: Path, *, has_verdict: bool = True) -> OpenGate:
    """Go on with a gate that was interrupted.

    Args:
        folder: of the gate, or its record.
        has_verdict: whether the files of a verdict are there. Without them, a complete gate needs only these.

    Raises:
        StepmarkError: it is over, another process still writes it, or code, machine or software are not what they were.
    """
    place = place_of(folder)
    read_gate(folder)
    writer = GateWriter(place)
    try:
        record = read_gate(folder)  # read again: nobody else writes it now
        if record.finished and has_verdict:
            raise StepmarkError(f"{folder} is complete; there is nothing to resume.")
        if record.finished:
            return OpenGate(None, record, writer)
        setting = as_planned(folder, record)
        writer.resumed(now())
        setting.loaded.keep_in(writer.loaded)
    except BaseException:  # an interruption, too
        writer.close()
        raise
    return OpenGate(setting, record, writer)


def place_of(folder: Path) -> Path:
    """The folder of a gate, or of its record.

    Raises:
        StepmarkError: it is another file, whose blocks would go on in the record next to it.
    """
    if folder.is_file() and folder.name != RECORD_NAME:
        raise StepmarkError(f"{folder} is a file; allowed after --resume: a gate's folder, or the {RECORD_NAME} in it.")
    return folder if folder.is_dir() else folder.parent


def as_planned(folder: Path, record: GateRecord) -> GateSetup:
    """The arms and plan of an interrupted gate, made ready again.

    Raises:
        StepmarkError: code, machine or software are not what they were.
    """
    planned = record.planned
    selection, has_plugins = planned.selection, planned.environment.get("plugins")
    configuration = configuration_here() if has_plugins else NOTHING
    profile = load_profile(selection["profile"], Path(selection["profiles_file"]), configuration, "gate")
    profile = with_structures(profile, selection.get("structures", ()))
    chosen(profile)  # registers the levels of its plug-ins
    baseline, candidate = (parse(planned.arms[who]["text"]) for who in SIDES)
    sides = made_ready(baseline, candidate, profile)
    setting = GateSetup(sides, planned.workers, profile.plugins, loaded=LoadedCode(record.loaded))
    before = tuple(str(planned.arms[who].get("torch")) for who in SIDES)
    refuse_others(folder, arms.changed(planned.arms, arms.arms_now(sides, before, setting.plugins)))
    setting, started = first_start(setting, planned.seed)
    found = differences(planned.environment, started.facts, (*TO_RESUME, *CODE), ignore=NOT_CODE)
    refuse_others(folder, found + arms.changed(planned.arms, arms.arms_now(sides, started.torches, setting.plugins)))
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
