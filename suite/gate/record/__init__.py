"""The values that a gate measures, and its file on disk."""
