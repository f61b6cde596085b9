"""DistributedDataParallel on the host's cores, by fixed numbers of ranks."""

from __future__ import annotations

from suite.levels.executions.distributed import Distributed
from suite.registry import EXECUTIONS, ExecutionSpec


class OneRank(Distributed):
    """One rank on the host's cores, whatever devices there are: where scaling starts.

    Source: as `suite.levels.executions.distributed.Distributed`.
    """

    cpu_ranks = 1
    uses_devices = False
    follows_torchrun = False


class FourRanks(OneRank):
    """Four ranks on the host's cores, whatever devices there are.

    Source: as `suite.levels.executions.distributed.Distributed`.
    """

    cpu_ranks = 4


EXECUTIONS.add(ExecutionSpec("distributed_r1", OneRank, {"device": "cpu", "devices": 1, "ranks": 1}))
EXECUTIONS.add(ExecutionSpec("distributed_r4", FourRanks, {"device": "cpu", "devices": 1, "ranks": 4}))
