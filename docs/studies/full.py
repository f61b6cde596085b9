"""`make full`: every case of the full profile once, with the shortest plan.

Step times mean nothing here, so that as many shards run side by side as there are cores, one thread each. What became
of the cases of a shard is kept in `reports/studies/full.jsonl`; a further sitting goes on with the shards that are
missing. Counts of what is kept are printed, every reason of a failure, and how long it took in all.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from suite.machine.affinity import affinity_cores
from suite.provenance.installation import CASES_FOLDER
from suite.records.store import read_run

SHARDS = 100
PLAN = "--passes 1 --case-seconds 0.001 --warmup-seconds 0.001 --target-precision 50 --threads 1 --interleave 4"
KEPT = Path("reports/studies/full.jsonl")


def outcome(number: int) -> dict[str, Any]:
    """Outcomes of the cases of one shard."""
    with tempfile.TemporaryDirectory() as name:
        record = Path(name, "record")
        chosen = ["--profile", "full", "--shard", f"{number}/{SHARDS}", "--priority", "normal"]
        command = [sys.executable, "-m", "pytest", "-q", str(CASES_FOLDER), *chosen, *PLAN.split()]
        started = monotonic()
        done = subprocess.run([*command, "--record", str(record)], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(f"shard {number} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        cases = read_run(record).cases
    return {
        "shard": number,
        "of": SHARDS,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(monotonic() - started, 1),
        "counts": Counter(case.outcome for case in cases),
        "skipped": Counter(case.reason for case in cases if case.outcome == "skipped"),
        "failed": {case.case.id: case.reason for case in cases if case.outcome == "failed"},
    }


def kept() -> list[dict[str, Any]]:
    """Outcomes of earlier sittings."""
    return [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []


def main() -> None:
    """The shards that are missing, then the sums."""
    done = {line["shard"] for line in kept() if line["of"] == SHARDS}
    missing = [number for number in range(1, SHARDS + 1) if number not in done]
    with ThreadPoolExecutor(affinity_cores()) as pool, KEPT.open("a") as file:
        for found in pool.map(outcome, missing):
            file.write(json.dumps(found) + "\n")
            file.flush()
    lines = kept()
    counts = sum((Counter(line["counts"]) for line in lines), Counter())
    print(f"{len(lines)} of {SHARDS} shards, {sum(line['seconds'] for line in lines) / 60:.0f} min, added up")
    print(f"{counts.total()} cases: " + ", ".join(f"{count} {name}" for name, count in counts.most_common()))
    for line in lines:
        for case, reason in line["failed"].items():
            print(f"  failed: {case}: {reason}")


if __name__ == "__main__":
    main()
