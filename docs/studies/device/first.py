"""Runs every path of the suite on a device once: which crash, which compute something else, and what each costs.

    python first.py OUT.jsonl [SECONDS [JOBS]]            on a machine with a CUDA device
    STEPMARK_DRY=1 python first.py OUT.jsonl              the same items on the host's cores

Each item runs in a forked process. A crash or a hang ends that item alone. JOBS items run at the same time (1); those
whose times are to be read run alone. A line of OUT.jsonl has the keys `item`, `state`, `seconds`, and `found` or
`error`. States are `ok`, `differs`, `failed`, `timeout`, `refused`, `not reached`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from items import Differs, Item, Refused, items

LEAST_S = 3.0
"""Seconds that have to be left for an item to begin."""
LONGEST_ANSWER = 60_000
END = b"\n"
"""Ends an answer: a child of the item may hold its end of the pipe open."""
THREADS = 8


def answer_of(item: Item, threads: int) -> dict[str, Any]:
    """State and findings of an item, in the process that runs it."""
    import torch

    torch.set_num_threads(threads)
    try:
        return {"state": "ok", "found": item.run()}
    except Differs as error:
        return {"state": "differs", "error": str(error)}
    except Refused as error:
        return {"state": "refused", "error": str(error)}
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is a finding
        traceback.print_exc()
        return {"state": "failed", "error": f"{type(error).__name__}: {error}"[:1500]}


@dataclass
class Running:
    """An item in its forked process.

    Attributes:
        answers: descriptor from which its answer is read.
    """

    item: Item
    pid: int
    answers: int
    limit_s: float
    started_s: float = field(default_factory=time.monotonic)
    text: bytes = b""

    @property
    def ends_s(self) -> float:
        """When it is killed, on the monotonic clock."""
        return self.started_s + self.limit_s

    def read(self) -> bool:
        """Read what there is; whether the process has said everything."""
        piece = os.read(self.answers, 1 << 16)
        self.text += piece
        return not piece or piece.endswith(END)

    def end(self) -> dict[str, Any]:
        """Kill the process with its children, and return what it answered."""
        for kill in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.answers)
        if self.text:
            answer = json.loads(self.text)
        elif time.monotonic() >= self.ends_s:
            answer = {"state": "timeout", "error": f"no answer in {self.limit_s:g} s"}
        else:
            answer = {"state": "failed", "error": f"ended with {status} and without an answer"}
        return {"item": self.item.name, "seconds": round(time.monotonic() - self.started_s, 1), **answer}


def start(item: Item, limit_s: float, threads: int) -> Running:
    """Run an item in a forked process."""
    answers, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(answers)
        os.write(theirs, json.dumps(answer_of(item, threads), default=str).encode()[:LONGEST_ANSWER] + END)
        sys.stderr.flush()
        os._exit(0)
    os.close(theirs)
    return Running(item, pid, answers, limit_s)


def wait(running: list[Running]) -> Iterator[Running]:
    """Wait until an item has answered or its time is over; those are no longer among `running`."""
    patience_s = max(0.0, min(one.ends_s for one in running) - time.monotonic())
    ready = select.select([one.answers for one in running], [], [], patience_s)[0]
    for one in list(running):
        if (one.answers in ready and one.read()) or time.monotonic() >= one.ends_s:
            running.remove(one)
            yield one


def answers_of(due: deque[Item], total_s: float, jobs: int) -> Iterator[dict[str, Any]]:
    """Answers of all items for which there is time, as they come."""
    ends_s, threads = time.monotonic() + total_s, min(THREADS, (os.cpu_count() or 1) // jobs or 1)
    running: list[Running] = []
    while due or running:
        left_s = ends_s - time.monotonic()
        if due and left_s <= LEAST_S:
            yield {"item": due.popleft().name, "seconds": 0.0, "state": "not reached"}
        elif due and len(running) < jobs and not (running and (due[0].alone or running[0].item.alone)):
            item = due.popleft()
            running.append(start(item, min(item.limit_s, left_s), threads))
        else:
            yield from (one.end() for one in wait(running))


def main() -> None:
    """Run all items for which there is time."""
    out, total_s = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 200.0
    jobs = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    started_s = time.monotonic()
    from suite.registry import load_levels
    from suite.zygote import import_torch

    load_levels(())
    import_torch()  # the imports of the process that forks workers, and no more
    states: Counter[str] = Counter()
    with out.open("a", encoding="utf-8") as file:
        for answer in answers_of(deque(items()), total_s - (time.monotonic() - started_s), jobs):
            states[answer["state"]] += 1
            file.write(json.dumps(answer) + "\n")
            file.flush()
            found = json.dumps(answer.get("found", answer.get("error", "")))
            print(f"{answer['state']:<11} {answer['seconds']:>6.1f} s  {answer['item']}: {found[:400]}", flush=True)
    print(f"first: {dict(states)}", flush=True)


if __name__ == "__main__":
    main()
