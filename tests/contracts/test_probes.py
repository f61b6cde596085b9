"""Counters that are read around a round, from the kernel that runs the tests."""

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from suite.contracts.probes import TASKS, QueueTimeCounter

counted = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this kernel does not count how long threads queue"
)


@pytest.fixture
def queueing():
    probe = QueueTimeCounter()
    yield probe
    probe.close()


def told_by_the_kernel() -> float:
    """Seconds that the threads of this process have queued, each read through a file opened for it."""
    total_ns = 0
    for task in TASKS.iterdir():
        with suppress(OSError):  # a thread of an earlier test has just ended
            total_ns += int((task / "schedstat").read_text().split()[1])
    return total_ns / 1e9


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@counted
def test_queueing_is_the_sum_over_all_threads_also_those_started_after_the_first_reading(queueing):
    queueing.read_s()
    done = threading.Event()
    threads = [threading.Thread(target=done.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    before, read, after = told_by_the_kernel(), queueing.read_s(), told_by_the_kernel()
    done.set()
    for thread in threads:
        thread.join()
    assert 0 < before <= read <= after


@counted
def test_a_thread_that_has_ended_queues_no_more(queueing):
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    queueing.read_s()
    done.set()
    thread.join()
    before, read, after = told_by_the_kernel(), queueing.read_s(), told_by_the_kernel()
    assert before <= read <= after


@counted
def test_queueing_keeps_a_file_open_for_each_thread_and_their_folder_until_it_is_closed(queueing):
    before = open_files()
    queueing.read_s()
    queueing.read_s()
    assert open_files() == before + len(list(TASKS.iterdir())) + 1
    queueing.close()
    assert open_files() == before
