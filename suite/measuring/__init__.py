"""The worker: makes a case's step, runs it, records its rounds. Imports torch."""
