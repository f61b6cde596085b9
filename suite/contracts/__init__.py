"""Base classes of levels; their clocks, probes and placements. No torch at import."""
