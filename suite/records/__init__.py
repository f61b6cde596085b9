"""Values that flow through Stepmark, and the files that keep them.

The room imports no torch and no other room but `units` and `errors`.

The values are those of `values.py`: `from suite.records import Case`.
"""

from suite.errors import NotComparableError, StepmarkError
from suite.records.factors import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_EPOCHS,
    DEFAULT_IMAGE_SIZE,
    DEFAULT_INPUT,
    DEFAULT_MODE,
    DEFAULT_SCHEDULE,
    DEFAULT_TASK,
    DEFAULT_TUNING,
    INFER,
    LEARN,
    MODES,
)
from suite.records.rounds import Better, Metric, Rounds, Series
from suite.records.values import (
    NUM_CLASSES,
    SURVEYS,
    TESTS,
    Case,
    Footer,
    Header,
    Measurement,
    Outcome,
    Run,
    RunPlan,
    RunRecord,
    Stop,
    Visit,
    VisitResult,
    WorkerSettings,
)

__all__ = [
    "DEFAULT_BATCH_SIZE",
    "DEFAULT_EPOCHS",
    "DEFAULT_IMAGE_SIZE",
    "DEFAULT_INPUT",
    "DEFAULT_MODE",
    "DEFAULT_SCHEDULE",
    "DEFAULT_TASK",
    "DEFAULT_TUNING",
    "INFER",
    "LEARN",
    "MODES",
    "NUM_CLASSES",
    "SURVEYS",
    "TESTS",
    "Better",
    "Case",
    "Footer",
    "Header",
    "Measurement",
    "Metric",
    "NotComparableError",
    "Outcome",
    "Rounds",
    "Run",
    "RunPlan",
    "RunRecord",
    "Series",
    "StepmarkError",
    "Stop",
    "Visit",
    "VisitResult",
    "WorkerSettings",
]
