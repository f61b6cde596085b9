"""The factors of a case, in one table.

Ids, profiles, designs, registries, attributes, arms and explanations of a gate, and `stepmark list` read it. A new
factor is a row here and a field of `suite.records.Case`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DEFAULT_TASK = "classify"
DEFAULT_TUNING = "eager"
DEFAULT_INPUT = "synthetic"
DEFAULT_BATCH_SIZE = 64
DEFAULT_IMAGE_SIZE = 28
DEFAULT_MODE = "train"
DEFAULT_SCHEDULE = "constant"
DEFAULT_EPOCHS = 12
INFER = "infer"
LEARN = "learn"
MODES = (DEFAULT_MODE, INFER, LEARN)
"""What a worker does with a case: repeat a training step, repeat a forward pass, or train from the first step on."""

Level = str | int


@dataclass(frozen=True, slots=True)
class Factor:
    """A property by which cases differ.

    Attributes:
        name: the field of a case.
        key: of a profile that lists its levels; levels that are registered stand in `suite.levels.<key>`.
        default: the level where a profile lists none; None where it then takes all that are registered.
        prefix: before the level in an id, for a number; a name stands in an id without one.
        least: the smallest level, where levels are whole numbers; 0 where they are names.
        mode: of the only cases that have other levels than the default; empty where all can.
        silent: whether records, messages and lists leave the default out, as those from before the factor do.
    """

    name: str
    key: str
    default: Level | None = None
    prefix: str = ""
    least: int = 0
    mode: str = ""
    silent: bool = False

    def level_of(self, case: object) -> Level:
        """The level of a case, a `suite.records.Case` that is made of this table."""
        level: Level = getattr(case, self.name)
        return level

    def word_of(self, case: object) -> str:
        """The word for the case's level in its id; empty at the default."""
        level = self.level_of(case)
        return "" if level == self.default else f"{self.prefix}{level}"


FACTORS = (
    Factor("structure", "structures"),
    Factor("optimizer", "optimizers"),
    Factor("execution", "executions"),
    Factor("task", "tasks", DEFAULT_TASK, silent=True),
    Factor("tuning", "tunings", DEFAULT_TUNING),
    Factor("input", "inputs", DEFAULT_INPUT),
    Factor("batch_size", "batch_sizes", DEFAULT_BATCH_SIZE, prefix="b", least=1),
    Factor("image_size", "image_sizes", DEFAULT_IMAGE_SIZE, prefix="i", least=1),
    Factor("mode", "modes", DEFAULT_MODE),
    Factor("schedule", "schedules", DEFAULT_SCHEDULE, mode=LEARN),
    Factor("epochs", "epochs", DEFAULT_EPOCHS, prefix="e", least=2, mode=LEARN),  # the first epoch is the warm-up
)
"""In the order of the words of an id."""
NAMES = tuple(factor.name for factor in FACTORS)


def shown_factors(cases: Sequence[object]) -> tuple[Factor, ...]:
    """Factors for a table of cases: silent ones only if a case has another level."""
    varied = {factor.name for factor in FACTORS if factor.silent and any(map(factor.word_of, cases))}
    return tuple(factor for factor in FACTORS if not factor.silent or factor.name in varied)
