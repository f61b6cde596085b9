"""The factors of a case, in one table, for profiles, designs, the gate's arms and explanations, and lists of cases.

A new factor is a field of `suite.records.Case` and a row here.
"""

from __future__ import annotations

from dataclasses import dataclass

from suite.records import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_EPOCHS,
    DEFAULT_IMAGE_SIZE,
    DEFAULT_INPUT,
    DEFAULT_MODE,
    DEFAULT_SCHEDULE,
    DEFAULT_TUNING,
    LEARN,
    Case,
)

Level = str | int


@dataclass(frozen=True, slots=True)
class Factor:
    """What cases differ by.

    Attributes:
        name: the field of a case.
        key: of a profile that lists its levels.
        default: the level where a profile lists none; None where it then takes all that are registered.
        least: the smallest level, where levels are whole numbers; 0 where they are names.
        mode: of the only cases that have other levels than the default; empty where all can.
    """

    name: str
    key: str
    default: Level | None = None
    least: int = 0
    mode: str = ""

    def level_of(self, case: Case) -> Level:
        """The case's level."""
        level: Level = getattr(case, self.name)
        return level


FACTORS = (
    Factor("structure", "structures"),
    Factor("optimizer", "optimizers"),
    Factor("execution", "executions"),
    Factor("tuning", "tunings", DEFAULT_TUNING),
    Factor("input", "inputs", DEFAULT_INPUT),
    Factor("batch_size", "batch_sizes", DEFAULT_BATCH_SIZE, least=1),
    Factor("image_size", "image_sizes", DEFAULT_IMAGE_SIZE, least=1),
    Factor("mode", "modes", DEFAULT_MODE),
    Factor("schedule", "schedules", DEFAULT_SCHEDULE, mode=LEARN),
    Factor("epochs", "epochs", DEFAULT_EPOCHS, least=2, mode=LEARN),  # the first epoch is the warm-up
)
NAMES = tuple(factor.name for factor in FACTORS)
