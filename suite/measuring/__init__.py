"""The worker process: builds the step of a case, runs it, records its rounds. Imports torch."""
