"""Facts about a run's code, software, machine and environment. No torch."""
