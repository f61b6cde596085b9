"""What levels and the measuring process agree on: clocks, probes, where batches go. No torch at import.

The classes that levels derive from still stand with the levels (`levels/executions/cpu.py`,
`levels/tunings/eager.py`, `levels/inputs/synthetic.py`).
"""
