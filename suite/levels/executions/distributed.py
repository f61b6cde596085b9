"""DistributedDataParallel: one process a rank, each with its share of the batch."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from suite.contracts.clock import Clock, WaitingClock
from suite.contracts.execution import Execution, RankStep
from suite.distributed.gradients import first_difference
from suite.distributed.loopback import LOOPBACK, loopback
from suite.distributed.ranks import STATUS_S, WAIT, Actions, RankFailed, RankGroup, is_about_connection
from suite.distributed.rendezvous import RENDEZVOUS_S, Invitation, invite
from suite.machine import torchrun
from suite.machine.cuda import cuda_devices
from suite.machine.fork_safety import left_by_fork
from suite.machine.torchrun import World
from suite.records import INFER, Case
from suite.registry import EXECUTIONS, OPTIMIZERS, TASKS, TUNINGS, ExecutionSpec

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.distributed import Store  # type: ignore[attr-defined]  # it is public all the same

COLLECTIVE_S = 300.0
"""Seconds for a rank to join a collective operation, since others may have to compile first. With gloo a rank that died
is noticed at once, because its connections close. With NCCL the other ranks' devices wait for it, and so would their
hosts: rank 0 reads the answers of the others before it waits for its device."""
COMMANDS = {"step": b"s", "rewind": b"r", "check": b"c"}


class Distributed(Execution):
    """DistributedDataParallel with torch's defaults over real processes.

    The worker is rank 0. The batch of the case is the joint batch: each of R ranks takes every R-th image. With two
    devices or more, each rank works on one CUDA device with NCCL. Else the ranks work on the host's cores with gloo
    over the loopback interface, each with its share of the threads. Step time is the maximum over ranks: a reading of
    the clock waits until the last rank has finished its commands, which costs one answer of each rank in every round.
    Counters of the process (memory, CPU time, faults) are those of rank 0 alone.

    Under torchrun the ranks are those that it started, on as many nodes. Answers, and gloo's messages, then come over
    the network, by the interface that gloo finds or `GLOO_SOCKET_IFNAME` names.

    Defaults that stay: buffers of rank 0 are broadcast before each forward, gradients are copied out of their buckets
    (`gradient_as_bucket_view=False`), buckets hold 25 MiB. In the mode `infer` each rank forwards its share and
    exchanges nothing but buffers. Batch statistics are those of a rank's own share, and ranks draw the same random
    numbers. Garbage collection rests in the other ranks as it does in rank 0.

    Source: Li et al. 2020, "PyTorch Distributed: experiences on accelerating data parallel training"; PyTorch,
        `torch.nn.parallel.DistributedDataParallel`. Ours forks the ranks instead of starting new interpreters.
    """

    wraps_network = True
    cpu_ranks = 2
    uses_devices = True
    follows_torchrun = True

    def __init__(self) -> None:
        world = self.world()
        self.ranks = self.wanted_ranks()
        self.ranks_here = world.local_ranks if world else self.ranks
        self._local_rank = world.local_rank if world else 0
        self._listener: socket.socket | None = None
        self._others = RankGroup()
        self._undo = ExitStack()
        self._network: nn.Module | None = None

    @classmethod
    def world(cls) -> World | None:
        """The ranks that torchrun started, if this execution takes them."""
        return torchrun.world() if cls.follows_torchrun else None

    @classmethod
    def device_type(cls) -> str:
        """`cuda` if there is a device for every rank of this node."""
        world = cls.world()
        return "cuda" if cls.uses_devices and cuda_devices() >= (world.local_ranks if world else 2) else "cpu"

    @classmethod
    def wanted_ranks(cls) -> int:
        """Torchrun's ranks, or one for each device of this machine, or `cpu_ranks`."""
        world = cls.world()
        here = cuda_devices() if cls.device_type() == "cuda" else cls.cpu_ranks
        return world.ranks if world else here

    @classmethod
    def refusal(cls, case: Case) -> str:
        """The ranks do not divide the batch, or would not wait for each other as often."""
        ranks = cls.wanted_ranks()
        if case.batch_size % ranks:
            batch = f"{case.batch_size} {TASKS[case.task].strategy.examples}"
            return f"{case.execution} shares a batch among {ranks} ranks, which do not divide {batch}"
        if ranks > 1 and case.mode != INFER and OPTIMIZERS[case.optimizer].closure:
            return f"{case.optimizer} calls its closure a different number of times on each rank, which would deadlock"
        if TUNINGS[case.tuning].attributes.get("graph"):
            return f"{case.tuning} with {case.execution} needs a network that was wrapped on the stream of the capture"
        return ""

    def begin(self, case: Case, make_step: Callable[[Execution], RankStep]) -> None:
        """Fork the other ranks or invite torchrun's, then join the process group.

        Another rank calls this in its process too, and only joins.

        Raises:
            RuntimeError: this process has started threads, so that a forked rank might wait for one for ever.
            TimeoutError: a rank of torchrun did not come.
        """
        world = self.world()
        if self.rank == 0:
            listener = socket.create_server(("" if world else LOOPBACK, 0), backlog=self.ranks)
            self._listener = listener
            self._undo.callback(listener.close)
            self._store_address = (LOOPBACK, listener.getsockname()[1])
            if world:
                for rank, connection in invite(case, world, self._store_address[1]).items():
                    self._others.add_remote(rank, connection)
            else:
                self._fork(make_step)
        self._join()

    def _fork(self, make_step: Callable[[Execution], RankStep]) -> None:
        if self.ranks > 1:
            refuse_threads()
        for rank in range(1, self.ranks):
            self._others.fork(rank, partial(self._as_rank, rank, rank, make_step))

    def follow(
        self, invitation: Invitation, make_step: Callable[[Execution], RankStep]
    ) -> AbstractContextManager[Actions]:
        """Make the step of a visit on a rank of torchrun other than 0."""
        world = self.world()
        assert world is not None, "only torchrun's ranks are invited"  # noqa: S101 - our own order of calls
        self._store_address = (invitation.host, invitation.store_port)
        return self._as_rank(world.rank, world.local_rank, make_step)

    @contextmanager
    def _as_rank(self, rank: int, local_rank: int, make_step: Callable[[Execution], RankStep]) -> Iterator[Actions]:
        """In the process of another rank: make its step; yield the action of each command."""
        self.rank, self._local_rank = rank, local_rank
        gc.freeze()
        gc.disable()
        with make_step(self) as step:

            def rewind() -> None:
                gc.collect()
                step.rewind()

            yield {
                COMMANDS["step"]: step,
                COMMANDS["rewind"]: rewind,
                COMMANDS["check"]: step.check,
                WAIT: self.wait,
            }

    def _join(self) -> None:
        import torch
        import torch.distributed as dist

        threads = torch.get_num_threads()
        self._undo.callback(torch.set_num_threads, threads)
        torch.set_num_threads(max(1, threads // self.ranks_here))
        if self.device_type() == "cuda":
            torch.cuda.set_device(self.device())  # of rank 0: the current device already
        store = self._open_store()
        with loopback() if self.ranks == self.ranks_here else nullcontext():
            dist.init_process_group(
                self.backend,
                store=store,
                rank=self.rank,
                world_size=self.ranks,
                timeout=timedelta(seconds=COLLECTIVE_S),
            )
        self._undo.callback(dist.destroy_process_group)

    def _open_store(self) -> Store:
        """The store of the process group, which rank 0 serves on its listening socket."""
        from torch.distributed import TCPStore  # type: ignore[attr-defined]  # it is public all the same

        host, port = self._store_address
        timeout = timedelta(seconds=RENDEZVOUS_S)
        if self.rank or self._listener is None:
            if self._listener is not None:
                self._listener.close()
            return TCPStore(host, port, self.ranks, is_master=False, timeout=timeout)
        serving = self._listener.detach()
        return TCPStore(host, port, self.ranks, is_master=True, timeout=timeout, master_listen_fd=serving)

    @property
    def backend(self) -> str:
        """The backend of the process group, `nccl` or `gloo`."""
        return "nccl" if self.device_type() == "cuda" else "gloo"

    def end(self, error: BaseException | None = None) -> None:
        """End the other ranks and leave the group.

        Raises:
            RankFailed: another rank failed, and `error` is None or a consequence of that.
        """
        fault = ""
        if error is None or may_come_from_another_rank(error):
            fault = self._others.find_fault(STATUS_S if error else 0.0)
        self._others.dismiss(at_once=bool(error or fault))
        try:
            self._undo.close()
        finally:
            self._others.end()
        self._network = None
        if fault:
            raise RankFailed(fault) from error

    def device(self) -> torch.device:
        """This rank's device."""
        import torch

        return torch.device("cuda", self._local_rank) if self.device_type() == "cuda" else torch.device("cpu")

    def place(self, network: nn.Module) -> nn.Module:
        """Wrap the network on this rank's device; rank 0 broadcasts its weights."""
        from torch.nn.parallel import DistributedDataParallel

        own = [self._local_rank] if self.device_type() == "cuda" else None
        self._network = DistributedDataParallel(network.to(self.device()), device_ids=own)
        return self._network

    def announce(self, what: str) -> None:
        """Send the command to the other ranks; at `check`, all compare their gradients."""
        if self.rank == 0:
            self._others.send(COMMANDS[what])
        if what == "check":
            self._compare()

    def clock(self) -> Clock:
        """Wall time of the host after every rank is done."""
        return WaitingClock(self._wait_for_all)

    def _wait_for_all(self) -> None:
        if self.rank == 0:
            self._others.wait(in_any_order=self.device_type() != "cpu")
        self.wait()

    def _compare(self) -> None:
        """Compare the last gradients of all ranks; outside the rounds.

        Raises:
            RankFailed: on rank 0, one differs.
        """
        assert self._network is not None, "gradients are compared between `place` and `end`"  # noqa: S101 - our own order of calls
        difference = first_difference(self._network, self.ranks, self.device())
        if difference and self.rank == 0:
            raise RankFailed("the gradient of {} differs between rank 0 and rank {}".format(*difference))

    def attributes(self) -> dict[str, Any]:
        """Ranks, their nodes, their backend, and the threads of each."""
        import torch

        world = self.world()
        return {
            "device": self.device_type(),
            "devices": self.ranks if self.device_type() == "cuda" else 1,
            "ranks": self.ranks,
            "nodes": world.nodes if world else 1,
            "backend": self.backend,
            "threads_per_rank": torch.get_num_threads(),
        }


def refuse_threads() -> None:
    """Refuse to fork while threads run, other than torch's pool, which sleeps.

    Raises:
        RuntimeError: how many there are.
    """
    import torch

    if obstacle := left_by_fork(pool=torch.get_num_threads() - 1):
        raise RuntimeError(f"ranks are forked, and this process has {obstacle} already; use a fresh one")


def may_come_from_another_rank(error: BaseException) -> bool:
    """Whether an error may be a consequence of another rank's failure."""
    from torch.distributed import DistError

    return isinstance(error, DistError) or is_about_connection(error)


EXECUTIONS.add(ExecutionSpec("distributed", Distributed, {"parallel": "batch"}))
