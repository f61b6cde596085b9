"""The tests; a package, so that they share `conftest` and the fakes."""
