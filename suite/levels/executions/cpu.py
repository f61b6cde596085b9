"""The host's cores, in one process."""

from __future__ import annotations

from suite.contracts.execution import Execution
from suite.registry import EXECUTIONS, ExecutionSpec


class Cpu(Execution):
    """Plain PyTorch on the host's cores.

    Source: the behaviour of PyTorch without any device call.
    """


EXECUTIONS.add(ExecutionSpec("cpu", Cpu, {"device": "cpu", "devices": 1}))
