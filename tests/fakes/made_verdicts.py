"""Verdicts of a gate from fixed values: no measurement, no clock."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from suite.analysis.thresholds import Thresholds
from suite.gate.verdict import GateChange, GateVerdict, LeftOut

NASTY = '<b>&"x"|`y`|\x00\x1b[31m%0A::error::@me\n*z*\ud800\ufffe]]>--></script>'
"""What an id or a reason may hold at worst."""
ARMS = {
    "baseline": {"revision": "1a2b3c4", "interpreter": "/usr/bin/python3.11", "torch": "2.11.0", "variables": {}},
    "candidate": {"revision": "5d6e7f8", "torch": "2.11.0", "variables": {"OMP_NUM_THREADS": "1"}, "levels": []},
}


def judged(name: str = "seed_cnn-adam-cpu", change: float = 0.0, half: float = 0.004, **fields: Any) -> GateChange:
    """A case by step time: no change, with an interval `half` to both sides, and a bound at its upper end."""
    known: dict[str, Any] = {
        "metric": "step_time",
        "unit": "s",
        "verdict": "no change",
        "low": change - half,
        "high": change + half,
        "ruled_out": change + half,
        "blocks": 12,
        "baseline_median": 0.005,
        "candidate_median": 0.005 * (1 + change),
    }
    return GateChange(name=name, change=change, **{**known, **fields})


def memory(name: str = "seed_cnn-adam-cpu", change: float = 0.0, **fields: Any) -> GateChange:
    """A case by peak memory, which is compared exactly."""
    known: dict[str, Any] = {
        "metric": "peak_memory",
        "unit": "B",
        "baseline_median": 2.0**27,
        "candidate_median": 2.0**27 * (1 + change),
        "ruled_out": 0.02,
    }
    return judged(name, change, half=0.0, **{**known, **fields})


def level(name: str = "optimizer adam", change: float = 0.031, **fields: Any) -> GateChange:
    """All cases of a level by step time: a regression of 3.1 %."""
    known: dict[str, Any] = {"verdict": "regression", "baseline_median": None, "candidate_median": None}
    return judged(name, change, half=0.003, **{**known, **fields})


def calm(number: int = 24) -> tuple[GateChange, ...]:
    """So many cases without a change, by step time and by memory; a slowdown above 1.3 % is ruled out in all."""
    times = [judged(f"net{index}-adam-cpu", 0.0005 * (index % 3 - 1), ruled_out=0.013) for index in range(number)]
    return (*times, *(memory(one.name) for one in times))


def verdict(*cases: GateChange, **fields: Any) -> GateVerdict:
    """A verdict on these cases, of 24 blocks in 3 of 10 minutes."""
    known: dict[str, Any] = {
        "baseline": "main",
        "candidate": "HEAD",
        "arms": ARMS,
        "limits": Thresholds(),
        "memory_tolerance": 0.02,
        "blocks": 24,
        "control_blocks": 6,
        "noise": 0.0123,
        "seconds": 185.0,
        "budget_s": 600.0,
        "discarded": 0.02,
        "machine": "AMD EPYC 7B13, 2 cores",
        "beside": {"others_cores": (0.012, 1.3), "stolen_share": (0.0, 0.0), "throttled_share": (0.0, 0.25)},
    }
    return GateVerdict(cases=cases, **{**known, **fields})


def no_change() -> GateVerdict:
    return verdict(*calm())


def regression_of_a_case() -> GateVerdict:
    slow = judged("seed_cnn-adam-cpu", 0.052, verdict="regression", ruled_out=0.06, p_value=1e-6, holm=2.4e-5)
    return verdict(slow, *calm(23), culprits=(slow.name,))


def regression_of_a_level() -> GateVerdict:
    slow = [
        judged(f"net{index}-adam-cpu", 0.031, verdict="regression", explained_by="optimizer adam") for index in range(6)
    ]
    fine = [judged(f"net{index}-sgd-cpu") for index in range(6)]
    other = level("optimizer sgd", 0.0, verdict="no change")
    return verdict(*slow, *fine, levels=(level(), other), culprits=("optimizer adam",))


def regression_of_memory() -> GateVerdict:
    return verdict(
        memory(change=0.25, verdict="regression", ruled_out=0.25), *calm(23), culprits=("seed_cnn-adam-cpu",)
    )


def improvement() -> GateVerdict:
    fast = judged("seed_cnn-adam-cpu", -0.1, verdict="improvement", ruled_out=0.0)
    return verdict(fast, *calm(23), levels=(level(change=-0.05, verdict="improvement"),))


def inconclusive() -> GateVerdict:
    wide = judged("seed_cnn-adam-cpu", 0.01, half=0.071, verdict="inconclusive", ruled_out=0.0801)
    unknown = judged(
        "seed_cnn-lion-cpu",
        math.nan,
        verdict="inconclusive",
        ruled_out=math.inf,
        blocks=2,
        discarded=9,
        reason="only 2 blocks gave a ratio",
    )
    left = (
        *(LeftOut(f"big{index}-adam-cuda", "there is no CUDA device") for index in range(5)),
        LeftOut("new_net-adam-cpu", "the level is not known", "baseline"),
    )
    return verdict(wide, unknown, *calm(3), left_out=left)


def control_alarm() -> GateVerdict:
    """A case and a level that would be regressions, were the control silent."""
    return replace(
        regression_of_a_case(),
        levels=(level(),),
        culprits=("seed_cnn-adam-cpu", "optimizer adam"),
        control_alarm="baseline against baseline differs by 4.0 % in 3 of 24 cases",
    )


def control_alarm_and_memory() -> GateVerdict:
    return replace(regression_of_memory(), control_alarm="baseline against baseline differs by 4.0 %")


def dependent() -> GateVerdict:
    """A case that would be a regression, were its blocks independent."""
    return replace(regression_of_a_case(), dependence_alarm="each block resembles the one before it")


def too_few() -> GateVerdict:
    """A gate whose time was too short."""
    unknown = judged(verdict="inconclusive", ruled_out=math.inf, blocks=1)
    return verdict(unknown, too_few="24 cases in 1m leave time for about 1 block; allowed: --budget 4m or more")


def identical() -> GateVerdict:
    return verdict(identical=True, blocks=0, control_blocks=0, noise=None, discarded=0.0, seconds=2.0)


def failed() -> GateVerdict:
    left = (LeftOut("seed_cnn-lion-cpu", "ZeroDivisionError: division by zero", "candidate"),)
    return verdict(*calm(3), failed=("seed_cnn-lion-cpu",), left_out=left)


def interrupted() -> GateVerdict:
    return verdict(*calm(3), interrupted=True)


def nothing() -> GateVerdict:
    return verdict(left_out=(LeftOut("seed_cnn-adam-cpu", "left out by both"),), machine="", noise=None)


def nasty() -> GateVerdict:
    return verdict(
        judged(NASTY, 3.0, verdict="regression", candidate=f"{NASTY}2", explained_by=NASTY),
        judged(f"{NASTY}3", math.inf, verdict="inconclusive", reason=NASTY),
        memory(NASTY, -0.5, verdict="improvement"),
        baseline=NASTY,
        candidate=NASTY,
        arms={"baseline": {NASTY: {NASTY: [NASTY, math.nan]}}, "candidate": NASTY},
        levels=(level(NASTY),),
        culprits=(NASTY, "unknown"),
        left_out=(LeftOut(NASTY, NASTY, "candidate"), LeftOut("other", NASTY)),
        failed=(NASTY,),
        control_alarm=NASTY,
        machine=NASTY,
        modes={NASTY: NASTY},
    )


def large(number: int = 1000) -> GateVerdict:
    """A thousand cases, a third of them slower, one of them by 900 %."""
    long = "x" * 60
    slow = [judged(f"{long}{index}", 0.03, verdict="regression", ruled_out=0.05) for index in range(number // 3)]
    huge = judged("huge", 9.0, half=0.5, verdict="regression", ruled_out=9.5)
    culprits = ("huge", *(one.name for one in slow))
    return verdict(huge, *slow, *calm(number - number // 3), culprits=culprits)


ALL = {
    made.__name__: made
    for made in (
        *(no_change, regression_of_a_case, regression_of_a_level, regression_of_memory, improvement, inconclusive),
        *(
            control_alarm,
            control_alarm_and_memory,
            dependent,
            too_few,
            identical,
            failed,
            interrupted,
            nothing,
            nasty,
            large,
        ),
    )
}
"""Name -> what makes it: every kind of verdict."""
