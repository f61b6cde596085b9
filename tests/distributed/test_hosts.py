"""Several hosts: agents of torchrun in separate network namespaces, which nothing but a cable joins."""

import sys
import time
from collections.abc import Callable, Iterator

import pytest

from suite.records.store import read_run
from tests.conftest import Desk, processes_below
from tests.fakes.nodes import OPTIONS, Host, nodes, outcomes, two_hosts

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's"),
]
TIME_LIMIT_S = 10
HANGS = """
from torch import nn


class HangsElsewhere(nn.Module):
    def __init__(self, classes, size):
        super().__init__()
        self.line = nn.Linear(3 * size**2, classes)
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        if os.environ.get("RANK") == "1" and self.calls > 20:
            time.sleep(1000)
        return self.line(images.flatten(1))


@STRUCTURES.register("hangs_elsewhere", depth=1, connection="plain")
def hangs_elsewhere(num_classes, image_size):
    return HangsElsewhere(num_classes, image_size)
"""


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    with two_hosts() as joined:
        yield joined


def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes to hold in that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_two_hosts_share_the_batches_of_a_distributed_case(desk: Desk, hosts):
    with nodes(desk, hosts) as agents:
        said = [agent.communicate(timeout=170)[0] for agent in agents]
        assert [agent.returncode for agent in agents] == [0, 0], said
    found = outcomes(desk)
    assert {record.outcome for record in found.values()} == {"measured"}
    together = found["seed_cnn-adam-distributed-b8-i8"].attributes["execution"]
    assert (together["ranks"], together["nodes"], together["backend"]) == (2, 2, "gloo")


def test_a_rank_that_hangs_on_another_host_fails_its_case_in_time_and_leaves_no_process(desk: Desk, hosts):
    with (desk.folder / "my_levels.py").open("a") as levels:
        levels.write(HANGS)
    limit = f"--case-timeout={TIME_LIMIT_S}"
    with nodes(desk, hosts, options=(*OPTIONS, limit), structures=', "hangs_elsewhere"') as agents:
        said = [agent.communicate(timeout=240)[0] for agent in agents]
        assert agents[0].returncode == 1, said
        assert not [pid for agent in agents for pid in processes_below(agent.pid)]
    for record in outcomes(desk).values():
        hung = record.case.structure == "hangs_elsewhere" and record.case.execution == "distributed"
        assert record.outcome == ("failed" if hung else "measured"), record
        assert not hung or record.reason == f"the worker gave no answer for {TIME_LIMIT_S} s and was ended"


def test_a_cable_that_is_pulled_fails_what_it_joined_and_no_process_stays_on_either_side(desk: Desk, hosts):
    limit = f"--case-timeout={TIME_LIMIT_S}"
    with nodes(desk, hosts, options=(*OPTIONS, limit, "--target-precision=0.01"), seconds=8.0) as agents:
        assert until(lambda: (desk.folder / "here").exists(), 120)
        time.sleep(4.0)
        hosts[1].cut()
        assert agents[0].wait(timeout=300) == 1
        assert until(lambda: not processes_below(agents[1].pid), 120), "the host that was cut off still runs something"
    found = outcomes(desk)
    assert all("no answer" in record.reason for record in found.values() if record.outcome == "failed")
    assert any(record.outcome == "failed" for record in found.values())
    assert {r.outcome for r in found.values() if r.case.execution != "distributed"} == {"measured"}


def test_an_interrupted_run_of_two_hosts_goes_on_where_it_was(desk: Desk, hosts):
    with nodes(desk, hosts, seconds=6.0) as agents:
        visits = desk.folder / "here" / "visits.jsonl"
        assert until(lambda: visits.exists() and visits.read_text().count("\n") > 1, 120)
        agents[0].terminate()
        agents[1].terminate()
        assert until(lambda: not [pid for agent in agents for pid in processes_below(agent.pid)], 60)
    with nodes(desk, hosts, options=("--resume=here",), seconds=6.0) as agents:
        said = [agent.communicate(timeout=240)[0] for agent in agents]
        assert [agent.returncode for agent in agents] == [0, 0], said
    assert {record.outcome for record in outcomes(desk).values()} == {"measured"}
    assert read_run(desk.folder / "here").footer.resumed
