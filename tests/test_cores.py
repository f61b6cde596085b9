"""Threads that compute have a core each while rounds are taken, and are free otherwise."""

import os
import subprocess
import sys
import threading

import pytest

from suite.cores import Cores

CORES = sorted(os.sched_getaffinity(0))
COMPUTE = """
import os, sys, torch
from suite.cores import Cores

threads, cores = int(sys.argv[1]), sorted(os.sched_getaffinity(0))
torch.set_num_threads(threads)
mine = Cores()
masks = lambda: sorted(tuple(sorted(os.sched_getaffinity(thread))) for thread in mine.computing())
with mine.one_each(threads) as bound:
    print(bound)
values = torch.rand(2**22)
for _ in range(100):
    values.tanh()
with mine.one_each(threads) as bound:
    print(bound)
    print(masks() == [(core,) for core in cores])
print(masks() == [tuple(cores)] * threads)
"""


def computed(threads: int) -> list[str]:
    """What a process says in which torch computes with so many threads: bound at first, bound then, one each, free."""
    done = subprocess.run(
        [sys.executable, "-c", COMPUTE, str(threads)], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.split()


@pytest.mark.skipif(len(CORES) < 2, reason="needs two cores")
def test_threads_that_have_computed_get_a_core_each_and_are_free_again():
    assert computed(len(CORES)) == ["False", "True", "True", "True"]


@pytest.mark.skipif(len(CORES) < 2, reason="needs two cores")
def test_nothing_is_bound_where_cores_are_left_to_spare():
    assert computed(1)[:2] == ["False", "False"]


def test_a_process_whose_other_threads_sleep_is_left_alone():
    rest = threading.Event()
    sleeper = threading.Thread(target=rest.wait)
    sleeper.start()
    try:
        with Cores().one_each(len(CORES)) as bound:
            assert not bound
            assert sorted(os.sched_getaffinity(0)) == CORES
    finally:
        rest.set()
        sleeper.join()
