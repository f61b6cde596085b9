"""What the doors `suite.cli` and `suite.plugin` need of a shell, a terminal and pytest."""
