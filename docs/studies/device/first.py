"""Runs every path of the suite on a device once: which crash, which compute something else, and what each costs.

    python first.py OUT.jsonl [SECONDS]                   on a machine with a CUDA device
    STEPMARK_DRY=1 python first.py OUT.jsonl              the same items on the host's cores

Each item runs in a forked process. A crash or a hang ends that item alone. A line of OUT.jsonl has the keys `item`,
`state`, `seconds`, and `found` or `error`. States are `ok`, `differs`, `failed`, `timeout`, `refused`, `not reached`.
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
from collections import Counter
from pathlib import Path
from typing import Any

from items import Differs, Item, Refused, items

LEAST_S = 3.0
"""Seconds that have to be left for an item to begin."""
LONGEST_ANSWER = 60_000
THREADS = 8


def answer_of(item: Item) -> dict[str, Any]:
    """State and findings of an item, in the process that runs it."""
    import torch

    torch.set_num_threads(min(THREADS, os.cpu_count() or 1))
    try:
        return {"state": "ok", "found": item.run()}
    except Differs as error:
        return {"state": "differs", "error": str(error)}
    except Refused as error:
        return {"state": "refused", "error": str(error)}
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is a finding
        traceback.print_exc()
        return {"state": "failed", "error": f"{type(error).__name__}: {error}"[:1500]}


def run(item: Item, limit_s: float) -> dict[str, Any]:
    """Run an item in a forked process, which is killed with its children when its time is over."""
    answers, theirs = os.pipe()
    started_s = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(answers)
        os.write(theirs, json.dumps(answer_of(item), default=str).encode()[:LONGEST_ANSWER])
        sys.stderr.flush()
        os._exit(0)
    os.close(theirs)
    text = b""
    while select.select([answers], [], [], max(0.0, started_s + limit_s - time.monotonic()))[0]:
        piece = os.read(answers, 1 << 16)
        if not piece:
            break
        text += piece
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(answers)
    if text:
        answer = json.loads(text)
    elif time.monotonic() >= started_s + limit_s:
        answer = {"state": "timeout", "error": f"no answer in {limit_s:g} s"}
    else:
        answer = {"state": "failed", "error": f"ended with {status} and without an answer"}
    return {"item": item.name, "seconds": round(time.monotonic() - started_s, 1), **answer}


def main() -> None:
    """Run all items for which there is time."""
    out, total_s = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 200.0
    started_s = time.monotonic()
    from suite.registry import load_levels
    from suite.zygote import import_torch

    load_levels(())
    import_torch()  # the imports of the process that forks workers, and no more
    states: Counter[str] = Counter()
    with out.open("a", encoding="utf-8") as file:
        for item in items():
            left_s = total_s - (time.monotonic() - started_s)
            if left_s > LEAST_S:
                answer = run(item, min(item.limit_s, left_s))
            else:
                answer = {"item": item.name, "seconds": 0.0, "state": "not reached"}
            states[answer["state"]] += 1
            file.write(json.dumps(answer) + "\n")
            file.flush()
            found = json.dumps(answer.get("found", answer.get("error", "")))
            print(f"{answer['state']:<11} {answer['seconds']:>6.1f} s  {item.name}: {found[:400]}", flush=True)
    print(f"first: {dict(states)}", flush=True)


if __name__ == "__main__":
    main()
