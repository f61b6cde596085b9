"""Issues of validity: kinds, observations and remedies."""

from __future__ import annotations

from dataclasses import dataclass

STEADY = "steady"
DRIFTING, BIMODAL = "drifting", "bimodal"
CLIMBS, FALLS = "climbs", "falls"
EXTERNAL_KINDS = ("loaded", "stolen", "throttled", "swapped", "memory-hungry neighbour")
"""Kinds with a cause outside the case; the others come from its step times or from an instrument."""

REMEDIES = {
    DRIFTING: "raise --warmup-seconds; if the trend stays, look for state in the step that grows",
    BIMODAL: "raise --passes, and stop other programs",
    "loaded": "stop the other processes, or pin the run to idle cores with taskset",
    "threads share a core": "grant a core for each thread, or lower --threads",
    "stolen": "use a machine whose cores are not shared with other virtual machines",
    "throttled": "raise the container's CPU quota; against heat, improve the cooling",
    "swapped": "free memory, or use a machine with more of it",
    "memory-hungry neighbour": "stop the process that uses the memory",
    "allocator": "set these variables for training too",
}
"""Kind of an issue -> how to avoid it."""


@dataclass(frozen=True, slots=True)
class Issue:
    """A reason to trust a case less: its kind, and the observation with its figures."""

    kind: str
    text: str

    @property
    def remedy(self) -> str:
        """How to avoid the issue in the next run."""
        return REMEDIES[self.kind]
