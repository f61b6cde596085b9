"""Checks of a record's values: lengths, units, modes, ranges of numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from suite.records import MODES, Case, Header, Measurement, RunPlan, RunRecord, Series, WorkerSettings
from suite.records.decoding import WrongValue
from suite.records.rounds import STEP_TIME
from suite.units import SCALES

LARGEST = 1e100
"""A square of a sum of larger numbers need not be finite; nothing that is measured comes near."""
MOST = 2**63 - 1
"""The largest size of a case: columns of tables for other programs hold no larger whole number."""
DIVISORS = (
    *(STEP_TIME, "watched_step_time", "bare_step_time", "ceiling_flops", "ceiling_bandwidth"),
    *("usual_allocator_step_time", "steady_allocator_step_time"),
)
"""Metrics by which others are divided."""
ALLOCATORS = tuple(f"{which}_allocator_{what}" for which in ("usual", "steady") for what in ("step_time", "faults"))
TIMELINES = ("sample_time", "cores_used", "resident_memory")
"""Metrics of an instrument that have as many readings each."""
MAY_BE_UNKNOWN = ("allocator", "priority")
"""Groups of the environment that older records lack, or have as null."""


def check_header(header: Header) -> None:
    """Refuse a plan that no run can have, and groups of the environment that are none.

    Raises:
        WrongValue: `passes of the plan is 0; allowed: a whole number from 1.`
    """
    check_plan(header.plan)
    check_workers(header.workers)
    check_once(header.planned, "the planned cases")
    for group in ("machine", "software", "container", "commit", "allocator", "priority"):
        found = header.environment.get(group, {})
        if not (isinstance(found, dict) or (found is None and group in MAY_BE_UNKNOWN)):
            raise WrongValue(f"{group} of the environment is {found!r}; allowed: an object.")
    cores = header.environment.get("machine", {}).get("cores_usable")
    if cores is not None and (type(cores) is not int or cores < 1):
        raise WrongValue(f"cores_usable of the machine is {cores!r}; allowed: a whole number from 1.")
    check_selection(header.selection)
    design = header.selection.get("design", "full")
    for key in ("design_cases", "matrix_cases", "refused_cases"):
        count = header.selection.get(key)
        if count is not None and type(count) is not int:
            raise WrongValue(
                f"{key} of the selection is {count!r} with the design {design!r}; allowed: a whole number."
            )


def check_selection(selection: dict[str, Any]) -> None:
    """Refuse names of a profile, its file, a shard or structures that are no texts.

    Raises as `check_header` does.
    """
    for key in ("profile", "profiles_file", "profiles", "shard"):
        if not isinstance(selection.get(key), str | None):
            raise WrongValue(f"{key} of the selection is {selection[key]!r}; allowed: a text.")
    structures = selection.get("structures", [])
    if not isinstance(structures, list) or not all(isinstance(one, str) for one in structures):
        raise WrongValue(f"structures of the selection is {structures!r}; allowed: a list of texts.")
    if "profile" in selection and not selection["profile"]:
        raise WrongValue(f"profile of the selection is {selection['profile']!r}; allowed: a profile's name.")


def check_plan(plan: RunPlan) -> None:
    """Refuse counts and times that no run can have; raises as `check_header` does."""
    check_finite(plan, "the plan")
    for name in ("passes", "abreast"):
        check_at_least(getattr(plan, name), 1, f"{name} of the plan")
    for name in ("target_precision", "case_seconds", "warmup_seconds", "round_seconds"):
        check_at_least(getattr(plan, name), 0, f"{name} of the plan")


def check_workers(workers: WorkerSettings) -> None:
    """Refuse threads and a timeout that no worker can have.

    Raises as `check_header` does.
    """
    check_finite(workers, "the plan")
    check_at_least(workers.threads, 1, "threads of the plan")
    check_at_least(workers.case_timeout, 0, "case_timeout of the plan")


def check_case(case: Case, where: str) -> None:
    """Refuse a mode that is not known, and sizes that count nothing.

    Raises:
        WrongValue: `mode of case a is 'dream'; allowed: train, infer, learn.`
    """
    if case.mode not in MODES:
        raise WrongValue(f"mode of {where} is {case.mode!r}; allowed: {', '.join(MODES)}.")
    for name in ("batch_size", "image_size", "epochs"):
        check_at_least(getattr(case, name), 1, f"{name} of {where}")
    for name in ("batch_size", "image_size", "epochs", "seed"):
        if abs(getattr(case, name)) > MOST:
            raise WrongValue(f"{name} of {where} is {getattr(case, name)!r}; allowed: a number up to {MOST}.")


def check_record(record: RunRecord, where: str) -> None:
    """Refuse an outcome that what was measured contradicts.

    Raises:
        WrongValue: `step_time of case a has 3 values; allowed: 4, one a counted round.`
    """
    check_case(record.case, where)
    execution = record.attributes.get("execution", {})
    ranks = execution.get("ranks", 1) if isinstance(execution, dict) else None
    if type(ranks) is not int or ranks < 1:
        raise WrongValue(
            f"the attributes of the execution in {where} are {execution!r}; allowed: an object, ranks from 1 in it."
        )
    if record.measurement is not None:
        check_measurement(record.measurement, where)
    if record.outcome == "measured" and not (record.measurement and record.measurement.values(STEP_TIME)):
        raise WrongValue(
            f"outcome of {where} is 'measured', but no round of {STEP_TIME} is there; allowed: skipped or failed."
        )


def check_measurement(found: Measurement, where: str) -> None:
    """Refuse series whose lengths are not those of the visits, and wrong times.

    Raises as `check_record` does.
    """
    for visit in found.visits:
        check_finite(visit, f"visit {visit.index} of {where}")
        for turn in visit.turns:
            check_at_least(turn, 0, f"a turn of {where}")
        check_at_least(visit.warmup_rounds, 0, f"warmup_rounds of {where}")
        check_at_least(visit.steps_per_round, 1, f"steps_per_round of {where}")
        for name in ("index", "started_s", "seconds", "first_turn"):
            check_at_least(getattr(visit, name), 0, f"{name} of {where}")
    rounds, warmed = sum(visit.rounds for visit in found.visits), sum(visit.warmup_rounds for visit in found.visits)
    for one in found.series:
        check_length(one, rounds, where, "counted round")
    for one in found.warmup:
        check_length(one, warmed, where, "round of the warm-up")
    for one in found.per_visit:
        check_length(one, len(found.visits), where, "visit")
    for one in (*found.series, *found.warmup, *found.per_visit, *found.surveyed):
        check_bounded(one, where)
        if one.metric.unit not in SCALES:
            raise WrongValue(f"unit of {one.metric.name} is {one.metric.unit!r}; allowed: {', '.join(SCALES)}.")
        if one.metric.name in DIVISORS:
            check_divisor(one, where)
    check_complete(found.series, where)
    check_complete(found.warmup, f"the warm-up of {where}")
    check_equal_lengths(found.surveyed, TIMELINES, f"timelines of {where}")
    check_equal_lengths(found.surveyed, ALLOCATORS, f"readings of the allocators of {where}")


def check_equal_lengths(found: Sequence[Series], names: Sequence[str], where: str) -> None:
    """Refuse series of several lengths whose values belong together."""
    lengths = {len(one.values) for one in found if one.metric.name in names}
    if len(lengths) > 1:
        raise WrongValue(f"the {where} have {min(lengths)} to {max(lengths)} values; allowed: as many each.")


def check_length(series: Series, count: int, where: str, of_what: str) -> None:
    """Refuse a series of another length."""
    if len(series.values) != count:
        raise WrongValue(
            f"{series.metric.name} of {where} has {len(series.values)} values; allowed: {count}, one a {of_what}."
        )


def check_complete(found: tuple[Series, ...], where: str) -> None:
    """Refuse series of rounds without the time that each round took."""
    names = {one.metric.name for one in found}
    if names and STEP_TIME not in names:
        raise WrongValue(f"{where} has {min(names)} and no {STEP_TIME}; allowed: a {STEP_TIME} of each round.")


def check_once(names: Sequence[str], where: str) -> None:
    """Refuse a name that stands twice."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise WrongValue(f"{where} have {twice!r} twice; allowed: each name once.")


def check_divisor(series: Series, where: str) -> None:
    """Refuse what is zero, negative, or so small that its inverse is not finite."""
    least = min(series.values, default=1.0)
    if least < 1 / LARGEST:
        raise WrongValue(f"a {series.metric.name} of {where} is {least!r}; allowed: a number above 0.")


def check_at_least(value: float, least: int, where: str) -> None:
    """Refuse a smaller number."""
    if value < least:
        raise WrongValue(f"{where} is {value!r}; allowed: a number from {least}.")


def check_finite(facts: Any, where: str) -> None:
    """Refuse a number of a dataclass that is infinite, or too large to compute with."""
    for name in facts.__dataclass_fields__:
        value = getattr(facts, name)
        if type(value) is float and not abs(value) <= LARGEST:
            raise WrongValue(f"{name} of {where} is {value!r}; allowed: a number up to {LARGEST:g}.")


def check_bounded(series: Series, where: str) -> None:
    """Refuse a series with a value that is infinite, or too large to compute with."""
    largest = max(map(abs, series.values), default=0.0)
    if not largest <= LARGEST:
        raise WrongValue(f"a {series.metric.name} of {where} is {largest!r}; allowed: a number up to {LARGEST:g}.")
