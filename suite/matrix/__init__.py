"""A profile -> the cases that are measured. No torch."""
