"""Base classes that levels derive from, and clocks, probes and placements. No torch at import."""
