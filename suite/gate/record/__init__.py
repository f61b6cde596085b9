"""What a gate has measured: its values, and its file on disk."""
