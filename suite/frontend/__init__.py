"""The parts of `suite.cli` and `suite.plugin` that deal with shell and terminal."""
