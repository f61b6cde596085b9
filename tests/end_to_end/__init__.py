"""Behaviour that only a whole run shows: kills, resumed runs, other people's sessions, odd machines."""
