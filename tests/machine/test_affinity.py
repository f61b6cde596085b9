"""Threads that compute have a core each while rounds are taken, and are free otherwise."""

import os
import subprocess
import sys
import threading

import pytest

from suite.machine.affinity import Cores, bind

CORES = sorted(os.sched_getaffinity(0))
needs_two_cores = pytest.mark.skipif(len(CORES) < 2, reason="needs two cores")
COMPUTE = """
import os, sys, torch
from suite.machine.affinity import Cores, thread_ids

threads, cores = int(sys.argv[1]), sorted(os.sched_getaffinity(0))
torch.set_num_threads(threads)
mine = Cores()
masks = lambda: sorted(tuple(sorted(os.sched_getaffinity(task))) for task in thread_ids())
values = torch.rand(2**20)
for _ in range(4):
    with mine.one_each(threads) as bound:
        print(bound)
        for _ in range(100):
            values.tanh()
        alone = [mask[0] for mask in masks() if len(mask) == 1]
    print(alone == (cores if bound else []))
    print(set(masks()) == {tuple(cores)})
"""
SECOND_POOL = """
import os, sys, threading
from suite.machine.affinity import Cores, thread_ids

threads, cores = len(os.sched_getaffinity(0)), os.sched_getaffinity(0)
end = threading.Event()
def spin():
    while not end.is_set():
        pass
def pool():
    made = [threading.Thread(target=spin) for _ in range(threads - 1)]
    [one.start() for one in made]
    return made
others = pool() if "first" in sys.argv else []
mine, bound, turns = Cores(), [], 0
while turns < 6 or ("late" in sys.argv and turns < 60 and not bound[-1]):
    with mine.one_each(threads) as here:
        if turns == 2 and "late" in sys.argv:
            others = pool()
        sum(range(2_000_000))
    bound.append(here)
    turns += 1
    print(all(os.sched_getaffinity(task) == cores for task in thread_ids()))
print(any(bound[:3]), any(bound[3:]))
end.set()
"""

SHORT_LIVED = """
import os, sys, threading
from suite.machine.affinity import Cores

threads, cores = len(os.sched_getaffinity(0)), os.sched_getaffinity(0)
mine, team, masks = Cores(), [], []
def spin(end):
    masks.append(os.sched_getaffinity(threading.get_native_id()))
    while not end.is_set():
        pass
def new_team():
    for thread, end in team:
        end.set()
        thread.join()
    ends = [threading.Event() for _ in range(threads - 1)]
    team[:] = [(threading.Thread(target=spin, args=(end,)), end) for end in ends]
    [thread.start() for thread, _ in team]
new_team()
seen = []
while len(seen) < 12 or ("bound" in sys.argv and len(seen) < 90 and True not in seen[:-4]):
    with mine.one_each(threads) as bound:
        sum(range(2_000_000))
        if "always" in sys.argv or bound:
            new_team()
    seen.append(bound)
print(*seen)
print(sum(mask != cores for mask in masks) // (threads - 1))
[end.set() for _, end in team]
"""


def said(code: str, *arguments: str) -> list[str]:
    """Words that a process prints."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)
    assert not done.returncode, done.stderr
    return done.stdout.split()


@pytest.mark.slow
@needs_two_cores
def test_threads_that_compute_in_one_context_get_a_core_each_in_the_next_and_all_are_free_after_it():
    """In the first, OpenMP's threads are born, so the second is the first that can find them."""
    *first, third, fourth = zip(*[iter(said(COMPUTE, str(len(CORES))))] * 3, strict=True)
    assert first == [("False", "True", "True")] * 2
    assert third == fourth == ("True", "True", "True")


@needs_two_cores
@pytest.mark.slow
def test_nothing_is_bound_where_cores_are_left_to_spare():
    assert said(COMPUTE, "1") == ["False", "True", "True"] * 4


@needs_two_cores
def test_threads_that_were_there_before_count_as_none_that_compute_however_they_spin():
    *free, early, late = said(SECOND_POOL, "first")
    assert set(free) == {"True"}
    assert (early, late) == ("False", "False")


@needs_two_cores
def test_threads_that_are_born_in_a_context_are_free_after_it_and_computing_ones_are_found_anew():
    *free, early, late = said(SECOND_POOL, "late")
    assert set(free) == {"True"}
    assert (early, late) == ("False", "True")


@needs_two_cores
def test_a_team_of_threads_that_is_replaced_all_the_time_is_never_bound():
    """OpenMP replaces its threads where parts of a step have work for fewer of them: 16 threads and resnet18, say. With
    the main thread bound, new ones were born on its core, and a step took 35 s instead of 50 ms.
    """
    *bound, born_on_one_core = said(SHORT_LIVED, "always")
    assert (set(bound), born_on_one_core) == ({"False"}, "0")


@needs_two_cores
def test_a_team_that_is_replaced_while_it_is_bound_is_bound_no_more():
    *bound, born_on_one_core = said(SHORT_LIVED, "bound")
    first = bound.index("True")
    assert set(bound[first + 1 :]) == {"False"}
    assert born_on_one_core == "1"


@needs_two_cores
def test_a_binding_that_the_kernel_does_not_keep_to_is_none():
    taken = CORES[0]
    assert bind(os.getpid(), {taken})
    bind(os.getpid(), set(CORES))
    assert not bind(os.getpid(), {4095})
    assert sorted(os.sched_getaffinity(0)) == CORES


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
