"""The controlling process: starts workers, asks them for rounds, decides when to stop. No torch."""
