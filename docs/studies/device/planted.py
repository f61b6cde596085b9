"""A gate on a device, one of whose cases does more in the candidate: what was planted, and what the gate says.

    python planted.py OUT.json [SECONDS]

It finds how many small products make a step about 3 % longer, lets the gate compare both sides for SECONDS (150), and
measures afterwards what the products cost. The other case does the same on both sides.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from items import DEVICE, DRY

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[2]
PLUGIN_FOLDER = HERE.parent / "gate"
"""Of `changes`, the plug-in that makes steps do more."""
sys.path.insert(0, str(PLUGIN_FOLDER))

PROFILE = "device_planted"
VICTIM = "seed_cnn" if DRY else "resnet18"
SHARE = 0.03
PROBE = 400
"""Products that are added to a step to see what one costs."""
ROUND_S = 0.05
CALIBRATION_S, DOSE_S = 2.0, 3.0


def victim() -> Any:
    """The case that gets more work."""
    from suite.matrix.cases import cases_of
    from suite.matrix.profiles import load_profile

    cases = cases_of(load_profile(PROFILE, HERE / "profiles.toml"))
    return next(case for case in cases if case.structure == VICTIM and case.execution == DEVICE)


class Doses:
    """A warm step, and how much longer products make it."""

    def __init__(self, case: Any) -> None:
        from suite.measuring.modes import make_step

        self._step = ExitStack().enter_context(make_step(case))  # open until the process ends
        self._device = next(self._step.network.parameters()).device
        self._run_for(0.5)
        self._steps = max(1, round(ROUND_S / self._round(20, lambda: None)))

    def _run_for(self, seconds: float) -> None:
        start = self._step.clock.read_s()
        while self._step.clock.read_s() < start + seconds:
            self._step()

    def _round(self, steps: int, more: Callable[[], None]) -> float:
        """Seconds of a step in a round."""
        start = self._step.clock.read_s()
        for _ in range(steps):
            self._step()
            more()
        return (self._step.clock.read_s() - start) / steps

    def shares(self, count: int, seconds: float) -> list[float]:
        """By how much products make a step longer, round by round in the order A B B A, sorted."""
        from changes import work

        more, nothing = work(count, self._device), work(0, self._device)
        found: list[float] = []
        until_s = self._step.clock.read_s() + seconds
        while len(found) < 3 or self._step.clock.read_s() < until_s:
            taken = [self._round(self._steps, one) for one in (nothing, more, more, nothing)]
            found.append((taken[1] + taken[2]) / (taken[0] + taken[3]) - 1)
        return sorted(found)

    def count(self) -> int:
        """Products that make a step longer by about `SHARE`."""
        return max(1, round(SHARE * PROBE / max(median(self.shares(PROBE, CALIBRATION_S)), 1e-4)))


def gated(case_id: str, count: int, seconds: float, page: Path) -> dict[str, Any]:
    """Run the gate; its exit code and what it says of each case. Its page is kept."""
    arms = "dir:.,env:WORK=*=0,env:SIDE=baseline", f"dir:.,env:WORK={case_id}={count},env:SIDE=candidate"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "suite.cli", "gate", "--baseline", arms[0], "--candidate", arms[1]]
        command += ["--profiles", str(HERE / "profiles.toml"), "--profile", PROFILE, "--budget", f"{seconds:.0f}s"]
        command += [
            "-k",
            f"{DEVICE} and {VICTIM}" if DRY else DEVICE,
            "--metric",
            "step_time",
            "--out",
            f"{folder}/gate",
        ]
        paths = os.pathsep.join(filter(None, (str(PLUGIN_FOLDER), os.environ.get("PYTHONPATH"))))
        done = subprocess.run(command, cwd=PROJECT, env={**os.environ, "PYTHONPATH": paths}, check=False)
        file = Path(folder) / "gate" / "verdict.json"
        verdict = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if verdict:
            shutil.copy(file.with_name("gate.html"), page)
    return {"exit_code": done.returncode, **{key: verdict.get(key) for key in ("cases", "control_alarm", "blocks")}}


def main() -> None:
    """Calibrate, gate, measure the dose, write all of it."""
    from suite.registry import load_levels

    load_levels(())
    out = Path(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 150.0
    case = victim()
    doses = Doses(case)
    count = doses.count()
    found: dict[str, Any] = {
        "case": case.id,
        "products": count,
        **gated(case.id, count, seconds, out.with_suffix(".html")),
    }
    shares = doses.shares(count, DOSE_S)
    edge = math.ceil(len(shares) / 4)
    found["planted"] = {"share": median(shares), "quartiles": [shares[edge - 1], shares[-edge]], "taken": len(shares)}
    out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
