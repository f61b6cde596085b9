"""DistributedDataParallel: one process for each rank, each with its part of the batch."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from suite.contracts.clock import Clock, WaitingClock
from suite.contracts.execution import Execution, RankStep
from suite.distributed.gradients import first_difference
from suite.distributed.loopback import LOOPBACK, loopback
from suite.distributed.ranks import STATUS_S, WAIT, Actions, Peers, RankFailed, about_connection
from suite.machine import torchrun
from suite.machine.cuda import cuda_devices
from suite.machine.fork_safety import left_by_fork
from suite.machine.torchrun import MEETING_S, Summons, World
from suite.records import INFER, Case
from suite.registry import EXECUTIONS, OPTIMIZERS, TUNINGS, ExecutionSpec

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.distributed import Store  # type: ignore[attr-defined]  # it is public all the same

COLLECTIVE_S = 300.0
"""Seconds for a rank to come to a collective operation, others having to compile meanwhile. A rank that died is noticed
at once: its connections close."""
COMMANDS = {"step": b"s", "rewind": b"r", "check": b"c"}


class Distributed(Execution):
    """DistributedDataParallel with torch's defaults over real processes, the worker being rank 0.

    The batch of the case is the joint batch: each of R ranks takes every R-th image. Ranks work on one CUDA device each
    with NCCL where there are two devices or more, else on the host's cores with gloo over the loopback interface, each
    with its share of the threads. Step time is the maximum over ranks: a reading of the clock waits until the last rank
    has done what it was told, which costs one answer of each rank in every round. Counters of the process (memory, CPU
    time, faults) are those of rank 0 alone.

    Under torchrun the ranks are those that it started, on as many nodes. Answers, and gloo's messages, then come over
    the network, by the interface that gloo finds or `GLOO_SOCKET_IFNAME` names.

    Defaults left as they are: buffers of rank 0 are broadcast before each forward, gradients are copied out of their
    buckets (`gradient_as_bucket_view=False`), buckets hold 25 MiB. In the mode `infer` each rank forwards its part and
    nothing but buffers is exchanged. Batch statistics are those of a rank's own part, and ranks draw the same random
    numbers. Garbage collection rests in the other ranks as it does in rank 0.

    Source: Li et al. 2020, "PyTorch Distributed: experiences on accelerating data parallel training"; PyTorch,
        `torch.nn.parallel.DistributedDataParallel`. Ours forks the ranks instead of starting them anew.
    """

    cpu_ranks = 2
    uses_devices = True
    follows_torchrun = True

    def __init__(self) -> None:
        among = self.world()
        self.ranks = self.wanted_ranks()
        self.ranks_here = among.local_ranks if among else self.ranks
        self._here = among.local_rank if among else 0
        self._listener: socket.socket | None = None
        self._peers = Peers()
        self._undo = ExitStack()
        self._network: nn.Module | None = None

    @classmethod
    def world(cls) -> World | None:
        """The ranks that torchrun started, where this execution takes them."""
        return torchrun.world() if cls.follows_torchrun else None

    @classmethod
    def device_type(cls) -> str:
        """`cuda` where every rank of this node has a device of its own."""
        among = cls.world()
        return "cuda" if cls.uses_devices and cuda_devices() >= (among.local_ranks if among else 2) else "cpu"

    @classmethod
    def wanted_ranks(cls) -> int:
        """Processes that share a batch: torchrun's, or as many as this machine has devices."""
        among = cls.world()
        here = cuda_devices() if cls.device_type() == "cuda" else cls.cpu_ranks
        return among.ranks if among else here

    @classmethod
    def refusal(cls, case: Case) -> str:
        """The ranks do not divide the batch, or would not wait for each other as often."""
        ranks = cls.wanted_ranks()
        if case.batch_size % ranks:
            return f"{case.execution} shares a batch among {ranks} ranks, which do not divide {case.batch_size} images"
        if ranks > 1 and case.mode != INFER and OPTIMIZERS[case.optimizer].closure:
            return f"{case.optimizer} evaluates as often as a rank's own loss tells it, and others would wait for ever"
        if TUNINGS[case.tuning].attributes.get("graph"):
            return f"{case.tuning} with {case.execution} needs a network that was wrapped on the stream of the capture"
        return ""

    def begin(self, case: Case, make_step: Callable[[Execution], RankStep]) -> None:
        """Fork the other ranks or summon torchrun's, then meet them; another rank comes here again in its own process,
        and only meets.

        Raises:
            RuntimeError: this process has started threads, so that what it forks might wait for one for ever.
            TimeoutError: a rank of torchrun's did not come.
        """
        among = self.world()
        if self.rank == 0:
            listener = socket.create_server(("" if among else LOOPBACK, 0), backlog=self.ranks)
            self._listener = listener
            self._undo.callback(listener.close)
            self._meeting = (LOOPBACK, listener.getsockname()[1])
            if among:
                for rank, connection in torchrun.summon(case, among, self._meeting[1]).items():
                    self._peers.meet(rank, connection)
            else:
                self._fork(make_step)
        self._join()

    def _fork(self, make_step: Callable[[Execution], RankStep]) -> None:
        if self.ranks > 1:
            refuse_threads()
        for rank in range(1, self.ranks):
            self._peers.fork(rank, lambda rank=rank: self._as_rank(rank, rank, make_step))  # type: ignore[misc]

    def follow(self, summons: Summons, make_step: Callable[[Execution], RankStep]) -> AbstractContextManager[Actions]:
        """In a process of torchrun's other than rank 0: the step of a visit, and what it does at each command."""
        among = self.world()
        assert among is not None, "only torchrun's ranks are summoned"  # noqa: S101 - our own order of calls
        self._meeting = (summons.host, summons.store_port)
        return self._as_rank(among.rank, among.local_rank, make_step)

    @contextmanager
    def _as_rank(self, rank: int, here: int, make_step: Callable[[Execution], RankStep]) -> Iterator[Actions]:
        """In the process of another rank, which is number `here` on its node: its step, and what it does at each
        command.
        """
        self.rank, self._here = rank, here
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
                WAIT: self._finish,
            }

    def _join(self) -> None:
        import torch
        import torch.distributed as dist

        threads = torch.get_num_threads()
        self._undo.callback(torch.set_num_threads, threads)
        torch.set_num_threads(max(1, threads // self.ranks_here))
        if self.device_type() == "cuda":
            torch.cuda.set_device(self.device())  # of rank 0: the current device already
        store = self._rendezvous()
        with loopback() if self.ranks == self.ranks_here else nullcontext():
            dist.init_process_group(
                self.backend,
                store=store,
                rank=self.rank,
                world_size=self.ranks,
                timeout=timedelta(seconds=COLLECTIVE_S),
            )
        self._undo.callback(dist.destroy_process_group)

    def _rendezvous(self) -> Store:
        """The store through which ranks find one another: rank 0 serves it on its listening socket."""
        from torch.distributed import TCPStore  # type: ignore[attr-defined]  # it is public all the same

        host, port = self._meeting
        timeout = timedelta(seconds=MEETING_S)
        if self.rank or self._listener is None:
            if self._listener is not None:
                self._listener.close()
            return TCPStore(host, port, self.ranks, is_master=False, timeout=timeout)
        serving = self._listener.detach()
        return TCPStore(host, port, self.ranks, is_master=True, timeout=timeout, master_listen_fd=serving)

    @property
    def backend(self) -> str:
        """What carries gradients between ranks."""
        return "nccl" if self.device_type() == "cuda" else "gloo"

    def end(self, error: BaseException | None = None) -> None:
        """End the other ranks and leave the group.

        Raises:
            RankFailed: another rank failed, and `error` does not say so, or is but what followed from it.
        """
        fault = ""
        if error is None or from_others(error):
            fault = self._peers.fault(STATUS_S if error else 0.0)
        self._peers.dismiss(at_once=bool(error or fault))
        try:
            self._undo.close()
        finally:
            self._peers.end()
        self._network = None
        if fault:
            raise RankFailed(fault) from error

    def device(self) -> torch.device:
        """This rank's own device."""
        import torch

        return torch.device("cuda", self._here) if self.device_type() == "cuda" else torch.device("cpu")

    def place(self, network: nn.Module) -> nn.Module:
        """The network on this rank's device, wrapped; rank 0's weights are broadcast to the others."""
        from torch.nn.parallel import DistributedDataParallel

        own = [self._here] if self.device_type() == "cuda" else None
        self._network = DistributedDataParallel(network.to(self.device()), device_ids=own)
        return self._network

    def announce(self, what: str) -> None:
        """Send the command to the other ranks; at `check`, all compare their gradients."""
        if self.rank == 0:
            self._peers.tell(COMMANDS[what])
        if what == "check":
            self._compare()

    def clock(self) -> Clock:
        """Wall time of the host once every rank is done."""
        return WaitingClock(self._finish)

    def _finish(self) -> None:
        if self.device_type() == "cuda":
            import torch

            torch.cuda.synchronize(self.device())
        if self.rank == 0:
            self._peers.wait()

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
        """Ranks, their nodes, what joins them, and the threads of each."""
        import torch

        among = self.world()
        return {
            "device": self.device_type(),
            "devices": self.ranks if self.device_type() == "cuda" else 1,
            "ranks": self.ranks,
            "nodes": among.nodes if among else 1,
            "backend": self.backend,
            "threads_per_rank": torch.get_num_threads(),
        }


def refuse_threads() -> None:
    """Refuse to fork where threads run that torch did not start for its pool, which sleeps until it is used.

    Raises:
        RuntimeError: how many there are.
    """
    import torch

    if obstacle := left_by_fork(pool=torch.get_num_threads() - 1):
        raise RuntimeError(f"ranks are forked, and this process has {obstacle} already; use a fresh one")


def from_others(error: BaseException) -> bool:
    """Whether an error may come from the failure of another rank."""
    from torch.distributed import DistError

    return isinstance(error, DistError) or about_connection(error)


def on_cpu(ranks: int) -> ExecutionSpec:
    """The same with that many ranks on the host's cores, for scaling over ranks."""
    facts = {"__doc__": Distributed.__doc__, "cpu_ranks": ranks, "uses_devices": False, "follows_torchrun": False}
    strategy = type(f"Distributed{ranks}", (Distributed,), facts)
    return ExecutionSpec(f"distributed_r{ranks}", strategy, {"device": "cpu", "devices": 1, "ranks": ranks})


EXECUTIONS.add(ExecutionSpec("distributed", Distributed, {"parallel": "batch"}))
for _ranks in (1, 4):
    EXECUTIONS.add(on_cpu(_ranks))
