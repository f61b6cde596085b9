"""A rival tool: a separate environment, a way to measure one side, and a judgement of both.

Each adapter is a script that runs in its rival's environment, with the tool that it adapts at hand:

    python rival_x.py measure FOLDER SECONDS        a turn of a side, results in FOLDER -> settings, as JSON
    python rival_x.py judge BASELINE CANDIDATE      folders that hold each side's turns -> a judgement, as JSON

Sides take turns A B B A, since nobody who compares two sides measures all of one before the other.

The study imports an adapter as well, for its `RIVAL`: tools are imported inside functions only.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import suite
from suite.records import StepmarkError

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = Path(".stepmark/environments/rivals").resolve()
ORDER = (0, 1, 1, 0)
"""Sides in turn; as many turns of each."""
Settings = dict[str, Any]
VISIBLE = (
    *(path for path in sys.path if path.endswith("site-packages")),
    str(Path(suite.__file__).parents[1]),
    str(HERE.parent),
)
"""What every environment sees behind its own packages: torch and the rest, the project, `rivals`, and `changes`."""


Sides = tuple[Path, Path]
Environments = tuple[Mapping[str, str], Mapping[str, str]]
"""Both of a baseline and a candidate."""


@dataclass(frozen=True)
class Judgement:
    """A tool's result for two sides.

    Attributes:
        changes: candidate / baseline - 1 by case id, by the tool's own statistic.
        alarms: by rule, the cases that it calls slower.
        others: changes by the tool's other statistics, where rules use them.
    """

    changes: dict[str, float]
    alarms: dict[str, list[str]]
    others: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """A setting of a tool that the study's time or its trials denied.

    Attributes:
        name: of what is set.
        advised: by the tool's defaults or its documentation.
        first: in the trials of the first protocol; those since record their own.
    """

    name: str
    advised: str
    first: str


@dataclass(frozen=True)
class Rival:
    """A tool that judges whether a candidate is slower than its baseline; from PyPI, unless `_install` differs.

    Attributes:
        name: of the tool, and of its package.
        version: which is installed.
        script: its adapter.
        settings: which a trial may deny it.
        statistics: rule -> the statistic whose change it judges, as `Judgement.others` has it; others judge `changes`.
    """

    name: str
    version: str
    script: Path
    settings: tuple[Setting, ...] = ()
    statistics: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Folder of its environment."""
        return ENVIRONMENTS / self.name

    @property
    def python(self) -> Path:
        """Its environment's interpreter."""
        return self.folder / "bin" / "python"

    def prepare(self) -> None:
        """Make the environment where it is missing or has another version, and let it see the project.

        Raises:
            StepmarkError: it cannot be made, with what the installer said.
        """
        mark = self.folder / "installed"
        if not mark.exists() or mark.read_text() != self.version:
            run([sys.executable, "-m", "venv", "--clear", str(self.folder)])
            self._install()
            mark.write_text(self.version)
        packages = next(self.folder.glob("lib/python*/site-packages"))
        (packages / "project.pth").write_text("\n".join(VISIBLE) + "\n")

    def _install(self) -> None:
        run([str(self.python), "-m", "pip", "install", "--quiet", f"{self.name}=={self.version}"])

    def measure(self, sides: Sides, seconds: float, environments: Environments) -> Settings:
        """Measure both sides in turns, in about so many seconds; the settings of a turn."""
        settings: Settings = {}
        for turn, place in enumerate(ORDER):
            folder = sides[place] / f"turn-{turn}"
            folder.mkdir(parents=True)
            settings = self.turn(folder, seconds / len(ORDER), environments[place])
        return settings

    def turn(self, folder: Path, seconds: float, environment: Mapping[str, str]) -> Settings:
        """Let the adapter measure once."""
        said = run([str(self.python), str(self.script), "measure", str(folder), str(seconds)], environment)
        settings: Settings = json.loads(said)
        return settings

    def judge(self, baseline: Path, candidate: Path) -> dict[str, Any]:
        """Its judgement of two sides."""
        said = run([str(self.python), str(self.script), "judge", str(baseline), str(candidate)])
        judgement: dict[str, Any] = json.loads(said)
        return judgement


def run(command: list[str], environment: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
    """Output of a command, in this process's folder or another one.

    Raises:
        StepmarkError: it fails; with the end of what it said.
    """
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = f"{done.stdout}\n{done.stderr}".strip()[-3000:]
        raise StepmarkError(f"{' '.join(command)} ended with {done.returncode}: {said}")
    return done.stdout


def turns_of(side: Path) -> list[Path]:
    """The folders of a side's turns, in order."""
    return sorted(side.glob("turn-*"))


def answer(measure: Callable[[Path, float], Settings], judge: Callable[[Path, Path], Judgement]) -> None:
    """Do what an adapter's command line asks for."""
    match sys.argv[1:]:
        case ["measure", folder, seconds]:
            print(json.dumps(measure(Path(folder), float(seconds))))
        case ["judge", baseline, candidate]:
            print(json.dumps(asdict(judge(Path(baseline), Path(candidate)))))
        case other:
            raise SystemExit(f"{other} is no request; allowed: measure FOLDER SECONDS, judge BASELINE CANDIDATE.")
