"""The machine that measures: facts of kernel and drivers, and settings. No torch."""
