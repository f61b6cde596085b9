"""The record of a gate on disk: `gate.jsonl`, a line for the plan and each block.

Schema history:
    1  header (arms, limits, rows, levels, budget, plan, seed, environment), lines of kind `trial`, `control`,
       `recheck`, `comparison`, later also `size`, with all rounds of both sides, of kind `memory`, of kind `resumed`; a
       footer. Lines of kind `loaded` have hashes of the modules' files; older gates have none.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

from suite.gate.record.paired_rounds import PairedRounds
from suite.gate.record.values import KINDS, SIDES, BlockResult, CasePair, GatePlan, GateRecord, PairResult, Reading
from suite.gate.verdict import MODE_IN_FILES, Mode
from suite.records import RunPlan, StepmarkError
from suite.records.atomic_files import cannot_write
from suite.records.codec import decode_plan, encode_levels, encode_plan, encode_series, part
from suite.records.decoding import WrongValue, convert
from suite.records.invariants import (
    check_bounded,
    check_case,
    check_divisor,
    check_finite,
    check_plan,
    check_selection,
    check_workers,
)
from suite.records.line_file import NO_LOCKS, LineFile, named, read_lines
from suite.records.rounds import STEP_TIME

RECORD_NAME = "gate.jsonl"
NO_GATE = "is no gate of stepmark"
SCHEMA = 1
MODE_OF = {word: mode for mode, word in MODE_IN_FILES.items()}


class GateWriter:
    """Writes a gate's record. A line is on disk once its call returns."""

    def __init__(self, folder: Path, file: LineFile | None = None) -> None:
        """Open a record to go on with, or a new one, and lock it.

        Raises:
            StepmarkError: another process still writes it, or it cannot be written.
        """
        self.folder = folder
        self._file = file or LineFile(folder / RECORD_NAME, alone=True)

    @classmethod
    def create(cls, folder: Path, planned: GatePlan) -> Self:
        """Make the folder where it is missing, and write what is planned.

        Raises:
            StepmarkError: it holds a gate already, or cannot be written.
        """
        taken = f"{folder} holds a gate already; choose another folder, or go on with --resume {folder}."
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        writer = cls(folder, LineFile.begin(folder / RECORD_NAME, taken))
        writer._file.append(packed_plan(planned))
        return writer

    @property
    def note(self) -> str:
        """A warning about the folder for the user; empty if there is none."""
        return "" if self._file.is_alone else NO_LOCKS.format(folder=self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; without `finish` the gate counts as interrupted."""
        self._file.close()

    def block(self, block: BlockResult) -> None:
        """Keep a block."""
        self._file.append(packed_block(block))

    def reading(self, reading: Reading) -> None:
        """Keep a reading of memory."""
        self._file.append({"kind": "memory", **asdict(reading)})

    def loaded(self, files: dict[str, str]) -> None:
        """Keep the hashes of files from which modules were loaded, by path."""
        self._file.append({"kind": "loaded", "files": files})

    def resumed(self, at: str) -> None:
        """Keep when it was gone on with."""
        self._file.append({"kind": "resumed", "at": at})

    def finish(self, at: str) -> None:
        """Keep that it came to its end."""
        self._file.append({"kind": "footer", "finished_at": at})


def read_gate(path: Path) -> GateRecord:
    """Read a gate's folder or its `gate.jsonl`.

    Raises:
        StepmarkError: there is none, it is none, or its schema is newer than this version.
    """
    file = path / RECORD_NAME if path.is_dir() else path
    lines, _ = read_lines(file)
    if not lines or lines[0].get("kind") != "header" or "arms" not in lines[0]:
        raise StepmarkError(f"{file} {NO_GATE}: its first line is not a gate's header.")
    if lines[0].get("schema") != SCHEMA:
        raise StepmarkError(
            f"{file} has gate schema {lines[0].get('schema')}; this version of stepmark reads {SCHEMA}."
        )
    with named(file, NO_GATE, 1):
        gate = GateRecord(plan_of(lines[0]), finished=any(line.get("kind") == "footer" for line in lines))
    for number, line in enumerate(lines, 1):
        with named(file, NO_GATE, number):
            if line.get("kind") in KINDS:
                gate.blocks.append(block_of(line))
            elif line.get("kind") == "memory":
                gate.readings.append(reading_of(line))
            elif line.get("kind") == "loaded":
                gate.loaded.update(convert(dict[str, str], line["files"], "`files`"))
    return gate


def packed_plan(planned: GatePlan) -> dict[str, Any]:
    """A plan as the values of a header, whose `plan` has the worker settings."""
    line: dict[str, Any] = {"kind": "header", "schema": SCHEMA}
    for key, value in asdict(planned).items():
        if key == "workers":
            line["plan"] = encode_plan(RunPlan(order_seed=planned.seed), planned.workers)
        elif key == "rows":
            line["rows"] = [packed_row(row) for row in planned.rows]
        else:
            line[key] = value
    return line


def plan_of(line: dict[str, Any]) -> GatePlan:
    """The plan from a header's values; raises `WrongValue` where they are none."""
    plan, workers = decode_plan(line, "the header")
    facts = {key: value for key, value in line.items() if key not in ("kind", "schema", "plan")}
    if isinstance(facts.get("rows"), list):
        facts["rows"] = [row_facts(row, f"rows[{place}] of the header") for place, row in enumerate(facts["rows"])]
    planned = replace(convert(GatePlan, {**facts, "workers": {}}, "the header"), workers=workers)
    check_finite(planned, "the header")
    check_finite(planned.limits, "the limits")
    check_plan(plan)
    check_workers(planned.workers)
    check_selection(planned.selection)
    for key in ("profile", "profiles_file"):
        if not planned.selection.get(key):
            raise WrongValue(f"the selection has no {key}; allowed: its name.")
    for who in SIDES:
        if not isinstance(planned.arms.get(who, {}).get("text"), str):
            raise WrongValue(f"the arms have no text of the {who}; allowed: as typed, such as dir:.")
    for row in planned.rows:
        check_case(row.baseline, f"row {row.id}")
        check_case(row.candidate, f"row {row.id}")
    return planned


def packed_row(row: CasePair) -> dict[str, Any]:
    """A pair of cases as plain values; `together` is whether both can be concurrent."""
    facts = {**asdict(row), "baseline": encode_levels(row.baseline), "candidate": encode_levels(row.candidate)}
    return {"together" if key == "concurrent" else key: value for key, value in facts.items()}


def row_facts(found: Any, where: str) -> Any:
    """The values of a `CasePair`; raises `WrongValue` where `together` is none."""
    if not isinstance(found, dict):
        return found  # and refused
    if type(found.get("together")) is not bool:
        raise WrongValue(f"together of {where} is {found.get('together')!r}; allowed: true or false.")
    return {"concurrent" if key == "together" else key: value for key, value in found.items()}


def packed_block(block: BlockResult) -> dict[str, Any]:
    """A block as plain values, with all its rounds."""
    return {
        "kind": block.kind,
        "index": block.index,
        "seconds": block.seconds,
        "surroundings": encode_series(block.surroundings),
        "told": {
            row: {MODE_IN_FILES[mode]: packed_result(pair) for mode, pair in by_mode.items()}
            for row, by_mode in block.results.items()
        },
    }


def packed_result(pair: PairResult) -> dict[str, Any]:
    """The result of a pair as plain values."""
    paired = pair.paired
    if paired is None:
        return {"reason": pair.reason, "side": pair.side, "lost": pair.lost}
    sides = {"baseline": encode_series(paired.baseline), "candidate": encode_series(paired.candidate)}
    head = {
        "mode": MODE_IN_FILES[paired.mode],
        "orders": list(paired.orders),
        "steps_per_round": paired.steps_per_round,
    }
    return {**head, **sides}


def block_of(line: dict[str, Any]) -> BlockResult:
    """The inverse of `packed_block`; raises `WrongValue` where the line is none."""
    where = f"block {line['index']}"
    block = convert(
        BlockResult, {**part(line, needed=("index", "kind", "seconds", "surroundings")), "results": {}}, where
    )
    rows = convert(dict[str, dict[str, Any]], line["told"], f"`told` of {where}")
    results = {
        row: {mode_of(word, f"{row} in {where}"): result_of(one, f"{row} in {where}") for word, one in by_mode.items()}
        for row, by_mode in rows.items()
    }
    check_finite(block, where)
    for one in block.surroundings:
        check_bounded(one, where)
    return replace(block, results=results)


def mode_of(word: Any, where: str) -> Mode:
    """The mode by its word in files; raises `WrongValue` where it is none."""
    if not isinstance(word, str) or word not in MODE_OF:
        raise WrongValue(f"mode of {where} is {word!r}; allowed: {' or '.join(MODE_OF)}.")
    return MODE_OF[word]


def result_of(line: Any, where: str) -> PairResult:
    """The inverse of `packed_result`; raises `WrongValue` where the line is none."""
    if not isinstance(line, dict) or "reason" in line:
        return convert(PairResult, line, where)
    paired = convert(PairedRounds, {**line, "mode": mode_of(line.get("mode"), where)}, where)
    pieces = len(paired.orders)
    if not {0, 1} >= set(paired.orders) or paired.steps_per_round < 1:
        raise WrongValue(f"orders of {where} are {paired.orders}; allowed: 0 and 1, and steps_per_round from 1.")
    for series in (paired.baseline, paired.candidate):
        if STEP_TIME not in {one.metric.name for one in series}:
            raise WrongValue(f"{where} has no {STEP_TIME}; allowed: one for each side.")
        for one in series:
            check_bounded(one, where)
            if not pieces or not one.values or len(one.values) % pieces:
                raise WrongValue(
                    f"{one.metric.name} of {where} has {len(one.values)} values; allowed: as many for each of {pieces}."
                )
            if one.metric.name == STEP_TIME:
                check_divisor(one, where)
    return PairResult(paired)


def reading_of(line: dict[str, Any]) -> Reading:
    """A reading of memory from its line; raises `WrongValue` where the line is none."""
    where = f"reading {line['index']}"
    reading = convert(Reading, part(line, needed=("index", "seconds", "found"), later=("failed",)), where)
    check_finite(reading, where)
    return reading
