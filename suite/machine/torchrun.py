"""What torchrun says of this process, and how the ranks that it started meet for a visit.

It starts one process for each rank, on one node or many. The process of rank 0 runs pytest as ever. In each of the
others (`suite.runner.rank_agent`) workers are forked that wait here. For a visit that takes all ranks, rank 0's worker
summons: it announces the case in torchrun's own store, and one worker of every other rank attends and connects to it.
torch is imported where the store is reached.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from suite.records import Case, StepmarkError

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]  # it is public all the same

STORE_S = 60.0
"""Seconds to reach torchrun's store."""
GONE_S = 5.0
"""Seconds after which a store that was there is gone, and with it the agent of rank 0's node: it ends when a case has
failed, without waiting for the others."""
MEETING_S = 60.0
"""Seconds for all ranks to come once they are summoned. It takes milliseconds, after a worker was forked."""
POLL_S = 1.0
"""Seconds between two looks at whether the run is over, while no visit is announced."""
SILENCE_S = 60
"""Whole seconds without an answer of torchrun's store after which the kernel ends a worker that waits for its visit: a
host that is cut off sends nothing at all, and the store's own calls would wait for it for ever."""
GREETING_BYTES = 64
VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "MASTER_PORT", "MASTER_ADDR")
"""Variables that torchrun sets; all but the last hold a whole number."""


@dataclass(frozen=True, slots=True)
class World:
    """The ranks that torchrun started, and which of them this process is.

    Attributes:
        local_rank, local_ranks: the same on this node alone.
        host, port: of torchrun's store; rank 0 runs on this host.
        attempt: how often torchrun has started all ranks anew.
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


@dataclass(frozen=True, slots=True)
class Summons:
    """What rank 0 announces: the case, and where it listens for commands and serves the store of the group."""

    case: Case
    host: str
    commands_port: int
    store_port: int
    token: str


def world() -> World | None:
    """The ranks among which torchrun has started this process; None where it has not.

    Raises:
        StepmarkError: torchrun does not share its store, or a variable that it sets is missing.

    Source: PyTorch, "torchrun (Elastic Launch)", section "Environment Variables".
    """
    told = os.environ
    if "TORCHELASTIC_RUN_ID" not in told:
        return None
    for name in VARIABLES:
        if not (told.get(name) if name == "MASTER_ADDR" else told.get(name, "").isdecimal()):
            found = f"{name} is {told[name]!r}" if name in told else f"{name} is not set"
            raise StepmarkError(
                f"TORCHELASTIC_RUN_ID is set, as torchrun sets it, but {found}; unset it, or start this by torchrun."
            )
    if told.get("TORCHELASTIC_USE_AGENT_STORE", "True") != "True":
        raise StepmarkError("torchrun does not share its store here; unset TORCH_DISABLE_SHARE_RDZV_TCP_STORE.")
    return World(
        rank=int(told["RANK"]),
        ranks=int(told["WORLD_SIZE"]),
        local_rank=int(told["LOCAL_RANK"]),
        local_ranks=int(told["LOCAL_WORLD_SIZE"]),
        nodes=int(told["GROUP_WORLD_SIZE"]),
        host=told["MASTER_ADDR"],
        port=int(told["MASTER_PORT"]),
        attempt=told.get("TORCHELASTIC_RESTART_COUNT", "0"),
    )


def store(among: World, seconds: float = STORE_S) -> Store:
    """The store of torchrun itself, as a client.

    Raises:
        StepmarkError: it does not answer.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # likewise

    try:
        return TCPStore(among.host, among.port, is_master=False, timeout=timedelta(seconds=seconds))
    except RuntimeError as error:
        raise StepmarkError(f"torchrun's store at {among.host}:{among.port} does not answer: {error}.") from error


def summon(case: Case, among: World, store_port: int) -> dict[int, socket.socket]:
    """In rank 0's worker: announce a visit, and wait until every other rank has connected.

    Returns:
        The connection to each rank.

    Raises:
        TimeoutError: a rank did not come.
    """
    entries = store(among)
    token = secrets.token_hex(8)
    with socket.create_server(("", 0), backlog=among.ranks) as listener:
        summons = Summons(case, among.host, listener.getsockname()[1], store_port, token)
        number = entries.add(among.key("visits"), 1) - 1
        entries.set(among.key(f"visit/{number}"), json.dumps(asdict(summons)))
        return gather(listener, among, token)


def gather(listener: socket.socket, among: World, token: str) -> dict[int, socket.socket]:
    """Accept one connection of each other rank; whoever does not know the token is no rank of this visit."""
    come: dict[int, socket.socket] = {}
    deadline = monotonic() + MEETING_S
    while len(come) < among.ranks - 1:
        listener.settimeout(max(0.001, deadline - monotonic()))
        try:
            connection = listener.accept()[0]
        except TimeoutError:
            for connection in come.values():
                connection.close()
            missing = ", ".join(str(rank) for rank in range(1, among.ranks) if rank not in come)
            raise TimeoutError(f"no word from rank {missing} within {MEETING_S:g} s") from None
        rank = greeted(connection, token)
        if rank is None:
            connection.close()
        else:
            come[rank] = connection
    return come


def greeted(connection: socket.socket, token: str) -> int | None:
    """The rank that says it is at the other end; None where that does not know the token."""
    connection.settimeout(POLL_S)
    with suppress(OSError, ValueError):
        rank, _, told = connection.recv(GREETING_BYTES).strip().partition(b" ")
        if secrets.compare_digest(told, token.encode()):
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return int(rank)
    return None


def attend(number: int, among: World) -> Summons | None:
    """In another rank's worker: wait for the announcement of that visit; None once the run is over, or where rank 0
    died before it had announced this visit, and goes on with another.
    """
    entries = store(among)
    try:
        return announced(number, among, entries)
    finally:
        signal.alarm(0)


def announced(number: int, among: World, entries: Store) -> Summons | None:
    """What was announced of that visit, once it is; an alarm goes off where the store falls silent."""
    key = among.key(f"visit/{number}")
    signal.alarm(SILENCE_S)
    while not entries.check([key]):
        if entries.check([among.key("over")]) or entries.add(among.key("visits"), 0) > number + 1:
            return None
        with suppress(RuntimeError):  # of torch, DistStoreError: nothing came in time
            entries.wait([key], timedelta(seconds=POLL_S))
        signal.alarm(SILENCE_S)
    told = json.loads(entries.get(key))
    return Summons(**{**told, "case": Case(**told["case"])})


def answer(summons: Summons, among: World) -> socket.socket:
    """Connect to rank 0's worker, as one of the ranks that it waits for."""
    connection = socket.create_connection((summons.host, summons.commands_port), MEETING_S)
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(f"{among.rank} {summons.token}\n".encode())
    return connection


def is_over(among: World) -> bool:
    """Whether rank 0 has said that nothing more will be announced, or is gone, and torchrun's store with it."""
    try:
        return bool(store(among, GONE_S).check([among.key("over")]))
    except (StepmarkError, RuntimeError):
        return True


def say_over(among: World) -> None:
    """In rank 0's process: nothing more will be announced."""
    store(among).set(among.key("over"), "1")
