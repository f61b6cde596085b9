"""The rendezvous of torchrun's ranks for a visit.

torchrun starts one process for each rank, on one node or many. The process of rank 0 runs pytest as usual. The others
(`suite.runner.rank_agent`) fork workers that wait here. For a visit that takes all ranks, rank 0's worker writes an
invitation to torchrun's store, and one worker of every other rank reads it and connects to it. No torch at import.
"""

from __future__ import annotations

import json
import secrets
import signal
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from suite.machine.torchrun import World
from suite.records import Case, StepmarkError

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]  # it is public all the same

STORE_S = 60.0
"""Seconds to reach torchrun's store."""
GONE_S = 5.0
"""Seconds after which a store that does not answer is gone, and with it the agent of rank 0's node: it ends when a case
has failed, without waiting for the others."""
RENDEZVOUS_S = 60.0
"""Seconds for all ranks to connect after an invitation. It takes milliseconds, after a worker was forked."""
POLL_S = 1.0
"""Seconds between two checks for the end of the run, while there is no invitation."""
SILENCE_S = 60
"""Whole seconds without an answer of torchrun's store after which the kernel ends a worker that waits for its visit. A
host that is cut off sends nothing at all, and the store's own calls would wait for it for ever."""
GREETING_BYTES = 64


@dataclass(frozen=True, slots=True)
class Invitation:
    """The announcement of a visit by rank 0's worker.

    Attributes:
        case: the case to measure.
        host: of rank 0's worker.
        commands_port: where it accepts ranks.
        store_port: where it serves the store of the process group.
        token: proves that a connection comes from a rank of this visit.
    """

    case: Case
    host: str
    commands_port: int
    store_port: int
    token: str


def open_store(world: World, seconds: float = STORE_S) -> Store:
    """Connect to torchrun's store as a client.

    Raises:
        StepmarkError: it does not answer.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # it is public all the same

    try:
        return TCPStore(world.host, world.port, is_master=False, timeout=timedelta(seconds=seconds))
    except RuntimeError as error:
        raise StepmarkError(f"torchrun's store at {world.host}:{world.port} does not answer: {error}.") from error


def invite(case: Case, world: World, store_port: int) -> dict[int, socket.socket]:
    """In rank 0's worker: announce a visit, and wait for every other rank.

    Returns:
        The connection to each rank.

    Raises:
        TimeoutError: a rank did not come.
    """
    store = open_store(world)
    token = secrets.token_hex(8)
    with socket.create_server(("", 0), backlog=world.ranks) as listener:
        invitation = Invitation(case, world.host, listener.getsockname()[1], store_port, token)
        number = store.add(world.key("visits"), 1) - 1
        store.set(world.key(f"visit/{number}"), json.dumps(asdict(invitation)))
        return accept_ranks(listener, world, token)


def accept_ranks(listener: socket.socket, world: World, token: str) -> dict[int, socket.socket]:
    """Accept one connection of each other rank; refuse those without the token.

    Raises:
        TimeoutError: a rank did not come.
    """
    connections: dict[int, socket.socket] = {}
    deadline = monotonic() + RENDEZVOUS_S
    while len(connections) < world.ranks - 1:
        listener.settimeout(max(0.001, deadline - monotonic()))
        try:
            connection = listener.accept()[0]
        except TimeoutError:
            for connection in connections.values():
                connection.close()
            missing = ", ".join(str(rank) for rank in range(1, world.ranks) if rank not in connections)
            raise TimeoutError(f"rank {missing} did not connect within {RENDEZVOUS_S:g} s; see its output") from None
        rank = authenticate(connection, token)
        if rank is None:
            connection.close()
        else:
            connections[rank] = connection
    return connections


def authenticate(connection: socket.socket, token: str) -> int | None:
    """Read the rank at the other end; None if it does not know the token."""
    connection.settimeout(POLL_S)
    with suppress(OSError, ValueError):
        rank, _, given = connection.recv(GREETING_BYTES).strip().partition(b" ")
        if secrets.compare_digest(given, token.encode()):
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return int(rank)
    return None


def wait_for_invitation(number: int, world: World) -> Invitation | None:
    """In another rank's worker: wait for the invitation to the visit of that number.

    Returns:
        None once the run is over, or if rank 0 died before this visit and continued with a later one.
    """
    store = open_store(world)
    try:
        return poll_invitation(number, world, store)
    finally:
        signal.alarm(0)


def poll_invitation(number: int, world: World, store: Store) -> Invitation | None:
    """As `wait_for_invitation`; an alarm goes off if the store stops answering."""
    key = world.key(f"visit/{number}")
    signal.alarm(SILENCE_S)
    while not store.check([key]):
        if store.check([world.key("over")]) or store.add(world.key("visits"), 0) > number + 1:
            return None
        with suppress(RuntimeError):  # of torch, DistStoreError: nothing came in time
            store.wait([key], timedelta(seconds=POLL_S))
        signal.alarm(SILENCE_S)
    fields = json.loads(store.get(key))
    return Invitation(**{**fields, "case": Case(**fields["case"])})


def accept_invitation(invitation: Invitation, world: World) -> socket.socket:
    """Connect to rank 0's worker, as one of the ranks that it waits for."""
    connection = socket.create_connection((invitation.host, invitation.commands_port), RENDEZVOUS_S)
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(f"{world.rank} {invitation.token}\n".encode())
    return connection


def is_over(world: World) -> bool:
    """Whether rank 0 has announced the run's end, or is gone with torchrun's store."""
    try:
        return bool(open_store(world, GONE_S).check([world.key("over")]))
    except (StepmarkError, RuntimeError):
        return True


def announce_end(world: World) -> None:
    """In rank 0's process: announce that no more visits come."""
    open_store(world).set(world.key("over"), "1")
