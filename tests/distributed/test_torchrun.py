"""Several nodes: real agents of torchrun on this host, each with its processes, over the loopback interface."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from suite.distributed.rendezvous import accept_ranks, authenticate
from suite.machine.cuda import cuda_devices
from suite.machine.torchrun import World, world
from suite.records import Case
from suite.records.store import read_run
from suite.registry import load_levels
from tests.conftest import Desk, children, processes_below
from tests.fakes.nodes import HERE, nodes, outcomes

load_levels()

loopback = pytest.mark.skipif(sys.platform != "linux", reason="names the loopback interface as Linux does")
TOLD = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "GROUP_WORLD_SIZE": "2",
    "MASTER_ADDR": "node0",
    "MASTER_PORT": "29500",
}


@loopback
@pytest.mark.parametrize(
    ("count", "ranks"), [pytest.param(2, 1, marks=pytest.mark.slow), pytest.param(1, 2, marks=pytest.mark.nightly)]
)
def test_under_torchrun_a_distributed_case_takes_all_ranks_and_the_others_run_on_rank_0(desk: Desk, count, ranks):
    with nodes(desk, [HERE] * count, ranks) as agents:
        said = [agent.communicate(timeout=170)[0] for agent in agents]
        assert [agent.returncode for agent in agents] == [0] * count, said
    found = outcomes(desk)
    assert {record.outcome for record in found.values()} == {"measured"}
    together = found["seed_cnn-adam-distributed-b8-i8"].attributes["execution"]
    assert (together["ranks"], together["nodes"], together["backend"]) == (2, count, "gloo")
    alone = found["seed_cnn-adam-distributed_r1-b8-i8"].attributes["execution"]
    assert (alone["ranks"], alone["nodes"]) == (1, 1)
    told = read_run(desk.folder / "here").header.environment["torchrun"]
    assert told == {"ranks": 2, "local_ranks": ranks, "nodes": count}
    assert (desk.folder / "here" / "report.html").exists()


@loopback
@pytest.mark.gpu
@pytest.mark.skipif(not cuda_devices(), reason="no CUDA device")
def test_one_rank_of_torchrun_works_on_the_device_over_nccl(desk: Desk):
    with nodes(desk, [HERE], 1) as agents:
        said = [agent.communicate(timeout=170)[0] for agent in agents]
        assert [agent.returncode for agent in agents] == [0], said
    alone = outcomes(desk)["seed_cnn-adam-distributed-b8-i8"]
    assert alone.outcome == "measured", alone.reason
    facts = alone.attributes["execution"]
    assert (facts["device"], facts["backend"], facts["ranks"]) == ("cuda", "nccl", 1)


@loopback
@pytest.mark.nightly
def test_a_rank_that_is_killed_on_another_node_fails_its_case_with_a_reason_and_the_others_go_on(desk: Desk):
    with nodes(desk, [HERE] * 2, seconds=6.0) as agents:
        killed = kill_workers_of(agents[1])
        said = [agent.communicate(timeout=170)[0] for agent in agents]
        assert agents[0].returncode == 1, said
        assert not [pid for agent in agents for pid in processes_below(agent.pid)]
    found = outcomes(desk)
    failed = [record for record in found.values() if record.outcome == "failed"]
    assert 1 <= len(failed) <= killed
    assert all("rank 1 is gone" in record.reason for record in failed)
    assert all(record.case.execution == "distributed" for record in failed)
    assert sum(record.outcome == "measured" for record in found.values()) == len(found) - len(failed)


def kill_workers_of(agent: subprocess.Popen[str]) -> int:
    """Kill all that the zygote of a follower has forked once one of them attends; how many were killed."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for follower in children(agent.pid):
            for zygote in children(follower):
                workers = children(zygote)
                if len(workers) > 1:  # one more than attend: it waits for the next visit
                    time.sleep(1.0)
                    for pid in workers:
                        os.kill(pid, signal.SIGKILL)
                    return len(workers)
        time.sleep(0.05)
    raise AssertionError("no worker of another rank attended")


@loopback
def test_pytest_itself_under_torchrun_ends_at_once_on_ranks_that_would_wait(desk: Desk):
    done = subprocess.run(
        desk.command("--profile", "tiny"),
        cwd=desk.folder,
        env={**os.environ, **TOLD},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "under torchrun start `stepmark run`, in which all ranks take part." in done.stdout + done.stderr


def test_outside_of_torchrun_there_is_no_world(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert world() is None


def test_the_world_is_what_torchrun_says(monkeypatch):
    for name, value in TOLD.items():
        monkeypatch.setenv(name, value)
    assert world() == World(3, 4, 1, 2, 2, "node0", 29500, "0")


def greeting(said: bytes) -> int | None:
    """Which rank is taken in that says this over a real connection, where the token is `secret`."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as theirs,
        listener.accept()[0] as ours,
    ):
        theirs.sendall(said)
        return authenticate(ours, "secret")


@pytest.mark.parametrize("said", [b"1 guessed\n", b"1\n", "1 geh\u00e9im\n".encode(), b"\xff\xfe", b"one secret\n"])
def test_a_connection_without_the_token_is_no_rank(said):
    assert greeting(said) is None


def test_who_knows_the_token_is_the_rank_that_it_says():
    assert greeting(b"2 secret\n") == 2


def test_ranks_that_do_not_come_are_named(monkeypatch):
    monkeypatch.setattr("suite.distributed.rendezvous.RENDEZVOUS_S", 0.5)
    started = World(0, 4, 0, 1, 4, "127.0.0.1", 0, "0")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as second,
    ):
        second.sendall(b"2 secret\n")
        with pytest.raises(TimeoutError, match=r"rank 1, 3 did not connect within 0\.5 s; see its output"):
            accept_ranks(listener, started, "secret")


def test_an_execution_of_one_process_invites_no_rank():
    from suite.distributed.rendezvous import Invitation
    from suite.registry import EXECUTIONS

    invitation = Invitation(Case("seed_cnn", "sgd", "cpu"), "127.0.0.1", 1, 2, "")
    with pytest.raises(NotImplementedError, match="no rank is invited to seed_cnn-sgd-cpu"):
        EXECUTIONS["cpu"].strategy().follow(invitation, print)
