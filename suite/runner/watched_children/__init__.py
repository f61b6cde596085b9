"""Folder on the search path of Python processes that a step of a gate starts."""
