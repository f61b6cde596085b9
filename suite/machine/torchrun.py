"""The ranks that torchrun started, by its environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from suite.records import StepmarkError

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "MASTER_PORT", "MASTER_ADDR")
"""Variables that torchrun sets; all but the last hold a whole number."""


@dataclass(frozen=True, slots=True)
class World:
    """The ranks that torchrun started, and this process's place among them.

    Attributes:
        rank, ranks: this process, from 0, and the number of all.
        local_rank, local_ranks: the same on this node.
        nodes: hosts that run ranks.
        host, port: of torchrun's store; rank 0 runs on this host.
        attempt: how often torchrun has restarted all ranks.
    """

    rank: int
    ranks: int
    local_rank: int
    local_ranks: int
    nodes: int
    host: str
    port: int
    attempt: str

    def key(self, name: str) -> str:
        """The name of an entry of ours in torchrun's store."""
        return f"stepmark/{self.attempt}/{name}"


def world() -> World | None:
    """The ranks that torchrun started; None if it did not start this process.

    Raises:
        StepmarkError: torchrun does not share its store, or a variable that it sets is missing.

    Source: PyTorch, "torchrun (Elastic Launch)", section "Environment Variables".
    """
    variables = os.environ
    if "TORCHELASTIC_RUN_ID" not in variables:
        return None
    for name in VARIABLES:
        value = variables.get(name, "")
        if not (value if name == "MASTER_ADDR" else value.isdecimal()):
            state = f"{name} is {value!r}" if name in variables else f"{name} is not set"
            raise StepmarkError(
                f"TORCHELASTIC_RUN_ID is set, as torchrun sets it, but {state}; unset it, or start this by torchrun."
            )
    if variables.get("TORCHELASTIC_USE_AGENT_STORE", "True") != "True":
        raise StepmarkError("torchrun does not share its store here; unset TORCH_DISABLE_SHARE_RDZV_TCP_STORE.")
    return World(
        rank=int(variables["RANK"]),
        ranks=int(variables["WORLD_SIZE"]),
        local_rank=int(variables["LOCAL_RANK"]),
        local_ranks=int(variables["LOCAL_WORLD_SIZE"]),
        nodes=int(variables["GROUP_WORLD_SIZE"]),
        host=variables["MASTER_ADDR"],
        port=int(variables["MASTER_PORT"]),
        attempt=variables.get("TORCHELASTIC_RESTART_COUNT", "0"),
    )
